"""Which rule of rescaling gives a runtime's bytes, measured on one operator alone, against the runtimes themselves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from leadwire import reference
from leadwire.model.tflite import read_tflite
from leadwire.pipeline.predict import operator_outputs
from leadwire.pipeline.rounding import bytes_by_rule
from leadwire.validate import OperatorOutput
from leadwire.validate.identity import _cause, _first_difference, _measured
from single_operator import Op, T, write_tflite

pytestmark = pytest.mark.requirement("LW-VAL-004")


def written(path: Path, kind: str) -> Path:
    """One operator with weights of one scale (FULLY_CONNECTED) or one for each output."""
    draw = np.random.default_rng(4)
    shapes = {
        "FULLY_CONNECTED": ((1, 48), (24, 48), (1, 24)),
        "CONV_2D": ((1, 9, 7, 4), (6, 3, 2, 4), (1, 5, 7, 6)),
        "DEPTHWISE_CONV_2D": ((1, 9, 7, 3), (1, 3, 3, 6), (1, 5, 4, 6)),
    }
    given, weights, output = shapes[kind]
    outputs, axis = output[-1], 3 if kind.startswith("DEPTHWISE") else 0
    scale = 0.0071 if kind == "FULLY_CONNECTED" else tuple(draw.uniform(0.004, 0.01, outputs).tolist())
    products = 0.043 * np.asarray(scale)
    tensors = [
        T(shape=given, scale=0.043, zero_point=-7),
        T(shape=weights, array=draw.integers(-127, 128, weights, dtype=np.int8), scale=scale, axis=axis),
        T(shape=(outputs,), array=draw.integers(-900, 900, outputs, dtype=np.int32), scale=tuple(products.tolist())
          if products.ndim else float(products)),
        T(shape=output, scale=0.117, zero_point=5),
    ]  # fmt: skip
    window = {"padding": 0, "strideH": 2, "strideW": 1 if kind == "CONV_2D" else 2}
    window |= {"depthMultiplier": 2} if axis else {}
    names = {"FULLY_CONNECTED": "FullyConnectedOptions", "CONV_2D": "Conv2DOptions"}
    options = names.get(kind, "DepthwiseConv2DOptions")
    fields = {} if kind == "FULLY_CONNECTED" else window
    operator = Op(kind=kind, inputs=(0, 1, 2), outputs=(3,), options=options, fields=fields)
    path.write_bytes(write_tflite(tensors, [operator], [0], [3]))
    return path


@pytest.mark.parametrize("kind", ["FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"])
def test_the_devices_rule_is_two_roundings(tmp_path: Path, kind: str) -> None:
    """TensorFlow Lite Micro's bytes, of every row; so the sums, windows and scales are right as well."""
    if not reference.has_tflm():
        pytest.skip("no tflite-micro")
    path = written(tmp_path / "one.tflite", kind)
    model = read_tflite(path)
    rows = np.random.default_rng(7).integers(-128, 128, (20, model.input_bytes), dtype=np.int8)
    for row in rows:
        expected = np.frombuffer(reference.tensors_of(path, row, runtime="tflm")[0], np.int8)
        assert np.array_equal(bytes_by_rule(model, model.operators[0], row)["two roundings"], expected)


def test_desktops_rule_is_measured_where_it_differs(tmp_path: Path) -> None:
    """One scale for a whole FULLY_CONNECTED: the operator run alone tells one rounding from two."""
    if not reference.has_tflm():
        pytest.skip("no tflite-micro")
    path = written(tmp_path / "one.tflite", "FULLY_CONNECTED")
    model = read_tflite(path)
    inputs = np.random.default_rng(8).uniform(-5, 5, (60, 48)).astype(np.float32)
    dataset = SimpleNamespace(inputs=(inputs,), input_names=(model.input_tensors[0].name,))
    outputs = operator_outputs(dataset, model, path, Path("none"), None)  # type: ignore[arg-type]
    causes = []
    for beat in range(len(inputs)):
        (one,), (other,) = outputs("tflm", beat), outputs("tflite", beat)
        if not np.array_equal(one.values, other.values):
            causes.append(_measured(("tflm", "tflite"), one, other))
    assert causes, "one in some hundred sums is at a place where the rules part"
    for cause in causes:
        assert cause.startswith("measured: run alone on the same inputs, this operator gives tflm's bytes by two round")
        assert "tflite's bytes by one rounding" in cause


def test_an_operator_that_one_runtime_leaves_out_is_passed_over() -> None:
    def output(*values: int, rules: bool = True) -> OperatorOutput:
        alone = (lambda: {"one rounding": np.array([1], np.int8)}) if rules else None
        return OperatorOutput(description="d", kind="CONV_2D", values=np.array(values, np.int8), alone=alone)

    assert _first_difference([output(), output(1)], [output(7, 8), output(2)]) == 1
    assert _first_difference([output(), output(1)], [output(7, 8), output(1)]) is None
    assert "gives device's bytes by one rounding" in _measured(("device", "tflm"), output(1, rules=False), output(2))


def test_bytes_of_no_rule_are_said_to_be_of_none() -> None:
    rules = {"two roundings": np.array([1, 2], np.int8), "one rounding": np.array([1, 3], np.int8)}

    def output(*values: int) -> OperatorOutput:
        return OperatorOutput(description="d", kind="CONV_2D", values=np.array(values, np.int8), alone=lambda: rules)

    runtimes = ("tflm", "tflite")
    assert "by no known rule the bytes of tflite" in _measured(runtimes, output(1, 2), output(1, 4))
    assert "by no known rule the bytes of tflm and tflite" in _measured(runtimes, output(9, 9), output(1, 4))
    unknown = OperatorOutput(description="d", kind="SOFTMAX", values=np.zeros(2, np.int8), alone=dict)
    assert _measured(runtimes, unknown, unknown) == ""
    assert _cause(*runtimes, "SOFTMAX").startswith("known cause, not measured: ")

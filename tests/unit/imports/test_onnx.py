"""ONNX networks become Keras ones that answer alike; what does not is refused by name. Half a minute."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from leadwire.errors import BadInputError, FileMissingError, LeadwireError, ModelFileError, UnsupportedModelError
from leadwire.imports import import_model
from leadwire.imports.onnx_graph import read_onnx

pytestmark = pytest.mark.timeout(300)
RANDOM = np.random.default_rng(5)


def tensor(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(RANDOM.normal(0, 0.4, shape).astype(np.float32), name)


def positive(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(RANDOM.uniform(0.5, 1.5, shape).astype(np.float32), name)


def whole(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def model_of(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    shape: tuple[Any, ...] = (1, 3, 24),
    classes: int = 4,
) -> onnx.ModelProto:
    """A network from `x` to `y` [1, classes]."""
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (shape[0], 4))], constants,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="test")


def node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], name=f"{kind.lower()}_{output}", **attributes)


def batch_norm(before: str, after: str, channels: int) -> tuple[onnx.NodeProto, list[onnx.TensorProto]]:
    names = [f"{after}_{part}" for part in ("scale", "shift", "mean", "variance")]
    made = node("BatchNormalization", " ".join([before, *names]), after, epsilon=1e-3)
    return made, [positive(names[0], channels), tensor(names[1], channels), tensor(names[2], channels),
                  positive(names[3], channels)]  # fmt: skip


def residual() -> onnx.ModelProto:
    """What PyTorch exports of a residual network: strided, dilated, depthwise and grouped convolutions, pools."""
    norm, figures = batch_norm("c1", "n1", 8)
    flat, more = batch_norm("f", "fn", 8 * 6)
    nodes = [
        node("Conv", "x w1", "c1", kernel_shape=[5], pads=[2, 2], strides=[1]), norm, node("Relu", "n1", "r1"),
        node("Conv", "r1 w2 b2", "c2", kernel_shape=[3], pads=[2, 2], dilations=[2]),
        node("Add", "c2 r1", "a1"), node("LeakyRelu", "a1", "r2", alpha=0.2),
        node("Conv", "r2 w3 b3", "c3", kernel_shape=[3], pads=[0, 2], group=8), node("Clip", "c3 zero six", "r3"),
        node("Conv", "r3 w4 b4", "c4", kernel_shape=[1], group=2),
        node("MaxPool", "c4", "p1", kernel_shape=[2], strides=[2]),
        node("AveragePool", "p1", "p2", kernel_shape=[3], strides=[2], pads=[1, 1], count_include_pad=1),
        node("Flatten", "p2", "f"), flat, node("Gemm", "fn w5 b5", "d1", transB=1), node("Sigmoid", "d1", "s1"),
        node("GlobalAveragePool", "c4", "g1"), node("Squeeze", "g1 last", "g2"),
        node("Concat", "s1 g2", "j", axis=1), node("MatMul", "j w6", "m"), node("Softmax", "m", "y", axis=-1),
    ]  # fmt: skip
    constants = [
        tensor("w1", 8, 3, 5), *figures, tensor("w2", 8, 8, 3), tensor("b2", 8), tensor("w3", 8, 1, 3), tensor("b3", 8),
        tensor("w4", 8, 4, 1), tensor("b4", 8), *more, tensor("w5", 5, 48), tensor("b5", 5), tensor("w6", 13, 4),
        numpy_helper.from_array(np.float32(0), "zero"), numpy_helper.from_array(np.float32(6), "six"), whole("last", 2),
    ]  # fmt: skip
    return model_of(nodes, constants, ("n", 3, 24))


def picture() -> onnx.ModelProto:
    """2-D, with padding left to the framework, constants beside tensors, and a reshape by a computed shape."""
    nodes = [
        node("Conv", "x w1 b1", "c1", kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]),
        node("Mul", "c1 half", "h"), node("Add", "h each", "e"), node("Tanh", "e", "t"),
        node("ConvTranspose", "t w2 b2", "u", kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", "u x", "j", axis=1), node("ReduceMean", "j", "g", axes=[2, 3], keepdims=0),
        node("Concat", "minus rest", "shape", axis=0), node("Reshape", "g shape", "v"),
        node("Gemm", "v w3 b3", "d", alpha=0.5, beta=2.0), node("Dropout", "d", "y"),
    ]  # fmt: skip
    constants = [
        tensor("w1", 4, 2, 3, 3), tensor("b1", 4), tensor("w2", 4, 3, 2, 2), tensor("b2", 3), tensor("w3", 5, 4),
        tensor("b3", 4), numpy_helper.from_array(np.float32(0.5), "half"), tensor("each", 1, 4, 1, 1),
        whole("minus", -1), whole("rest", 5),
    ]  # fmt: skip
    return model_of(nodes, constants, (1, 2, 8, 6))


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("made", [residual, picture])
def test_it_answers_as_its_own_runtime(made: Any, tmp_path: Path) -> None:
    record = import_model(save(made(), tmp_path / "net.onnx"), tmp_path / "net.keras", samples=16)
    assert record.largest < 2e-5
    assert record.same_class == 1
    assert json.loads((tmp_path / "net.json").read_text())["model_digest"] == record.model_digest
    assert record.producer == "test"
    assert dict(record.versions).keys() >= {"onnx", "onnxruntime", "keras"}


def test_a_softmax_is_added_and_the_file_goes_on_to_firmware(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w1 b1", "c", kernel_shape=[5], strides=[2]), node("Relu", "c", "r"),
        node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f"), node("Gemm", "f w2 b2", "y"),
    ]  # fmt: skip
    constants = [tensor("w1", 6, 3, 5), tensor("b1", 6), tensor("w2", 6, 4), tensor("b2", 4)]
    source = save(model_of(nodes, constants), tmp_path / "net.onnx")
    code = [sys.executable, "-m", "leadwire", "import", str(source), "--out", str(tmp_path / "net.keras"), "--softmax"]
    done = subprocess.run(code, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "random inputs" in done.stdout
    from leadwire.datasets import Dataset
    from leadwire.quantize import CalibrationPolicy, quantize_model

    names = tuple("pqrs"[i % 4] for i in range(40))
    data = Dataset(
        name="noise", split="train", input_names=("x",), inputs=(RANDOM.normal(size=(40, 24, 3)).astype(np.float32),),
        labels=np.arange(40, dtype=np.int64) % 4, label_names=tuple("abcd"), patients=names, records=names,
        times_s=np.arange(40, dtype=np.float64), basis="synthetic", licence="ours",
    )  # fmt: skip
    found = quantize_model(tmp_path / "net.keras", data, CalibrationPolicy(count=20), tmp_path / "net.tflite")
    assert found.layer_errors[-1].kind == "SOFTMAX"


REFUSED: dict[str, tuple[list[onnx.NodeProto], list[onnx.TensorProto], str]] = {
    "operator": ([node("Sin", "x", "a"), node("Flatten", "a", "f"), node("Gemm", "f w", "y")], [tensor("w", 72, 4)],
                 r"node 'sin_a' \(Sin\) of 'net': is not an operator"),
    "reshape": ([node("Reshape", "x s", "a"), node("ReduceMean", "a", "f", axes=[2], keepdims=0),
                 node("Gemm", "f w", "y")], [whole("s", 1, 24, 3), tensor("w", 24, 4)], "reshapes to"),
    "pool": ([node("MaxPool", "x", "a", kernel_shape=[3], pads=[1, 1]), node("Flatten", "a", "f"),
              node("Gemm", "f w", "y")], [tensor("w", 72, 4)], "what does not count"),
    "groups": ([node("ConvTranspose", "x k", "a", kernel_shape=[2], group=3), node("Flatten", "a", "f"),
                node("Gemm", "f w", "y")], [tensor("k", 3, 1, 2), tensor("w", 75, 4)], "has groups"),
    "order": ([node("Flatten", "x", "f"), node("Softmax", "f", "j"), node("MatMul", "j n", "y")],
              [tensor("n", 72, 4)], "is over a flattened signal"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_keras_form_is_named(case: str, tmp_path: Path) -> None:
    nodes, constants, words = REFUSED[case]
    source = save(model_of(nodes, constants), tmp_path / "net.onnx")
    from leadwire.imports.keras_layers import build_keras

    with pytest.raises(UnsupportedModelError, match=words):
        build_keras(read_onnx(source))


def broken() -> dict[str, tuple[bytes, type[LeadwireError], str]]:
    good = residual().SerializeToString()
    outside = residual()
    outside.graph.initializer[0].data_location = TensorProto.EXTERNAL
    outside.graph.initializer[0].ClearField("raw_data")
    outside.graph.initializer[0].external_data.add(key="location", value="../../etc/passwd")
    nan = residual()
    nan.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((8, 3, 5), np.nan, np.float32), "w1"))
    old = residual()
    old.opset_import[0].version = 7
    opened = model_of([node("Flatten", "x", "f"), node("Gemm", "f w", "y")], [tensor("w", 72, 4)], (1, 3, "time"))
    cycle = residual()
    cycle.graph.node[0].input[0] = "r1"
    return {
        "empty": (b"", ModelFileError, "no sound ONNX file|no input"),
        "cut": (good[: len(good) // 2], ModelFileError, "no sound ONNX file"),
        "text": (b"not a model at all" * 50, ModelFileError, "no sound ONNX file"),
        "outside": (outside.SerializeToString(), UnsupportedModelError, "lie in another file"),
        "nan": (nan.SerializeToString(), ModelFileError, "'w1' hold NaN"),
        "old": (old.SerializeToString(), LeadwireError, "opset 7|no sound ONNX"),
        "open": (opened.SerializeToString(), UnsupportedModelError, "open shape"),
        "cycle": (cycle.SerializeToString(), ModelFileError, "no sound ONNX file"),
    }


@pytest.mark.parametrize("case", broken())
def test_a_broken_file(case: str, tmp_path: Path) -> None:
    data, kind, words = broken()[case]
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(kind, match=words):
        read_onnx(path)


def test_what_is_not_imported(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        import_model(tmp_path / "none.onnx", tmp_path / "net.keras")
    for name, words in (("net.pt", "a pickle, which runs code"), ("net.h5", "of no kind that is imported")):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(BadInputError, match=words):
            import_model(tmp_path / name, tmp_path / "net.keras")
    source = save(residual(), tmp_path / "net.onnx")
    with pytest.raises(BadInputError, match=r"is no \.keras file"):
        import_model(source, tmp_path / "net.h5")
    with pytest.raises(UnsupportedModelError, match="otherwise than its own runtime"):
        import_model(source, tmp_path / "net.keras", samples=2, tolerance=1e-12)
    assert not (tmp_path / "net.keras").exists()

"""The table of exponentials of a SOFTMAX: taken where it saves enough instructions for its bytes, shared, and no longer
than what counts."""

from __future__ import annotations

import math

import pytest

from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.ops.choice import choose_kernels
from leadwire.ops.softmax import exponentials
from leadwire.ops.tables import table_names
from single_operator import Op, T, write_tflite


def softmaxes(*rows_depth_scale: tuple[int, int, float]) -> Model:
    tensors, operators = [], []
    for rows, depth, scale in rows_depth_scale:
        tensors += [T(shape=(rows, depth), scale=scale), T(shape=(rows, depth), scale=1 / 256, zero_point=-128)]
        place = len(tensors) - 2
        operators.append(
            Op(kind="SOFTMAX", inputs=(place,), outputs=(place + 1,), options="SoftmaxOptions", fields={"beta": 1.0})
        )
    inputs, outputs = [op.inputs[0] for op in operators], [op.outputs[0] for op in operators]
    return parse_tflite(write_tflite(tensors, operators, inputs, outputs), "softmaxes")


def test_a_table_where_it_pays() -> None:
    model = softmaxes((1, 5, 0.1), (16, 16, 0.1), (16, 16, 0.001), (1, 5, 0.1))
    assert choose_kernels(model, ()) == ("portable", "table", "table", "portable")
    assert choose_kernels(model, (), spare_flash_bytes=560 + 1024 + 600) == ("table", "table", "table", "portable")
    assert choose_kernels(model, ["dsp"], spare_flash_bytes=1 << 30) == ("table",) * 4


def test_one_table_for_one_scale() -> None:
    model = softmaxes((16, 16, 0.1), (20, 20, 0.1), (16, 16, 0.09))
    emit = registry.spec("SOFTMAX").using("table").emit
    assert emit is not None
    names = table_names({op.index: emit(model, op) for op in model.operators})
    assert [names[index, "exponentials"] for index in range(3)] == [
        "op0_exponentials",
        "op0_exponentials",
        "op2_exponentials",
    ]


def test_a_table_holds_what_counts() -> None:
    """exp(-14) is less than half of the sum's unit of 2^-19; scale 0.001 needs every difference."""
    for scale, entries in ((0.001, 256), (0.1, 140), (1.0, 15), (20.0, 2)):
        model = softmaxes((16, 16, scale))
        (call,) = registry.spec("SOFTMAX").using("table").emit(model, model.operators[0])  # type: ignore[misc]
        values = call.constants[0].values
        assert len(values) == entries
        assert values[-1] == 2**31 - 1
        assert list(values) == sorted(values)
        assert (values[0] == 0) == (entries < 256)
        assert values[1] >> 11
        assert dict(call.params)["last"] == str(entries - 1)


def test_exponentials_are_near_exp() -> None:
    for difference, value in enumerate(reversed(exponentials(2**30, 24))):  # of eighths
        assert value / 2**31 == pytest.approx(math.exp(-difference / 8), abs=2e-6)

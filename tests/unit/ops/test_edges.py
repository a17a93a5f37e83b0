"""Float edges come off, and what is left gives the bytes of TensorFlow Lite Micro between them."""

from __future__ import annotations

import numpy as np
import pytest

from leadwire.errors import UnsupportedModelError
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.ops.edges import integer_interface
from single_operator import Op, T, compile_program, run_program, sample_rows, spread_plan, write_tflite

FLOAT = T(shape=(1, 6), dtype="float32")
BODY = T(shape=(1, 6), scale=0.25, zero_point=-5)
DONE = T(shape=(1, 6), scale=0.125, zero_point=7)
QUANTIZE = Op(kind="QUANTIZE", inputs=(0,), outputs=(1,), options="QuantizeOptions")
RELU = Op(kind="RELU", inputs=(1,), outputs=(2,))
DEQUANTIZE = Op(kind="DEQUANTIZE", inputs=(2,), outputs=(3,), options="DequantizeOptions")


def test_edges_come_off() -> None:
    data = write_tflite([FLOAT, BODY, DONE, FLOAT], [QUANTIZE, RELU, DEQUANTIZE], [0], [3])
    whole = parse_tflite(data, "edges")
    with pytest.raises(UnsupportedModelError, match="float tensors"):
        registry.check(whole)
    model = integer_interface(whole)
    registry.check(model)
    assert (model.inputs, model.outputs, [op.kind for op in model.operators]) == ((1,), (2,), ["RELU"])
    assert (model.digest, model.operators[0].index) == (whole.digest, 0)

    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    interpreter = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
    rows = sample_rows(model, 3)
    ours = run_program(compile_program(model, spread_plan(model)), model, rows)
    for row, answer in zip(rows, ours, strict=True):
        interpreter.set_input(((row.astype(np.float32) + 5) * np.float32(0.25)).reshape(1, 6), 0)
        interpreter.invoke()
        assert np.array_equal(interpreter.get_output(0).reshape(-1), (answer.astype(np.float32) - 7) * 0.125)


def test_int8_model_is_left_alone() -> None:
    model = parse_tflite(write_tflite([FLOAT, BODY, DONE], [RELU], [1], [2]), "int8")
    assert integer_interface(model) is model


def test_float_tensor_with_another_reader_stays() -> None:
    second = Op(kind="RELU", inputs=(0,), outputs=(3,))
    model = parse_tflite(write_tflite([FLOAT, BODY, DONE, FLOAT], [QUANTIZE, RELU, second], [0], [2, 3]), "two")
    assert integer_interface(model) is model
    with pytest.raises(UnsupportedModelError):
        registry.check(model)

"""Cases that every run must see: windows that overhang on all sides, odd channel counts, exact ties, far zero points.

Fixed weights that differ in every place, so that a tap or channel taken for another shows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.resources import FIRMWARE_TEMPLATES
from many_operators import fused_lstm
from single_operator import (
    Op,
    T,
    assert_same_as_tflm,
    compile_program,
    run_program,
    run_witness,
    sample_rows,
    spread_plan,
    write_tflite,
)
from sixteen_bit import long_sums

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")


def distinct(*shape: int) -> np.ndarray:
    """int8 values without a pattern that a shifted or swapped read would keep."""
    return np.random.default_rng(int(np.prod(shape))).integers(-127, 128, shape).astype(np.int8)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("dilation_y", "dilation_x"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_overhanging_windows(kind: str, dilation_y: int, dilation_x: int, stride: int) -> None:
    """SAME, 3 x 5 taps on 4 x 7 positions: no output column is free of padding at one end of the row or the other."""
    depthwise = kind == "DEPTHWISE_CONV_2D"
    channels, outputs = (6, 6) if depthwise else (5, 3)
    shape = (1, 3, 5, channels) if depthwise else (outputs, 3, 5, channels)
    scales = tuple(0.003 * (1 + i) for i in range(outputs))
    tensors = [
        T(shape=(1, 4, 7, channels), scale=0.05, zero_point=-100),
        T(shape=shape, array=distinct(*shape), scale=scales, axis=3 if depthwise else 0),
        T(shape=(1, -(-4 // stride), -(-7 // stride), outputs), scale=1.5, zero_point=11),
        T(shape=(outputs,), array=np.arange(outputs, dtype=np.int32) * 777 - 1000, scale=scales),
    ]
    fields = {
        "padding": 0, "strideH": stride, "strideW": stride, "dilationHFactor": dilation_y,
        "dilationWFactor": dilation_x, **({"depthMultiplier": 1} if depthwise else {}),
    }  # fmt: skip
    options = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
    op = Op(kind=kind, inputs=(0, 1, 3), outputs=(2,), options=options, fields=fields)
    assert_same_as_tflm(write_tflite(tensors, [op], [0], [2]))


@pytest.mark.parametrize("factor", [0.5, 0.25, 2**-5])
def test_ties_round_as_twice_rounded(factor: float) -> None:
    """Factors that are powers of two make many exact halves, of both signs."""
    depth, outputs = 4, 9
    tensors = [
        T(shape=(1, depth), scale=0.5, zero_point=0),
        T(shape=(outputs, depth), array=distinct(outputs, depth) // 32, scale=(0.5,) * outputs),
        T(shape=(1, outputs), scale=0.25 / factor, zero_point=0),
    ]
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    assert_same_as_tflm(write_tflite(tensors, [op], [0], [2]))


def test_all_channels_dead_but_one() -> None:
    """A channel of zeros with a scale that the multiplier cannot hold gives the zero point, as in TFLM."""
    tensors = [
        T(shape=(1, 1, 4, 2), scale=0.5, zero_point=5),
        T(
            shape=(2, 1, 1, 2),
            array=np.array([[[[0, 0]]], [[[3, -4]]]], np.int8),
            scale=(2.0**-40, 0.5),
        ),
        T(shape=(1, 1, 4, 2), scale=0.5, zero_point=-9),
        T(shape=(2,), array=np.array([12345, 6], np.int32), scale=(2.0**-41, 0.25)),
    ]
    fields = {"padding": 1, "strideH": 1, "strideW": 1}
    op = Op(kind="CONV_2D", inputs=(0, 1, 3), outputs=(2,), options="Conv2DOptions", fields=fields)
    assert_same_as_tflm(write_tflite(tensors, [op], [0], [2]))


@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_pool_of_negative_values_at_every_edge(kind: str) -> None:
    tensors = [
        T(shape=(1, 5, 5, 7), scale=0.5, zero_point=-128),
        T(shape=(1, 3, 3, 7), scale=0.5, zero_point=-128),
    ]
    fields = {"padding": 0, "strideH": 2, "strideW": 2, "filterHeight": 4, "filterWidth": 4}
    op = Op(kind=kind, inputs=(0,), outputs=(1,), options="Pool2DOptions", fields=fields)
    assert_same_as_tflm(write_tflite(tensors, [op], [0], [1]))


@pytest.mark.parametrize("scale", [2**-9, 0.02, 0.1, 0.5, 4.0])
def test_softmax_over_its_whole_range(scale: float) -> None:
    """Thousands of rows: a reciprocal that is one step of Newton's method short shows in few of them."""
    tensors = [T(shape=(600, 5), scale=scale, zero_point=30), T(shape=(600, 5), scale=1 / 256, zero_point=-128)]
    op = Op(kind="SOFTMAX", inputs=(0,), outputs=(1,), options="SoftmaxOptions", fields={"beta": 1.0})
    assert_same_as_tflm(write_tflite(tensors, [op], [0], [1]))


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 7])
def test_fully_connected_remainders(depth: int) -> None:
    """Depths and output counts that leave every remainder of the blocks of four; two rows."""
    outputs = 5 + depth % 3
    tensors = [
        T(shape=(2, depth), scale=0.1, zero_point=-17),
        T(shape=(outputs, depth), array=distinct(outputs, depth), scale=0.02),
        T(shape=(2, outputs), scale=0.1 * 0.02 * 127, zero_point=0),
    ]
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    assert_same_as_tflm(write_tflite(tensors, [op], [0], [2]))


def test_a_fused_lstm_starts_anew_with_every_inference() -> None:
    """The file that tf_keras's LSTM of 6 units over 10 steps became. The generated C runs all rows in one process; the
    interpreter is reset before each, and answers otherwise where it is not."""
    data = (Path(__file__).resolve().parents[1] / "vectors" / "lstm" / "fused.tflite").read_bytes()
    model = assert_same_as_tflm(data)
    assert model.has_state
    data = fused_lstm(7)
    model = assert_same_as_tflm(data)
    rows = np.repeat(sample_rows(model, 1, count=1)[:1], 2, axis=0)
    apart = run_witness(data, model, rows)
    kept = run_witness(data, replace(model, tensors=tuple(replace(t, variable=False) for t in model.tensors)), rows)
    assert (apart[0] == apart[1]).all()
    assert (kept[0] != kept[1]).any()


def test_sums_beyond_32_bits() -> None:
    """1100 products of int16 and 127 and a bias of 40 bits: more than an int32 holds, at both ends of the range."""
    assert_same_as_tflm(long_sums())


def test_every_value_of_int16() -> None:
    """LOGISTIC and TANH, at scales with exact factors and without."""
    every = 1 << 16
    tensors, operators, inputs, outputs = [], [], [], []
    for kind, exponent in (("LOGISTIC", -12), ("TANH", -12), ("TANH", -11), ("LOGISTIC", -13.3), ("TANH", -17.7)):
        given = T(shape=(every,), scale=float(np.float32(2.0**exponent)), dtype="int16")
        tensors += [given, T(shape=(every,), scale=2.0**-15, dtype="int16")]
        operators.append(Op(kind=kind, inputs=(len(tensors) - 2,), outputs=(len(tensors) - 1,)))
    for op in operators:
        inputs.append(op.inputs[0])
        outputs.append(op.outputs[0])
    data = write_tflite(tensors, operators, inputs, outputs)
    model = parse_tflite(data, "every")
    registry.check(model)
    values = np.arange(-(2**15), 2**15).astype("<i2")
    row = np.concatenate([values.view(np.int8)] * len(operators))[None]
    program = compile_program(model, spread_plan(model))
    assert (run_program(program, model, row) == run_witness(data, model, row, arena_bytes=1 << 23)).all()


def test_softmax_of_every_difference() -> None:
    """Pairs: the largest int16 beside every value, so that the difference takes each of 65,536 values."""
    every, scale = 1 << 12, 0.0003
    tensors = [T(shape=(every, 2), scale=scale, dtype="int16"), T(shape=(every, 2), scale=2.0**-15, dtype="int16")]
    op = Op(kind="SOFTMAX", inputs=(0,), outputs=(1,), options="SoftmaxOptions", fields={"beta": 1.0})
    data = write_tflite(tensors, [op], [0], [1])
    model = parse_tflite(data, "pairs")
    registry.check(model)
    values = np.arange(-(2**15), 2**15).astype("<i2")
    rows = np.stack([values, np.full_like(values, 2**15 - 1)], axis=1).reshape(16, -1).view(np.int8)
    ours = run_program(compile_program(model, spread_plan(model)), model, rows)
    assert (ours == run_witness(data, model, rows)).all()


def test_tables_follow_their_formulas() -> None:
    """Entries stand off their function by half of what the line between two is off in the middle."""

    def table(file: str, name: str) -> list[int]:
        text = (FIRMWARE_TEMPLATES / "runtime" / "kernels" / file).read_text()
        body = text.partition(f" {name}[")[2].partition("{")[2].partition("}")[0]
        return [int(number) for number in re.findall(r"\d+", body)]

    def lined(of: Callable[[float], float], count: int, last: int) -> list[int]:
        middles = [(of(i) + of(i + 1)) / 2 - of(i + 0.5) for i in range(count)]
        return [math.floor(of(i) - middle / 2 + 0.5) for i, middle in enumerate(middles)] + [last]

    sigmoid = lined(lambda i: 2**16 / (1 + math.exp(-i / 24)), 255, 65535)
    assert table("sigmoid_s16.c", "table") == sigmoid
    exponentials = lined(lambda i: 2**15 * math.exp(10 * (i - 512) / 512), 512, 32767)
    reciprocals = lined(lambda i: 2**15 / (1 + i / 512), 512, 16384)
    for name, wanted in (("exponentials", exponentials), ("reciprocals", reciprocals)):
        found = table("softmax_s16.c", name)
        assert len(found) == 513
        assert max(abs(one - other) for one, other in zip(found, wanted, strict=True)) <= 1  # made in float32

"""Cases that every run must see: windows that overhang on all sides, odd channel counts, exact ties, far zero points.

Fixed weights that differ in every place, so that a tap or channel taken for another shows.
"""

from __future__ import annotations

import numpy as np
import pytest

from single_operator import Op, T, assert_same_as_tflm, write_tflite

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

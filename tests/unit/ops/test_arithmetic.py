"""Multipliers, activation ranges, windows and broadcasts against independent definitions."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadwire.model.tensor import Quantization, Tensor, TensorType
from leadwire.ops.arithmetic import activation_range, c_int32, quantize_multiplier
from leadwire.ops.broadcast import broadcast
from leadwire.ops.geometry import Axis

checked = settings(max_examples=200, deadline=None, derandomize=True)


@checked
@given(st.floats(2.0**-31, 2.0**30))
def test_multiplier_is_the_nearest(real: float) -> None:
    m, shift = quantize_multiplier(real)
    assert 2**30 <= m < 2**31
    assert abs(Fraction(m) * Fraction(2) ** (shift - 31) - Fraction(real)) <= Fraction(2) ** (shift - 32)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (2**30, 1)),
        (0.5, (2**30, 0)),
        (math.nextafter(1.0, 0.0), (2**30, 1)),
        (2.0**-32, (2**30, -31)),
        (2.0**-33, (0, 0)),
    ],
)
def test_multiplier_corners(real: float, expected: tuple[int, int]) -> None:
    assert quantize_multiplier(real) == expected


def tensor(scale: float, zero_point: int) -> Tensor:
    quantization = Quantization(scales=(scale,), zero_points=(zero_point,))
    return Tensor(index=0, name="t", shape=(1,), dtype=TensorType.INT8, quantization=quantization)


@checked
@given(st.sampled_from([0.1, 0.05, 1 / 3, 6 / 255]), st.integers(-128, 127))
def test_activation_range_is_the_quantized_interval(scale: float, zero: int) -> None:
    """Half away from zero of the float32 quotient, held in int8."""
    output = tensor(float(np.float32(scale)), zero)

    def q(real: float) -> int:
        quotient = Decimal(float(np.float32(real) / np.float32(scale)))
        return int(quotient.quantize(Decimal(1), rounding=ROUND_HALF_UP)) + zero

    assert activation_range("NONE", output) == (-128, 127)
    assert activation_range("RELU", output) == (max(-128, zero), 127)
    assert activation_range("RELU6", output) == (max(-128, zero), min(127, q(6.0)))
    assert activation_range("RELU_N1_TO_1", output) == (max(-128, q(-1.0)), min(127, q(1.0)))


@checked
@given(st.integers(1, 30), st.integers(1, 7), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_window_axis(size: int, taps: int, stride: int, dilation: int, same: bool) -> None:
    """Every output position listed: SAME has ceil(size / stride) of them, VALID those that overhang nowhere."""
    axis = Axis(size=size, filter=taps, stride=stride, dilation=dilation, same=same)
    span = (taps - 1) * dilation + 1
    if not same:
        assert axis.before == 0
        assert max(0, axis.output) == len([start for start in range(0, size, stride) if start + span <= size])
        return
    assert axis.output == math.ceil(size / stride)
    total = max(0, (axis.output - 1) * stride + span - size)
    assert axis.before == total // 2
    inside = [
        position
        for position in range(axis.output)
        if all(0 <= position * stride - axis.before + tap * dilation < size for tap in range(taps))
    ]
    assert list(range(*axis.inner)) == inside


@checked
@given(st.data())
def test_broadcast_as_numpy(data: st.DataObject) -> None:
    """The loops walk both inputs as numpy.broadcast_to does."""
    rank = data.draw(st.integers(1, 4))
    output = tuple(data.draw(st.integers(1, 4)) for _ in range(rank))
    a, b = (tuple(data.draw(st.sampled_from([1, size])) for size in output) for _ in range(2))
    joined = tuple(max(x, y) for x, y in zip(a, b, strict=True))
    found = broadcast(a, b, joined)
    assert found is not None
    for shape, strides in ((a, found.stride_a), (b, found.stride_b)):
        given_ = np.arange(math.prod(shape)).reshape(shape)
        walked = [
            sum(i * stride for i, stride in zip(index, strides, strict=True)) for index in np.ndindex(*found.size)
        ]
        assert walked == np.broadcast_to(given_, joined).reshape(-1).tolist()


@pytest.mark.parametrize(
    ("a", "b", "output"), [((2,), (3,), (3,)), ((2, 3), (2, 3), (2, 4)), ((2,), (2,), (2, 2)), ((3,), (3,), ())]
)
def test_broadcast_refuses(a: tuple[int, ...], b: tuple[int, ...], output: tuple[int, ...]) -> None:
    assert broadcast(a, b, output) is None


def test_c_literals() -> None:
    assert (c_int32(-(2**31)), c_int32(5), c_int32(-5)) == ("INT32_MIN", "5", "-5")

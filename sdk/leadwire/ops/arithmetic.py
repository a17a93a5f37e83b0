"""The arithmetic of TensorFlow Lite Micro that is fixed at generation time: multipliers, rescales, activation ranges.

Source: TFLite's 8-bit quantization specification, and the behaviour of TensorFlow Lite Micro (double rounding), which
the tests compare with bit for bit. Scales are float32 values; a product of scales is formed in double precision unless
a function says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from leadwire.model.tensor import Tensor

from .fixed_point import divide_by_power, multiply_high

INT8_MIN, INT8_MAX = -128, 127
INT32_MAX = 2**31 - 1
_FUSED = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
FUSED_ACTIVATIONS = tuple(_FUSED)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """`real` as (m, shift): real = m / 2^31 * 2^shift with m in [2^30, 2^31), or (0, 0) below 2^-32.

    `real` must be finite and not negative.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    m = math.floor(fraction * 2**31 + 0.5)
    if m == 2**31:
        m, shift = m // 2, shift + 1
    return (0, 0) if shift < -31 else (m, shift)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescale:
    """The fields of C's lw_rescale: factor = m / 2^31 * 2^(left - right)."""

    m: int
    left: int
    right: int

    @property
    def values(self) -> tuple[int, int, int]:
        """In the order of the C struct, whose multiplier is 2 m - 2^32."""
        return 2 * self.m - 2**32, self.left, self.right

    @property
    def initializer(self) -> str:
        multiplier, left, right = self.values
        return f"{{{c_int32(multiplier)}, {left}, {right}}}"

    def of(self, x: int) -> int:
        """C's lw_rescale_s32."""
        return divide_by_power(multiply_high(x << self.left, self.m), self.right)


def rescale(real: float, largest: int) -> Rescale | None:
    """The rescale by `real` of accumulators of magnitude up to `largest`; None where 32 bits cannot hold it.

    Factors below 2^-31 give 0 for every accumulator that passes, as they do in TensorFlow Lite Micro.
    """
    if not math.isfinite(real):
        return None
    m, shift = quantize_multiplier(real)
    if m == 0 or shift < -30:
        # |x| / 2 rounded, then divided by 2^30: 0 for every |x| < 2^30 - 1
        return Rescale(m=2**30, left=0, right=30) if largest < 2**30 - 1 else None
    left, right = max(shift, 0), max(-shift, 0)
    if left > 30 or (largest << left) + (1 << right >> 1) > INT32_MAX:
        return None
    return Rescale(m=m, left=left, right=right)


def scale_of(tensor: Tensor) -> float:
    """The one scale of a per-tensor quantized tensor."""
    if tensor.quantization is None:
        raise ValueError(f"tensor {tensor.index} '{tensor.name}' is not quantized")
    return tensor.quantization.scale


def zero_point_of(tensor: Tensor) -> int:
    """The one zero point of a per-tensor quantized tensor."""
    if tensor.quantization is None:
        raise ValueError(f"tensor {tensor.index} '{tensor.name}' is not quantized")
    return tensor.quantization.zero_point


def quantized(real: float, output: Tensor) -> int:
    """`real` in the output's int8 units, not clamped: float32 division, halves away from 0."""
    quotient = np.float32(real) / np.float32(scale_of(output))
    return zero_point_of(output) + int(math.copysign(math.floor(abs(float(quotient)) + 0.5), float(quotient)))


def activation_range(activation: str, output: Tensor) -> tuple[int, int]:
    """Lowest and highest int8 value that a fused activation leaves."""
    low, high = _FUSED[activation]
    return (
        INT8_MIN if low is None else max(INT8_MIN, quantized(low, output)),
        INT8_MAX if high is None else min(INT8_MAX, quantized(high, output)),
    )


def c_int32(value: int) -> str:
    """A C expression for any 32-bit value; -2^31 has no literal of its own."""
    return "INT32_MIN" if value == -(2**31) else str(value)

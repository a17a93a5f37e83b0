"""The arithmetic of TensorFlow Lite Micro that is fixed at generation time: multipliers, rescales, activation ranges.

Source: TFLite's 8-bit quantization specification, and the behaviour of TensorFlow Lite Micro (double rounding), which
the tests compare with bit for bit. Scales are float32 values; a product of scales is formed in double precision unless
a function says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from leadwire.model.tensor import Tensor, TensorType

from .fixed_point import divide_by_power, multiply_high

INT8_MIN, INT8_MAX = -128, 127
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WideRescale:
    """The fields of C's lw_wide_rescale: factor = multiplier / 2^shift."""

    multiplier: int
    shift: int

    @property
    def values(self) -> tuple[int, int]:
        return self.multiplier, self.shift

    @property
    def initializer(self) -> str:
        return f"{{{self.multiplier}, {self.shift}}}"

    def of(self, x: int) -> int:
        """C's lw_rescale_s64."""
        return (x * self.multiplier + (1 << self.shift >> 1)) >> self.shift


def wide_rescale(real: float, largest: int) -> WideRescale | None:
    """The rescale by `real` of 64-bit accumulators of magnitude up to `largest`; None where it would leave the range in
    which TensorFlow Lite Micro's is defined: accumulators below 2^47, factors below 128, results of 32 bits.

    The multiplier has 15 bits: TensorFlow Lite Micro rounds its own of 31 bits once more.
    """
    if not math.isfinite(real) or largest >= 2**47:
        return None
    m, shift = quantize_multiplier(real)
    if shift > 7:
        return None
    found = WideRescale(multiplier=min((m + (1 << 15)) >> 16, INT16_MAX), shift=15 - shift)
    return found if max(found.of(largest), -found.of(-largest)) <= INT32_MAX else None


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
    """`real` in the output's integer units, not clamped: float32 division, halves away from 0."""
    quotient = np.float32(real) / np.float32(scale_of(output))
    return zero_point_of(output) + int(math.copysign(math.floor(abs(float(quotient)) + 0.5), float(quotient)))


def activation_range(activation: str, output: Tensor) -> tuple[int, int]:
    """Lowest and highest value of the output's type that a fused activation leaves."""
    low, high = _FUSED[activation]
    lowest, highest = limits_of(output)
    return (
        lowest if low is None else max(lowest, quantized(low, output)),
        highest if high is None else min(highest, quantized(high, output)),
    )


def limits_of(tensor: Tensor) -> tuple[int, int]:
    """Lowest and highest value of an int8 or int16 tensor."""
    return (INT16_MIN, INT16_MAX) if is_wide(tensor) else (INT8_MIN, INT8_MAX)


def span_of(tensor: Tensor) -> int:
    """The largest magnitude of a value without its zero point."""
    return -INT16_MIN if is_wide(tensor) else INT8_MAX - INT8_MIN


def is_wide(tensor: Tensor) -> bool:
    """Whether a tensor is int16."""
    return tensor.dtype is TensorType.INT16


def letters_of(tensor: Tensor) -> str:
    """How kernels are named after a tensor's type: 's8' or 's16'."""
    return "s16" if is_wide(tensor) else "s8"


def c_int32(value: int) -> str:
    """A C expression for any 32-bit value; -2^31 has no literal of its own."""
    return "INT32_MIN" if value == -(2**31) else str(value)


def c_int64(value: int) -> str:
    """A C expression for any 64-bit value but -2^63."""
    return f"INT64_C({value})"

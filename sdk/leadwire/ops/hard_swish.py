"""HARD_SWISH: x * clamp(x + 3, 0, 6) / 6 in 16-bit fixed point.

Source: TFLite's reference kernel for 8-bit tensors: x with 7 more bits, its clamped half in units of 3 / 2^15 as a
saturating product, and the product of both, which is truncated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from leadwire.model.graph import Model, Operator

from .arithmetic import quantize_multiplier, scale_of, zero_point_of
from .fixed_point import divide_by_power, multiply_high, saturated
from .lookup import clamp, lookup
from .spec import Rule


def _int16_multiplier(real: float) -> tuple[int, int]:
    """`real` as (m, shift): m / 2^15 * 2^shift, m at most 2^15 - 1."""
    m, shift = quantize_multiplier(real)
    return min((m + (1 << 15)) >> 16, 2**15 - 1), shift


def _multipliers(model: Model, operator: Operator) -> tuple[tuple[int, int], tuple[int, int]]:
    """To the output's scale and to units of 3 / 2^15, from the input's scale / 2^7.

    The quotients are double, as TensorFlow Lite Micro forms them: in single precision a factor can round to the other
    side of a half.
    """
    fine = scale_of(model.required(operator, 0)) / 128
    return _int16_multiplier(fine / scale_of(model.output(operator))), _int16_multiplier(fine / (3 / 32768))


def _fits(model: Model, operator: Operator) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        ratio = np.float32(scale_of(model.required(operator, 0))) / np.float32(scale_of(model.output(operator)))
    if not (2.0**-8 <= float(ratio) < 128 and 2.0**-20 <= scale_of(model.required(operator, 0)) < 128):
        return False
    (_, output), (_, gate) = _multipliers(model, operator)
    return -15 <= output <= 0 and -15 <= gate <= 15


def _value(model: Model, operator: Operator) -> Callable[[int], int]:
    (to_output, output_shift), (to_gate, gate_shift) = _multipliers(model, operator)
    zero = zero_point_of(model.output(operator))

    def of(x: int) -> int:
        fine = x << 7
        gate = saturated(fine << max(gate_shift - 1, 0), 16)
        gate = multiply_high(gate, to_gate, 15)
        gate = saturated(gate << 1, 16) if gate_shift > 0 else divide_by_power(gate, -gate_shift)
        gate = (gate + (1 << 15)) >> 1
        product = gate * multiply_high(fine, to_output, 15)
        product = product >> 15 if product >= 0 else -(-product >> 15)
        return clamp(divide_by_power(product, -output_shift) + zero)

    return of


SPEC = lookup(
    "HARD_SWISH",
    Rule(
        text="the input scale lies in 2^-20 to 128, and is at least 2^-8 and less than 128 output scales",
        holds=_fits,
        remedy="calibrate with data of the true range",
    ),
    value=_value,
)

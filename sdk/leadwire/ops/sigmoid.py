"""LOGISTIC and TANH of int16 tensors: the input in units of 1/12288, then a table of the sigmoid with steps of 1/24.

Source: TFLite's reference kernels for 16-bit tensors. Scales of 2^-12 (and 2^-11 in TANH) take the exact factor 3 (6);
any other a factor of 15 bits, cut off.
"""

from __future__ import annotations

import math

from leadwire.model.graph import Model, Operator

from .arithmetic import INT16_MAX, is_wide, scale_of
from .lookup import in_range
from .spec import KernelCall, Rule

_UNITS = 3 * 4096
_MOST = 28
"""Bits to shift right so that no sum of the rounding leaves 32 bits."""


def _factor(scale: float, doublings: int) -> tuple[int, int] | None:
    """(multiplier, shift): scale * 12288 = multiplier / 2^shift; None where the kernel cannot do it."""
    power = math.log2(scale)
    if round(power) in range(-12, -12 + doublings + 1) and abs(power - round(power)) < 1e-3:
        return 3 << (round(power) + 12), 0
    real, shift = scale * _UNITS, 0
    while real <= INT16_MAX / 2 and shift <= _MOST:
        real, shift = 2 * real, shift + 1
    return (int(real), shift) if shift <= _MOST and real < INT16_MAX + 1 else None


def input_scale(doublings: int) -> Rule:
    """`doublings`: how many powers of two from 2^-12 on have an exact factor."""

    def holds(model: Model, op: Operator) -> bool:
        if is_wide(model.required(op, 0)):
            return _factor(scale_of(model.required(op, 0)), doublings) is not None
        return in_range(model, op)

    return Rule(
        text="the input scale is at least 2^-28 and less than 16, of int16 tensors at least 2^-27 and at most 2.66",
        holds=holds,
        remedy="calibrate with data of the true range",
    )


_LOGISTIC = {"bits": 9, "most": 0x7FFF << 10, "middle": 1 << 24, "offset": (1 << 24) + (1 << 9), "down": 10}
_TANH = {"bits": 8, "most": 0xFFFF << 8, "middle": 1 << 23, "offset": 1 << 7, "down": 8}


def logistic(model: Model, operator: Operator) -> KernelCall:
    return _call(model, operator, 0, _LOGISTIC)


def tanh(model: Model, operator: Operator) -> KernelCall:
    return _call(model, operator, 1, _TANH)


def initializer(count: int, multiplier: int, right: int, *, is_tanh: bool) -> str:
    """C's lw_sigmoid_params of a kernel that calls this one."""
    fields = {"count": count, "multiplier": multiplier, "right": right} | (_TANH if is_tanh else _LOGISTIC)
    return "{" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "}"


def _call(model: Model, operator: Operator, doublings: int, constants: dict[str, int]) -> KernelCall:
    factor = _factor(scale_of(model.required(operator, 0)), doublings)
    assert factor is not None
    given = {"count": model.output(operator).elements, "multiplier": factor[0], "right": factor[1]}
    return KernelCall(
        function="lw_sigmoid_s16",
        source="sigmoid_s16.c",
        params_type="lw_sigmoid_params",
        params=tuple((name, str(value)) for name, value in (given | constants).items()),
        arguments=("in0", "out0"),
    )

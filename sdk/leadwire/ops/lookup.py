"""Operators whose output is a function of one value: of a byte by a table made at generation, of int16 by a kernel."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from leadwire.model.graph import Model, Operator

from .arithmetic import INT8_MAX, INT8_MIN, is_wide, scale_of, zero_point_of
from .fixed_point import divide_by_power, multiply_high
from .rules import SAME_SIZE, activations, computed, inputs, int8_activations
from .spec import Constant, KernelCall, OperatorSpec, Rule

_INTEGER_BITS = 4


def clamp(value: int) -> int:
    return max(INT8_MIN, min(INT8_MAX, value))


def lookup(
    kind: str,
    *rules: Rule,
    value: Callable[[Model, Operator], Callable[[int], int]],
    wide: Callable[[Model, Operator], KernelCall] | None = None,
) -> OperatorSpec:
    """`value(model, operator)` gives the function of a byte, without zero points: input - its zero point to output.
    `wide` gives the kernel of int16 tensors, None where there is none."""

    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        if wide is not None and is_wide(model.output(operator)):
            return (wide(model, operator),)
        zero, function = zero_point_of(model.required(operator, 0)), value(model, operator)
        return (
            KernelCall(
                function="lw_lookup_s8",
                source="lookup_s8.c",
                params_type="lw_lookup_params",
                params=(("count", str(model.output(operator).elements)),),
                arguments=("in0", "const:table", "out0"),
                constants=(
                    Constant(
                        suffix="table",
                        ctype="int8_t",
                        values=tuple(function(byte - zero) for byte in (*range(128), *range(-128, 0))),
                        comment="outputs for inputs 0 to 127, then for -128 to -1",
                    ),
                ),
            ),
        )

    return OperatorSpec(
        kind=kind,
        rules=(inputs(1), int8_activations(0) if wide is None else activations(0), computed(0), SAME_SIZE, *rules),
        emit=emit,
        in_place=lambda model, op: (0,),
    )


def _shift(model: Model, operator: Operator) -> int:
    """s with input scale = fraction * 2^(s - 27), fraction in [1/2, 1)."""
    return math.frexp(scale_of(model.required(operator, 0)))[1] + 31 - _INTEGER_BITS


def in_range(model: Model, operator: Operator) -> bool:
    """Whether a byte's input scale is one that `saturating` takes."""
    return 0 <= _shift(model, operator) <= 31


def fixed_output(scale: float, zero_point: int, text: str) -> Rule:
    """What `saturating` gives; int16 outputs stand for value / 2^15."""

    def holds(model: Model, op: Operator) -> bool:
        wanted = (2.0**-15, 0) if is_wide(model.output(op)) else (scale, zero_point)
        return (scale_of(model.output(op)), zero_point_of(model.output(op))) == wanted

    return Rule(
        text=f"the output has scale {text} and zero point {zero_point}, 1/32768 and 0 where it is int16",
        holds=holds,
        remedy="convert the model again: the TensorFlow converter sets these",
    )


def saturating(
    function: Callable[[int], int], output_bits: int, output_zero: int
) -> Callable[[Model, Operator], Callable[[int], int]]:
    """A function of Q4.27 in Q0.31 as output of `output_bits` fraction bits; inputs of 15 or more go to the ends."""

    def value(model: Model, operator: Operator) -> Callable[[int], int]:
        shift = _shift(model, operator)
        multiplier = math.floor(math.frexp(scale_of(model.required(operator, 0)))[0] * 2**31 + 0.5)
        radius = (((1 << _INTEGER_BITS) - 1) << (31 - _INTEGER_BITS)) >> shift

        @lru_cache(maxsize=512)
        def of(x: int) -> int:
            if x <= -radius:
                return INT8_MIN
            if x >= radius:
                return INT8_MAX
            result = function(multiply_high(x << shift, multiplier))
            return clamp(divide_by_power(result, 31 - output_bits) + output_zero)

        return of

    return value

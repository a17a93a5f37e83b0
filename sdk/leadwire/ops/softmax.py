"""SOFTMAX over the last dimension, in fixed point; the output has scale 1/256 and zero point -128, 1/32768 and 0 where
it is int16."""

from __future__ import annotations

import math
from functools import lru_cache

from leadwire.model.graph import Model, Operator

from .arithmetic import Rescale, is_wide, quantize_multiplier, rescale, scale_of, zero_point_of
from .fixed_point import divide_by_power, exp, multiply_high
from .rules import activations, computed, inputs
from .spec import Constant, KernelCall, OperatorSpec, Rule, Variant

_INTEGER_BITS = 5
_FRACTION = 1 << (31 - _INTEGER_BITS)
_SAVED = 285
"""Instructions that reading its exponential, rather than computing it twice, saves for a value."""
_WORTH = 32
"""Instructions for each byte of the table: those of 16 tokens beside each other save 70, of a classifier of 5 a few."""


def _factor(model: Model, operator: Operator) -> float:
    """beta * input scale in units of 2^-26, capped as in TensorFlow Lite Micro."""
    beta = operator.option("beta", 1.0)
    if not isinstance(beta, int | float) or not math.isfinite(beta):
        return 0.0
    return min(beta * scale_of(model.required(operator, 0)) * _FRACTION, 2.0**31 - 1.0)


def _output_is_probability(model: Model, operator: Operator) -> bool:
    wanted = (2.0**-15, 0) if is_wide(model.output(operator)) else (1 / 256, -128)
    return (scale_of(model.output(operator)), zero_point_of(model.output(operator))) == wanted


def _wide_rescale(model: Model, operator: Operator) -> Rescale | None:
    """Differences of int16 inputs to units of 10 / 65535."""
    beta = operator.option("beta", 1.0)
    if not isinstance(beta, int | float) or not beta > 0:
        return None
    return rescale(scale_of(model.required(operator, 0)) * beta / (10.0 / 65535.0), 65535)


def _factor_fits(model: Model, operator: Operator) -> bool:
    if is_wide(model.output(operator)):
        return _wide_rescale(model, operator) is not None
    return _factor(model, operator) > 1.0


def _emit_wide(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    data, scale = model.required(operator, 0), _wide_rescale(model, operator)
    assert scale is not None
    return (
        KernelCall(
            function="lw_softmax_s16",
            source="softmax_s16.c",
            params_type="lw_softmax_s16_params",
            params=(
                ("rows", str(data.elements // data.shape[-1])),
                ("depth", str(data.shape[-1])),
                ("rescale", scale.initializer),
            ),
            arguments=("in0", "out0"),
        ),
    )


def _largest(left: int) -> int:
    """The largest difference that counts."""
    return ((1 << _INTEGER_BITS) - 1) * _FRACTION >> left


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    if is_wide(model.output(operator)):
        return _emit_wide(model, operator)
    data = model.required(operator, 0)
    multiplier, left = quantize_multiplier(_factor(model, operator))
    return (
        KernelCall(
            function="lw_softmax_s8",
            source="softmax_s8.c",
            params_type="lw_softmax_params",
            params=(
                ("rows", str(data.elements // data.shape[-1])),
                ("depth", str(data.shape[-1])),
                ("multiplier", str(multiplier)),
                ("left", str(left)),
                ("diff_min", str(-_largest(left))),
            ),
            arguments=("in0", "out0"),
            header="softmax.h",
        ),
    )


@lru_cache(maxsize=64)
def exponentials(multiplier: int, left: int) -> tuple[int, ...]:
    """exp of the differences up to 0 in Q0.31, as the kernel without a table computes them; a 0 before them stands for
    all that neither the sum in Q12.19 nor an output of 8 bits sees."""
    found: list[int] = []
    for difference in range(min(255, _largest(left)) + 1):
        value = exp(multiply_high(-difference << left, multiplier), _INTEGER_BITS)
        if not divide_by_power(value, 12):
            break
        found.insert(0, value)
    return tuple(found) if len(found) == 256 else (0, *found)


def _table(model: Model, operator: Operator) -> tuple[int, ...]:
    return exponentials(*quantize_multiplier(_factor(model, operator)))


def _emit_table(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    data, table = model.required(operator, 0), _table(model, operator)
    return (
        KernelCall(
            function="lw_softmax_table_s8",
            source="softmax_table_s8.c",
            params_type="lw_softmax_table_params",
            params=(
                ("rows", str(data.elements // data.shape[-1])),
                ("depth", str(data.shape[-1])),
                ("last", str(len(table) - 1)),
            ),
            arguments=("in0", "const:exponentials", "out0"),
            constants=(Constant(suffix="exponentials", ctype="uint32_t", values=table),),
            header="softmax.h",
        ),
    )


SPEC = OperatorSpec(
    kind="SOFTMAX",
    rules=(
        inputs(1),
        activations(0),
        computed(0),
        Rule(
            text="the output has scale 1/256 and zero point -128, 1/32768 and 0 where it is int16",
            holds=_output_is_probability,
            remedy="convert the model again: the TensorFlow converter sets these",
        ),
        Rule(
            text="1 to 511 classes, in the last dimension",
            holds=lambda model, op: (
                model.required(op, 0).shape == model.output(op).shape
                and len(model.output(op).shape) >= 1
                and 1 <= model.output(op).shape[-1] <= 511
            ),
            remedy="take the softmax on the host, or use fewer classes",
        ),
        Rule(
            text="beta * input scale is more than 2^-26, of int16 tensors above 0 and less than 5",
            holds=_factor_fits,
            remedy="calibrate with data of the true range",
        ),
    ),
    emit=_emit,
    in_place=lambda model, op: (0,),
    variants=(
        Variant(
            name="table",
            extension=None,
            fits=lambda model, op: True,
            emit=_emit_table,
            in_place=lambda model, op: (0,),
            extra_bytes=lambda model, op: 4 * len(_table(model, op)),
            saved=lambda model, op: _SAVED * model.output(op).elements,
            worth=_WORTH,
        ),
    ),
)

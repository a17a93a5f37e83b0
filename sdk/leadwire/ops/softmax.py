"""SOFTMAX over the last dimension, in fixed point; the output has scale 1/256 and zero point -128, 1/32768 and 0 where
it is int16."""

from __future__ import annotations

import math

from leadwire.model.graph import Model, Operator

from .arithmetic import Rescale, is_wide, quantize_multiplier, rescale, scale_of, zero_point_of
from .rules import activations, computed, inputs
from .spec import KernelCall, OperatorSpec, Rule

_INTEGER_BITS = 5
_FRACTION = 1 << (31 - _INTEGER_BITS)


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


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    if is_wide(model.output(operator)):
        return _emit_wide(model, operator)
    data = model.required(operator, 0)
    multiplier, left = quantize_multiplier(_factor(model, operator))
    largest = ((1 << _INTEGER_BITS) - 1) * _FRACTION >> left
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
                ("diff_min", str(-largest)),
            ),
            arguments=("in0", "out0"),
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
)

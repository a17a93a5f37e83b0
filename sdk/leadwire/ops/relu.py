"""RELU as an operator of its own: rescaled to the output's scale, negative values to 0."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import limits_of, quantized, rescale, scale_of, span_of
from .quantize import requantize_call
from .rules import SAME_SIZE, activations, computed, inputs
from .spec import KernelCall, OperatorSpec, Rule


def _factor(model: Model, operator: Operator) -> float:
    return scale_of(model.required(operator, 0)) / scale_of(model.output(operator))


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    low, high = limits_of(model.output(operator))
    low = max(low, quantized(0.0, model.output(operator)))
    return (requantize_call(model, operator, _factor(model, operator), low, high),)


SPEC = OperatorSpec(
    kind="RELU",
    rules=(
        inputs(1),
        activations(0),
        computed(0),
        SAME_SIZE,
        Rule(
            text="the input scale is less than 2^23 output scales, 2^16 of int16 tensors",
            holds=lambda model, op: rescale(_factor(model, op), span_of(model.required(op, 0))) is not None,
            remedy="calibrate with data of the true range",
        ),
    ),
    emit=_emit,
    in_place=lambda model, op: (0,),
)

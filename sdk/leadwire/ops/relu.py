"""RELU as an operator of its own: rescaled to the output's scale, negative values to 0."""

from __future__ import annotations

import numpy as np

from leadwire.model.graph import Model, Operator

from .arithmetic import INT8_MAX, INT8_MIN, quantized, rescale, scale_of
from .quantize import requantize_call
from .rules import SAME_SIZE, computed, inputs, int8_activations
from .spec import KernelCall, OperatorSpec, Rule


def _factor(model: Model, operator: Operator) -> float:
    """Input scale / output scale, in float32 as TensorFlow Lite Micro forms it."""
    return float(np.float32(scale_of(model.required(operator, 0))) / np.float32(scale_of(model.output(operator))))


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    low = max(INT8_MIN, quantized(0.0, model.output(operator)))
    return (requantize_call(model, operator, _factor(model, operator), low, INT8_MAX),)


SPEC = OperatorSpec(
    kind="RELU",
    rules=(
        inputs(1),
        int8_activations(0),
        computed(0),
        SAME_SIZE,
        Rule(
            text="the input scale is less than 2^23 output scales",
            holds=lambda model, op: rescale(_factor(model, op), 255) is not None,
            remedy="calibrate with data of the true range",
        ),
    ),
    emit=_emit,
    in_place=lambda model, op: (0,),
)

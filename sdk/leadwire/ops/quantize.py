"""QUANTIZE from int8 to int8: another scale and zero point for the same values."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import INT8_MAX, INT8_MIN, rescale, scale_of, zero_point_of
from .rules import SAME_SIZE, computed, inputs, int8_activations
from .spec import KernelCall, OperatorSpec, Rule


def requantize_call(model: Model, operator: Operator, factor: float, low: int, high: int) -> KernelCall:
    """output = clamp(zo + rescale(in - zi)) by a factor that the operator's rules have checked."""
    data, output = model.required(operator, 0), model.output(operator)
    scale = rescale(factor, 255)
    assert scale is not None
    return KernelCall(
        function="lw_requantize_s8",
        source="requantize_s8.c",
        params_type="lw_requantize_params",
        params=(
            ("count", str(data.elements)),
            ("input_zero_point", str(zero_point_of(data))),
            ("output_zero_point", str(zero_point_of(output))),
            ("rescale", scale.initializer),
            ("activation_min", str(low)),
            ("activation_max", str(high)),
        ),
        arguments=("in0", "out0"),
    )


def _factor(model: Model, operator: Operator) -> float:
    return scale_of(model.required(operator, 0)) / scale_of(model.output(operator))


SPEC = OperatorSpec(
    kind="QUANTIZE",
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
    emit=lambda model, op: (requantize_call(model, op, _factor(model, op), INT8_MIN, INT8_MAX),),
    in_place=lambda model, op: (0,),
)

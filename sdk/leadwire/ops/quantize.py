"""QUANTIZE between int8 and int16 tensors: another scale, zero point or type for the same values."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import is_wide, letters_of, limits_of, rescale, scale_of, span_of, zero_point_of
from .rules import SAME_SIZE, computed, inputs, is_quantized
from .spec import KernelCall, OperatorSpec, Rule


def requantize_call(model: Model, operator: Operator, factor: float, low: int, high: int) -> KernelCall:
    """output = clamp(zo + rescale(in - zi)) by a factor that the operator's rules have checked."""
    data, output = model.required(operator, 0), model.output(operator)
    scale = rescale(factor, span_of(data))
    assert scale is not None
    names = dict.fromkeys((letters_of(data), letters_of(output)))
    return KernelCall(
        function=f"lw_requantize_{'_'.join(names)}",
        source="requantize_s16.c" if is_wide(data) or is_wide(output) else "requantize_s8.c",
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
        Rule(
            text="input and output are int8, or int16 with zero point 0, with one scale and zero point per tensor",
            holds=lambda model, op: is_quantized(model.input(op, 0)) and is_quantized(model.output(op)),
            remedy="let the host convert floats: quantize inputs and outputs too",
        ),
        computed(0),
        SAME_SIZE,
        Rule(
            text="the input scale is less than 2^23 output scales, 2^16 where the input is int16",
            holds=lambda model, op: rescale(_factor(model, op), span_of(model.required(op, 0))) is not None,
            remedy="calibrate with data of the true range",
        ),
    ),
    emit=lambda model, op: (requantize_call(model, op, _factor(model, op), *limits_of(model.output(op))),),
    in_place=lambda model, op: (0,),
)

"""PRELU: negative values times a slope of their own, which is the same along broadcast dimensions."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import Rescale, rescale, scale_of, zero_point_of
from .broadcast import BROADCASTS, INT8_OPERANDS, broadcast_of, full_size_inputs
from .rules import computed, inputs
from .spec import KernelCall, OperatorSpec, Rule


def _rescales(model: Model, operator: Operator) -> tuple[Rescale | None, Rescale | None]:
    """For values from 0 on and below."""
    data, alpha = (scale_of(model.required(operator, position)) for position in (0, 1))
    output = scale_of(model.output(operator))
    return rescale(data / output, 255), rescale(data * alpha / output, 255 * 255)


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    positive, negative = (scale.initializer for scale in _rescales(model, operator) if scale is not None)
    return (
        KernelCall(
            function="lw_prelu_s8",
            source="prelu_s8.c",
            params_type="lw_prelu_params",
            params=(
                ("shape", broadcast_of(model, operator).initializer),
                ("input_zero_point", str(zero_point_of(model.required(operator, 0)))),
                ("alpha_zero_point", str(zero_point_of(model.required(operator, 1)))),
                ("output_zero_point", str(zero_point_of(model.output(operator)))),
                ("rescale_positive", positive),
                ("rescale_negative", negative),
            ),
            arguments=("in0", "in1", "out0"),
        ),
    )


SPEC = OperatorSpec(
    kind="PRELU",
    rules=(
        inputs(2),
        INT8_OPERANDS,
        computed(0),
        BROADCASTS,
        Rule(
            text="input scale, and input scale times slope scale, are less than 2^23 and 2^15 output scales",
            holds=lambda model, op: None not in _rescales(model, op),
            remedy="calibrate with data of the true range",
        ),
    ),
    emit=_emit,
    in_place=full_size_inputs,
)

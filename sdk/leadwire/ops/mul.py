"""MUL: the product of two tensors, rescaled once."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import Rescale, letters_of, rescale, scale_of, span_of, zero_point_of
from .broadcast import BROADCASTS, ONE_COMPUTED, OPERANDS, broadcast_of, full_size_inputs
from .convolution import output_params
from .rules import FUSED_ACTIVATION, inputs
from .spec import KernelCall, OperatorSpec, Rule


def _rescale(model: Model, operator: Operator) -> Rescale | None:
    product = scale_of(model.required(operator, 0)) * scale_of(model.required(operator, 1))
    return rescale(product / scale_of(model.output(operator)), span_of(model.output(operator)) ** 2)


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    scale = _rescale(model, operator)
    assert scale is not None
    kernel = f"mul_{letters_of(model.output(operator))}"
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_mul_params",
            params=(
                ("shape", broadcast_of(model, operator).initializer),
                ("zero_point_a", str(zero_point_of(model.required(operator, 0)))),
                ("zero_point_b", str(zero_point_of(model.required(operator, 1)))),
                ("rescale", scale.initializer),
                *output_params(model, operator),
            ),
            arguments=("in0", "in1", "out0"),
        ),
    )


SPEC = OperatorSpec(
    kind="MUL",
    rules=(
        inputs(2),
        OPERANDS,
        ONE_COMPUTED,
        FUSED_ACTIVATION,
        BROADCASTS,
        Rule(
            text="the product of the input scales is less than 2^15 output scales, than one of int16 tensors",
            holds=lambda model, op: _rescale(model, op) is not None,
            remedy="calibrate with data of the true range",
        ),
    ),
    emit=_emit,
    in_place=full_size_inputs,
)

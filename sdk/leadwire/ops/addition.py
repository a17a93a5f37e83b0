"""What ADD and SUB share: inputs brought to a common scale with head room, summed, brought to the output's scale."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor

from .arithmetic import Rescale, is_wide, letters_of, rescale, scale_of, span_of, zero_point_of
from .broadcast import BROADCASTS, ONE_COMPUTED, OPERANDS, broadcast_of, full_size_inputs
from .convolution import output_params
from .rules import FUSED_ACTIVATION, inputs
from .spec import KernelCall, OperatorSpec, Rule, Variant


def rescales_of(model: Model, operator: Operator) -> tuple[Rescale | None, Rescale | None, Rescale | None]:
    """Of input 0, input 1 and output; None where a factor does not lie below 1, which TensorFlow Lite Micro demands.

    In double precision, as TensorFlow Lite forms them and the package tflite-micro. TensorFlow Lite Micro's sources of
    August 2026 form those of SUB in float32.
    """
    a, b = scale_of(model.required(operator, 0)), scale_of(model.required(operator, 1))
    common = 2 * max(a, b)
    bits = _head_room(model.output(operator))
    result = common / ((1 << bits) * scale_of(model.output(operator)))
    largest = span_of(model.output(operator)) << bits
    return (
        rescale(a / common, largest),
        rescale(b / common, largest),
        rescale(result, largest + 2) if 0 < result < 1 else None,  # the sum of two that were halved at least
    )


def _head_room(tensor: Tensor) -> int:
    """Bits by which the inputs are raised."""
    return 15 if is_wide(tensor) else 20


def addition(kind: str, *, sign_b: int, variants: tuple[Variant, ...] = ()) -> OperatorSpec:
    """Input 0 plus `sign_b` times input 1."""

    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        a, b, result = (scale.initializer for scale in rescales_of(model, operator) if scale is not None)
        kernel = f"add_{letters_of(model.output(operator))}"
        return (
            KernelCall(
                function=f"lw_{kernel}",
                source=f"{kernel}.c",
                params_type="lw_add_params",
                params=(
                    ("shape", broadcast_of(model, operator).initializer),
                    ("zero_point_a", str(zero_point_of(model.required(operator, 0)))),
                    ("zero_point_b", str(zero_point_of(model.required(operator, 1)))),
                    ("sign_b", str(sign_b)),
                    ("rescale_a", a),
                    ("rescale_b", b),
                    ("rescale_output", result),
                    *output_params(model, operator),
                ),
                arguments=("in0", "in1", "out0"),
            ),
        )

    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(2),
            OPERANDS,
            ONE_COMPUTED,
            FUSED_ACTIVATION,
            BROADCASTS,
            Rule(
                text="the output scale is more than 2^-19 of the larger input scale, 2^-14 of int16 tensors",
                holds=lambda model, op: None not in rescales_of(model, op),
                remedy="calibrate with data of the true range",
            ),
        ),
        emit=emit,
        in_place=full_size_inputs,
        variants=variants,
    )

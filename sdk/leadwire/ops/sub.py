"""SUB: as ADD with the second input subtracted, but for its factors, which are formed in float32."""

from __future__ import annotations

import numpy as np

from leadwire.model.graph import Model, Operator

from .add_dsp import head_room
from .arithmetic import Rescale, letters_of, rescale, scale_of, span_of, zero_point_of
from .broadcast import BROADCASTS, ONE_COMPUTED, OPERANDS, broadcast_of, full_size_inputs
from .convolution import output_params
from .rules import FUSED_ACTIVATION, inputs
from .spec import KernelCall, OperatorSpec, Rule


def _rescales(model: Model, operator: Operator) -> tuple[Rescale | None, Rescale | None, Rescale | None]:
    """Of input 0, input 1 and output; None where a factor does not lie below 1."""
    a, b = (np.float32(scale_of(model.required(operator, position))) for position in (0, 1))
    output = np.float32(scale_of(model.output(operator)))
    bits = head_room(model.output(operator))
    largest = span_of(model.output(operator)) << bits
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        common = np.float32(2) * max(a, b)
        factors = float(a / common), float(b / common)
        result = float(common / (np.float32(1 << bits) * output))
    return (
        rescale(factors[0], largest),
        rescale(factors[1], largest),
        rescale(result, largest + 2) if 0 < result < 1 else None,  # the difference of two that were halved at least
    )


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    a, b, result = (scale.initializer for scale in _rescales(model, operator) if scale is not None)
    kernel = f"sub_{letters_of(model.output(operator))}"
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_add_params",
            params=(
                ("shape", broadcast_of(model, operator).initializer),
                ("zero_point_a", str(zero_point_of(model.required(operator, 0)))),
                ("zero_point_b", str(zero_point_of(model.required(operator, 1)))),
                ("rescale_a", a),
                ("rescale_b", b),
                ("rescale_output", result),
                *output_params(model, operator),
            ),
            arguments=("in0", "in1", "out0"),
        ),
    )


SPEC = OperatorSpec(
    kind="SUB",
    rules=(
        inputs(2),
        OPERANDS,
        ONE_COMPUTED,
        FUSED_ACTIVATION,
        BROADCASTS,
        Rule(
            text="the output scale is more than 2^-19 of the larger input scale, 2^-14 of int16 tensors",
            holds=lambda model, op: None not in _rescales(model, op),
            remedy="calibrate with data of the true range",
        ),
    ),
    emit=_emit,
    in_place=full_size_inputs,
)

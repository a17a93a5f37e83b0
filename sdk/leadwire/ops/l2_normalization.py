"""L2_NORMALIZATION over the last dimension: embeddings of unit length."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import INT32_MAX, zero_point_of
from .lookup import fixed_output
from .rules import SAME_SIZE, computed, inputs, int8_activations, rank
from .spec import KernelCall, OperatorSpec, Rule


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    data = model.required(operator, 0)
    depth = data.shape[-1]
    return (
        KernelCall(
            function="lw_l2_normalization_s8",
            source="l2_normalization_s8.c",
            params_type="lw_l2_normalization_params",
            params=(
                ("rows", str(data.elements // depth)),
                ("depth", str(depth)),
                ("input_zero_point", str(zero_point_of(data))),
            ),
            arguments=("in0", "out0"),
        ),
    )


SPEC = OperatorSpec(
    kind="L2_NORMALIZATION",
    rules=(
        inputs(1),
        int8_activations(0),
        computed(0),
        rank(0, 1, 4),
        SAME_SIZE,
        fixed_output(1 / 128, 0, "1/128"),
        Rule(
            text="no fused activation",
            holds=lambda model, op: op.option("fused_activation_function", "NONE") == "NONE",
            remedy="put the activation into a layer of its own",
        ),
        Rule(
            text="no 32-bit accumulator can overflow, whatever the input",
            holds=lambda model, op: 0 < 255 * 255 * model.required(op, 0).shape[-1] <= INT32_MAX,
            remedy="normalize vectors of at most 33025 values",
        ),
    ),
    emit=_emit,
    in_place=lambda model, op: (0,),
)

"""RELU6 as an operator of its own: values held between 0 and 6; input and output share their scale."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import quantized, zero_point_of
from .rules import SAME_SIZE, computed, inputs, int8_activations, same_quantization
from .spec import KernelCall, OperatorSpec


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    data = model.required(operator, 0)
    return (
        KernelCall(
            function="lw_clamp_values_s8",
            source="clamp_values_s8.c",
            params_type="lw_clamp_params",
            params=(
                ("count", str(data.elements)),
                ("low", str(zero_point_of(data))),
                ("high", str(min(127, quantized(6.0, data)))),
            ),
            arguments=("in0", "out0"),
        ),
    )


SPEC = OperatorSpec(
    kind="RELU6",
    rules=(
        inputs(1),
        int8_activations(0),
        computed(0),
        SAME_SIZE,
        same_quantization(lambda op: range(1)),
    ),
    emit=_emit,
    in_place=lambda model, op: (0,),
)

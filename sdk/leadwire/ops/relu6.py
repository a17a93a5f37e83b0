"""RELU6 as an operator of its own: values held between 0 and 6; input and output share their scale."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import letters_of, limits_of, quantized, zero_point_of
from .rules import SAME_SIZE, activations, computed, inputs, same_quantization
from .spec import KernelCall, OperatorSpec


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    data = model.required(operator, 0)
    kernel = f"clamp_values_{letters_of(data)}"
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_clamp_params",
            params=(
                ("count", str(data.elements)),
                ("low", str(zero_point_of(data))),
                ("high", str(min(limits_of(data)[1], quantized(6.0, data)))),
            ),
            arguments=("in0", "out0"),
        ),
    )


SPEC = OperatorSpec(
    kind="RELU6",
    rules=(
        inputs(1),
        activations(0),
        computed(0),
        SAME_SIZE,
        same_quantization(lambda op: range(1)),
    ),
    emit=_emit,
    in_place=lambda model, op: (0,),
)

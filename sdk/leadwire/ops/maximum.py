"""MAXIMUM of two tensors of one scale: bytes are compared."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import letters_of
from .broadcast import BROADCASTS, ONE_COMPUTED, OPERANDS, broadcast_of, full_size_inputs
from .rules import inputs, same_quantization
from .spec import KernelCall, OperatorSpec


def extremum(kind: str, *, minimum: bool) -> OperatorSpec:
    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        kernel = f"extremum_{letters_of(model.output(operator))}"
        return (
            KernelCall(
                function=f"lw_{kernel}",
                source=f"{kernel}.c",
                params_type="lw_extremum_params",
                params=(("shape", broadcast_of(model, operator).initializer), ("minimum", str(int(minimum)))),
                arguments=("in0", "in1", "out0"),
            ),
        )

    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(2),
            OPERANDS,
            ONE_COMPUTED,
            same_quantization(lambda op: range(2), "inputs and output"),
            BROADCASTS,
        ),
        emit=emit,
        in_place=full_size_inputs,
    )


SPEC = extremum("MAXIMUM", minimum=False)

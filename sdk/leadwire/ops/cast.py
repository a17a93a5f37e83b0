"""CAST between int8, int16 and int32: of indices, which have no scale."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import TensorType

from .rules import SAME_SIZE, computed, inputs
from .spec import KernelCall, OperatorSpec, Rule

_INTEGERS = (TensorType.INT8, TensorType.INT16, TensorType.INT32)


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    data, output = model.required(operator, 0), model.output(operator)
    return (
        KernelCall(
            function="lw_cast_s8",
            source="cast_s8.c",
            params_type="lw_cast_params",
            params=(
                ("count", str(output.elements)),
                ("input_bytes", str(data.dtype.item_bytes)),
                ("output_bytes", str(output.dtype.item_bytes)),
            ),
            arguments=("in0:bytes", "out0:bytes"),
        ),
    )


SPEC = OperatorSpec(
    kind="CAST",
    rules=(
        inputs(1),
        Rule(
            text="input and output are int8, int16 or int32",
            holds=lambda model, op: model.required(op, 0).dtype in _INTEGERS and model.output(op).dtype in _INTEGERS,
            remedy="cast indices to int32; a float cast is folded into the quantization when the model is converted",
        ),
        computed(0),
        SAME_SIZE,
    ),
    emit=_emit,
)

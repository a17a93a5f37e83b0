"""PACK: tensors of one shape, one behind the other along a new dimension."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .geometry import integer
from .rules import ALIKE, QUANTIZE_REMEDY, alike, same_quantization
from .runs import along, joined
from .spec import KernelCall, OperatorSpec, Rule


def _axis(model: Model, operator: Operator) -> int | None:
    return along(integer(operator, "axis", 0), len(model.output(operator).shape))


def _shapes_match(model: Model, operator: Operator) -> bool:
    axis, output = _axis(model, operator), model.output(operator).shape
    if axis is None or output[axis] != len(operator.inputs) or integer(operator, "values_count", 0) != output[axis]:
        return False
    given = (model.required(operator, position).shape for position in range(len(operator.inputs)))
    return all(shape == (*output[:axis], *output[axis + 1 :]) for shape in given)


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    axis = _axis(model, operator)
    assert axis is not None
    return joined(model.output(operator), axis, (1,) * len(operator.inputs))


SPEC = OperatorSpec(
    kind="PACK",
    rules=(
        Rule(
            text=f"1 input or more and the output are {ALIKE}",
            holds=lambda model, op: (
                len(op.inputs) >= 1 and len(op.outputs) == 1 and alike(model, op, range(len(op.inputs)))
            ),
            remedy=QUANTIZE_REMEDY,
        ),
        same_quantization(lambda op: range(len(op.inputs)), "inputs and output"),
        Rule(
            text="inputs have the output's shape without the axis, and there are as many as it is long",
            holds=_shapes_match,
            remedy="export the model again",
        ),
    ),
    emit=_emit,
)

"""CONCATENATION along any axis; every input is copied to its place."""

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
    if axis is None:
        return False
    shapes = [model.required(operator, position).shape for position in range(len(operator.inputs))]
    return (
        all(
            len(shape) == len(output) and shape[:axis] == output[:axis] and shape[axis + 1 :] == output[axis + 1 :]
            for shape in shapes
        )
        and sum(shape[axis] for shape in shapes) == output[axis]
    )


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    axis = _axis(model, operator)
    assert axis is not None
    sizes = tuple(model.required(operator, position).shape[axis] for position in range(len(operator.inputs)))
    return joined(model.output(operator), axis, sizes)


SPEC = OperatorSpec(
    kind="CONCATENATION",
    rules=(
        Rule(
            text=f"1 to 10 inputs and the output are {ALIKE}",
            holds=lambda model, op: (
                1 <= len(op.inputs) <= 10 and len(op.outputs) == 1 and alike(model, op, range(len(op.inputs)))
            ),
            remedy=f"{QUANTIZE_REMEDY}; concatenate in steps of at most 10 inputs",
        ),
        same_quantization(lambda op: range(len(op.inputs)), "inputs and output"),
        Rule(
            text="no fused activation",
            holds=lambda model, op: op.option("fused_activation_function", "NONE") == "NONE",
            remedy="put the activation into a layer of its own",
        ),
        Rule(
            text="inputs have the output's shape but along the axis",
            holds=_shapes_match,
            remedy="export the model again",
        ),
    ),
    emit=_emit,
)

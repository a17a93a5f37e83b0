"""CONCATENATION along any axis; every input is copied to its place."""

from __future__ import annotations

import math

from leadwire.model.graph import Model, Operator

from .geometry import integer
from .rules import ALIKE, QUANTIZE_REMEDY, alike, same_quantization
from .spec import KernelCall, OperatorSpec, Rule


def _axis(model: Model, operator: Operator) -> int | None:
    axis, rank = integer(operator, "axis", 0), len(model.output(operator).shape)
    return axis % rank if rank and -rank <= axis < rank else None


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
    axis, output = _axis(model, operator), model.output(operator).shape
    assert axis is not None
    runs, inner = math.prod(output[:axis]), math.prod(output[axis + 1 :]) * model.output(operator).dtype.item_bytes
    calls = []
    offset = 0
    for position in range(len(operator.inputs)):
        run = model.required(operator, position).shape[axis] * inner
        calls.append(
            KernelCall(
                function="lw_copy_s8",
                source="copy_s8.c",
                params_type="lw_copy_params",
                params=(
                    ("runs", str(runs)),
                    ("run", str(run)),
                    ("output_step", str(output[axis] * inner)),
                    ("output_offset", str(offset)),
                ),
                arguments=(f"in{position}:bytes", "out0:bytes"),
            )
        )
        offset += run
    return tuple(calls)


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

"""REVERSE_V2: the values of dimensions from the last to the first."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .walk import Walk, constants, moving, strides


def _walk(model: Model, operator: Operator) -> Walk | None:
    shape, axes = model.required(operator, 0).shape, constants(model, operator, 1)
    if not axes or any(not -len(shape) <= axis < len(shape) for axis in axes):
        return None
    if model.output(operator).shape != shape or min(shape, default=1) < 1:
        return None
    turned = {axis % len(shape) for axis in axes}
    if len(turned) != len(axes) or max(turned) - min(turned) >= len(turned):
        return None
    loops, offset = [], 0
    for axis, (size, inner) in enumerate(zip(shape, strides(shape), strict=True)):
        loops.append((size, -inner if axis in turned else inner))
        offset += (size - 1) * inner if axis in turned else 0
    return Walk(loops=tuple(loops), offset=offset)


SPEC = moving(
    "REVERSE_V2",
    given=2,
    walk=_walk,
    text="the dimensions are constant, each once, and neighbours, and input and output have one shape",
    remedy="reverse one fixed dimension after the other",
)

"""TRANSPOSE of up to four dimensions."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .walk import Walk, constants, moving, strides


def _walk(model: Model, operator: Operator) -> Walk | None:
    shape, order = model.required(operator, 0).shape, constants(model, operator, 1)
    if order is None or sorted(order) != list(range(len(shape))):
        return None
    if model.output(operator).shape != tuple(shape[axis] for axis in order):
        return None
    steps = strides(shape)
    return Walk(loops=tuple((shape[axis], steps[axis]) for axis in order))


SPEC = moving(
    "TRANSPOSE",
    given=2,
    walk=_walk,
    text="the order of the dimensions is constant and gives the output's shape",
    remedy="fix the order of the dimensions",
)

"""UNPACK: the slices of a tensor along one dimension, without it."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .geometry import integer
from .runs import Cut, along, cutting


def _cut(model: Model, operator: Operator) -> Cut | None:
    shape, made = model.required(operator, 0).shape, model.made(operator)
    axis = along(integer(operator, "axis", 0), len(shape))
    if axis is None or len(made) != shape[axis] or integer(operator, "num", 0) != len(made):
        return None
    if any(one.shape != (*shape[:axis], *shape[axis + 1 :]) for one in made):
        return None
    return axis, (1,) * len(made)


SPEC = cutting(
    "UNPACK",
    given=1,
    cut=_cut,
    text="there is one output for each slice along the axis, of the input's shape without it",
    remedy="export the model again",
)

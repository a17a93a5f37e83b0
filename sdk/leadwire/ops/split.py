"""SPLIT: equal parts along one dimension."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .runs import Cut, cut_along, cutting
from .walk import constants


def _cut(model: Model, operator: Operator) -> Cut | None:
    axis = constants(model, operator, 0)
    found = cut_along(model, operator, 1, axis[0]) if axis is not None and len(axis) == 1 else None
    return found if found is not None and len(set(found[1])) == 1 else None


SPEC = cutting(
    "SPLIT",
    given=2,
    data=1,
    cut=_cut,
    text="the axis is constant, and the outputs are equal parts along it",
    remedy="split along a fixed axis into equal parts",
)

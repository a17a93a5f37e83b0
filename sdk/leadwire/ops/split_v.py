"""SPLIT_V: parts of given sizes along one dimension."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .runs import Cut, cut_along, cutting
from .walk import constants


def _cut(model: Model, operator: Operator) -> Cut | None:
    sizes, axis = constants(model, operator, 1), constants(model, operator, 2)
    if sizes is None or axis is None or len(axis) != 1:
        return None
    found = cut_along(model, operator, 0, axis[0])
    if found is None or len(sizes) != len(found[1]):
        return None
    return found if all(wanted in (-1, size) for wanted, size in zip(sizes, found[1], strict=True)) else None


SPEC = cutting(
    "SPLIT_V",
    given=3,
    cut=_cut,
    text="sizes and axis are constant, and the outputs are parts of these sizes",
    remedy="split along a fixed axis into parts of fixed sizes",
)

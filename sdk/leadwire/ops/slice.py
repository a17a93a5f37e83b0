"""SLICE: a box of the input."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .walk import Walk, constants, moving, strides


def _walk(model: Model, operator: Operator) -> Walk | None:
    shape = model.required(operator, 0).shape
    begin, size = constants(model, operator, 1), constants(model, operator, 2)
    if begin is None or size is None or not len(begin) == len(size) == len(shape):
        return None
    sizes = tuple(
        whole - first if wanted == -1 else wanted for whole, first, wanted in zip(shape, begin, size, strict=True)
    )
    if sizes != model.output(operator).shape:
        return None
    if not all(
        first >= 0 and wanted >= 1 and first + wanted <= whole
        for whole, first, wanted in zip(shape, begin, sizes, strict=True)
    ):
        return None
    steps = strides(shape)
    return Walk(
        loops=tuple(zip(sizes, steps, strict=True)),
        offset=sum(first * step for first, step in zip(begin, steps, strict=True)),
    )


SPEC = moving(
    "SLICE",
    given=3,
    walk=_walk,
    forward=True,
    text="begin and size are constant, lie in the input, and give the output's shape",
    remedy="slice with fixed bounds",
)

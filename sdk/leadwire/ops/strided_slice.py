"""STRIDED_SLICE: every n-th place of a box of the input, as Python's x[begin:end:stride]."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .geometry import integer
from .walk import Walk, constants, moving, strides


def _walk(model: Model, operator: Operator) -> Walk | None:
    shape = model.required(operator, 0).shape
    bounds = [constants(model, operator, position) for position in (1, 2, 3)]
    if any(operator.option(name, 0) for name in ("ellipsis_mask", "new_axis_mask", "offset")):
        return None
    begins, ends, steps = bounds
    if begins is None or ends is None or steps is None or not len(begins) == len(ends) == len(steps) == len(shape):
        return None
    from_start, to_end, shrink = (integer(operator, f"{name}_mask", 0) for name in ("begin", "end", "shrink_axis"))
    loops, offset, output = [], 0, []
    for axis, (size, inner) in enumerate(zip(shape, strides(shape), strict=True)):
        step = steps[axis]
        if step == 0:
            return None
        if shrink >> axis & 1:
            first = 0 if from_start >> axis & 1 else begins[axis]
            if step < 0 or not -size <= first < size:
                return None
            taken = range(first % size, first % size + 1)
        else:
            first_, last = (
                None if mask >> axis & 1 else values[axis] for mask, values in ((from_start, begins), (to_end, ends))
            )
            taken = range(*slice(first_, last, step).indices(size))
            output.append(len(taken))
        if not taken:
            return None
        offset += taken.start * inner
        loops.append((len(taken), step * inner))
    return Walk(loops=tuple(loops), offset=offset) if tuple(output) == model.output(operator).shape else None


SPEC = moving(
    "STRIDED_SLICE",
    given=4,
    walk=_walk,
    forward=True,
    text="bounds and strides are constant, one per dimension, strides not 0, of a dropped dimension positive, "
    "without new axes, and give the output",
    remedy="slice with fixed bounds and strides, without '...' and None",
)

"""RESIZE_NEAREST_NEIGHBOR by whole factors: every value several times."""

from __future__ import annotations

import math

import numpy as np

from leadwire.model.graph import Model, Operator

from .walk import Walk, constants, moving, strides


def _nearest(given: int, wanted: int, *, corners: bool, centers: bool) -> list[int]:
    """The input position of each output position, in float32 as TensorFlow Lite Micro finds it."""
    scale = (
        np.float32(given - 1) / np.float32(wanted - 1)
        if corners and wanted > 1
        else np.float32(given) / np.float32(wanted)
    )
    places = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 if centers else 0.0)) * scale
    found = (math.floor(float(place) + (0.5 if corners else 0.0)) for place in places)
    return [max(0, min(place, given - 1)) for place in found]


def _walk(model: Model, operator: Operator) -> Walk | None:
    shape, wanted = model.required(operator, 0).shape, model.output(operator).shape
    size = constants(model, operator, 1)
    if len(shape) != 4 or size is None or len(size) != 2 or min(size) < 1:
        return None
    if wanted != (shape[0], *size, shape[3]):
        return None
    corners, centers = (bool(operator.option(name, False)) for name in ("align_corners", "half_pixel_centers"))
    loops = [(shape[0], strides(shape)[0])]
    for axis in (1, 2):
        factor, step = wanted[axis] // shape[axis], strides(shape)[axis]
        even = [place // factor for place in range(wanted[axis])] if factor else []
        if wanted[axis] % shape[axis] or _nearest(shape[axis], wanted[axis], corners=corners, centers=centers) != even:
            return None
        loops += [(shape[axis], step), (factor, 0)]
    found = Walk(loops=(*loops, (shape[3], 1)))
    return found if len(found.merged) <= 5 else None


SPEC = moving(
    "RESIZE_NEAREST_NEIGHBOR",
    given=2,
    walk=_walk,
    text="height and width are constant whole multiples of the input's, and each value is repeated as often",
    remedy="upsample by whole factors, with half_pixel_centers and without align_corners",
)

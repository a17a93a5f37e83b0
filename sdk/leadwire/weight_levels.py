"""Float weights on few levels: clustered, 4-bit, ternary, binary. What fine-tuning calls and backend `aot` then packs.

TensorFlow Lite stores weights as int8 with the scale max |w| / 127 of each output channel. Levels here are whole
numbers of -127 to 127 times that scale, the same numbers in every channel, and each channel keeps its largest weight:
the converter then finds exactly these numbers, and a layer has few distinct bytes whatever the scales of its channels,
also after a batch normalization is folded into it. No function changes its own result when called again on it, but for
the scales of `ternary` and `binary`, which stay the same up to float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from leadwire.errors import BadInputError

Weights = npt.NDArray[np.float32]
Axes = tuple[int, ...]
"""The axes of the output channels: (-1,), of a depthwise kernel (-2, -1), () where all weights share one scale."""

MOST: Final = 127
"""The largest int8 weight in TensorFlow Lite."""
FOUR_BIT_STEPS: Final = 7
"""4-bit weights are -7 to 7: symmetric, so that 0 is 0; an eighth negative step would have no counterpart."""
_ITERATIONS: Final = 100
_TERNARY_THRESHOLD: Final = 0.7


def cluster(weights: npt.ArrayLike, count: int, seed: int = 0, *, channels: Axes = (-1,)) -> Weights:
    """`weights` (any shape, float) moved to at most `count` levels of the layer's own: `levels_of`, `on_levels`."""
    return on_levels(weights, levels_of([(weights, channels)], count, seed), channels=channels)


def levels_of(layers: Sequence[tuple[npt.ArrayLike, Axes]], count: int, seed: int = 0) -> tuple[int, ...]:
    """At most `count` levels (3 to 255) for all of `layers`, (weights, channels) each, by k-means over all weights;
    whole numbers of -127 to 127, rising. Layers with the same levels share the table that they are unpacked by.

    Weights are taken relative to the largest of their channel. The levels -127, 0 and 127 are given, so that each
    channel keeps its scale and pruned weights stay 0; k-means (Lloyd) finds the others from quantiles, and `seed` draws
    the places of levels that lost all their weights. The same arguments give the same levels. BadInputError (2).
    """
    if not 3 <= count <= 2 * MOST + 1:
        raise BadInputError(
            f"{count} levels of weights, of 3 to {2 * MOST + 1}", hint="binary weights have a function of their own"
        )
    values = [np.rint(_relative(weights, channels)[0] * MOST).ravel() for weights, channels in layers]
    points, counts = np.unique(np.concatenate([*values, (-MOST, 0, MOST)]), return_counts=True)
    if len(points) > count:
        points = np.unique(np.rint(_levels(points, counts.astype(np.float64), count, seed)))
    return tuple(int(point) for point in points)


def on_levels(weights: npt.ArrayLike, levels: Sequence[int], *, channels: Axes = (-1,)) -> Weights:
    """`weights` moved to the nearest of `levels`, which `levels_of` found: rising, -127 to 127 and both of these."""
    if list(levels) != sorted(set(levels)) or tuple(levels[:1]) != (-MOST,) or tuple(levels[-1:]) != (MOST,):
        raise BadInputError(f"levels {list(levels)} do not rise from -{MOST} to {MOST}", hint="take those of levels_of")
    values, scales = _relative(weights, channels)
    rising = np.asarray(levels, np.float64)
    return _written(rising[_nearest(rising, np.rint(values * MOST).ravel())].reshape(values.shape), scales)


def four_bit(weights: npt.ArrayLike, *, channels: Axes = (-1,)) -> Weights:
    """`weights` rounded to -7 to 7 steps of a seventh of the largest weight of their channel: 15 levels."""
    values, scales = _relative(weights, channels)
    steps = np.rint(values * FOUR_BIT_STEPS)
    return _written(np.rint(steps * MOST / FOUR_BIT_STEPS), scales)


def ternary(weights: npt.ArrayLike, *, channels: Axes = (-1,)) -> Weights:
    """`weights` as -a, 0 or a: 0 where |w| <= 0.7 mean |w|, a the mean |w| of the others, for each channel.

    Source: Li and Liu, "Ternary weight networks", 2016.
    """
    values = _parsed(weights)
    over = _others(values, channels)
    sizes = np.abs(values)
    far = sizes > _TERNARY_THRESHOLD * sizes.mean(axis=over, keepdims=True)
    scales = (sizes * far).sum(axis=over, keepdims=True) / np.maximum(far.sum(axis=over, keepdims=True), 1)
    return np.asarray(np.sign(values) * far * scales, np.float32)


def binary(weights: npt.ArrayLike, *, channels: Axes = (-1,)) -> Weights:
    """`weights` as -a or a, a the mean |w| of each channel; 0 counts as positive. A channel of zeros stays so.

    Source: Rastegari et al., "XNOR-Net", ECCV 2016, binary-weight networks.
    """
    values = _parsed(weights)
    scales = np.abs(values).mean(axis=_others(values, channels), keepdims=True)
    return np.asarray(np.where(values < 0, -scales, scales), np.float32)


def as_int8(weights: npt.ArrayLike, *, channels: Axes = (-1,)) -> npt.NDArray[np.int8]:
    """The bytes that TensorFlow Lite's converter makes of `weights` with a scale for each channel; their distinct
    values are what a layer is packed by."""
    values, _ = _relative(weights, channels)
    return np.rint(values * MOST).astype(np.int8)


def _parsed(weights: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.asarray(weights, np.float64)
    if not values.size or not np.isfinite(values).all():
        what = f"{np.count_nonzero(~np.isfinite(values))} of {values.size} weights are not finite"
        raise BadInputError(what if values.size else "a layer without weights", hint="train the model again")
    return values


def _others(values: npt.NDArray[np.float64], channels: Axes) -> Axes:
    """The axes that a scale is shared over."""
    if any(not -values.ndim <= axis < values.ndim for axis in channels):
        raise BadInputError(
            f"channels along axes {list(channels)} of weights with {values.ndim} dimensions",
            hint="name axes that the weights have",
        )
    kept = {axis % values.ndim for axis in channels}
    return tuple(axis for axis in range(values.ndim) if axis not in kept)


def _relative(weights: npt.ArrayLike, channels: Axes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights in units of the largest of their channel, and these; a channel of zeros has the unit 0."""
    values = _parsed(weights)
    scales = np.abs(values).max(axis=_others(values, channels), keepdims=True)
    return np.divide(values, scales, out=np.zeros_like(values), where=scales > 0), scales


def _written(whole: npt.NDArray[np.float64], scales: npt.NDArray[np.float64]) -> Weights:
    return np.asarray(whole / MOST * scales, np.float32)


def _levels(
    points: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], count: int, seed: int
) -> npt.NDArray[np.float64]:
    """k-means of weighted points on a line, -127, 0 and 127 held; sorted."""
    random = np.random.default_rng(seed)
    fixed = np.array([-MOST, 0.0, MOST])
    shares = (np.cumsum(counts) - counts / 2) / counts.sum()
    free = np.interp((np.arange(count - 3) + 0.5) / (count - 3), shares, points) if count > 3 else np.zeros(0)
    for _ in range(_ITERATIONS):
        levels = np.concatenate([fixed, free])
        owner = _nearest(levels, points)
        weight = np.bincount(owner, counts, minlength=count)[3:]
        total = np.bincount(owner, counts * points, minlength=count)[3:]
        drawn = random.choice(points, size=len(free))
        moved = np.where(weight > 0, total / np.maximum(weight, 1), drawn)
        if np.array_equal(moved, free):
            break
        free = moved
    return np.concatenate([fixed, free])


def _nearest(levels: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """The index of the level nearest to each point, the lower of two as near."""
    order = np.argsort(levels, kind="stable")
    rising = levels[order]
    return np.asarray(order[np.searchsorted((rising[:-1] + rising[1:]) / 2, points)])

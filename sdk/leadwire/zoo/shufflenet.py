"""Grouped convolutions over channels, whose groups a channel shuffle mixes, as in ShuffleNet.

A shuffle writes [groups, channels of a group] as [channels of a group, groups]: RESHAPE, TRANSPOSE, RESHAPE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from .family import POOLED_SEARCH, Depth, Family, Halvings, Kernel, PooledHead, Shape, Span, Width
from .layers import add, classify, convolve, convolve_depthwise, inputs, pooled, widened


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleNetSettings(PooledHead):
    """A convolution, then `depth` units: grouped convolution, shuffle, depthwise in time, grouped convolution. The
    first `halvings` of all of them halve the window and widen it; channels are raised to a multiple of 4 * `groups`.
    """

    width: Width = 24
    depth: Depth = 4
    kernel: Kernel = 5
    halvings: Halvings = 3
    groups: Annotated[int, Field(ge=1, le=8)] = 2


def shuffle(x: Any, name: str, groups: int) -> Any:
    from keras import layers

    samples, channels = x.shape[1:]
    x = layers.Reshape((samples, groups, channels // groups), name=f"{name}_groups")(x)
    x = layers.Permute((1, 3, 2), name=f"{name}_shuffle")(x)
    return layers.Reshape((samples, channels), name=f"{name}_channels")(x)


def _build(settings: ShuffleNetSettings, shape: Shape) -> Any:
    window, features = inputs(shape)
    groups = settings.groups
    stride = 2 if settings.halvings else 1
    x = convolve(window, "stem", widened(settings.width, 0, 4 * groups), settings.kernel, stride=stride)
    for block in range(settings.depth):
        name, halves = f"block{block}", block + 1 < settings.halvings
        channels = widened(settings.width, min(block + 1, max(0, settings.halvings - 1)), 4 * groups)
        y = convolve(x, f"{name}_in", channels // 2, groups=groups)
        y = shuffle(y, name, groups) if groups > 1 else y
        y = convolve_depthwise(y, f"{name}_time", settings.kernel, stride=2 if halves else 1, activation="")
        y = convolve(
            y, f"{name}_out", channels - halves * x.shape[2], groups=groups, activation="relu" if halves else ""
        )  # fmt: skip
        x = _joined(x, y, name) if halves else add(name, [x, y])
    return classify("shufflenet", window, features, pooled(x, settings.positions), settings, shape)


def _joined(x: Any, y: Any, name: str) -> Any:
    """Where the window is halved, the shortcut is averaged and stands beside the branch. Both come from a ReLU: one
    after them, as in the paper, would change nothing."""
    from keras import layers

    x = layers.AveragePooling1D(2, padding="same", name=f"{name}_pool")(x)
    return layers.Concatenate(name=f"{name}_join")([x, y])


FAMILY = Family(
    title="grouped with channel shuffle, ShuffleNet",
    source="Zhang et al., CVPR 2018, arXiv:1707.01083",
    settings=ShuffleNetSettings,
    search={
        "width": Span(low=8, high=48, step=8),
        "depth": Span(low=2, high=8, step=1),
        "kernel": (3, 5, 7, 9, 11),
        "halvings": (2, 3, 4),
        "groups": (1, 2, 4),
        **POOLED_SEARCH,
    },
    build=_build,
)

"""Depthwise-separable convolutions: a depthwise one in time, then one over channels, as in MobileNet v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .family import POOLED_SEARCH, Depth, Family, Halvings, Kernel, PooledHead, Shape, Span, Width
from .layers import classify, convolve, convolve_depthwise, inputs, pooled, widened


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNetV1Settings(PooledHead):
    """A convolution, then `depth` separable ones. The first `halvings` of all of them halve the window and widen it."""

    width: Width = 16
    depth: Depth = 4
    kernel: Kernel = 5
    halvings: Halvings = 3


def _build(settings: MobileNetV1Settings, shape: Shape) -> Any:
    window, features = inputs(shape)
    x = convolve(
        window, "stem", widened(settings.width, 0), settings.kernel, stride=2 if settings.halvings else 1,
        activation="relu6",
    )  # fmt: skip
    for block in range(settings.depth):
        level = min(block + 1, max(0, settings.halvings - 1))
        stride = 2 if block + 1 < settings.halvings else 1
        x = convolve_depthwise(x, f"block{block}_time", settings.kernel, stride=stride, activation="relu6")
        x = convolve(x, f"block{block}_channels", widened(settings.width, level), activation="relu6")
    return classify("mobilenet_v1", window, features, pooled(x, settings.positions), settings, shape)


FAMILY = Family(
    title="depthwise-separable, MobileNet v1",
    source="Howard et al., arXiv:1704.04861",
    settings=MobileNetV1Settings,
    search={
        "width": Span(low=8, high=48, step=4),
        "depth": Span(low=2, high=8, step=1),
        "kernel": (3, 5, 7, 9, 11),
        "halvings": (2, 3, 4),
        **POOLED_SEARCH,
    },
    build=_build,
)

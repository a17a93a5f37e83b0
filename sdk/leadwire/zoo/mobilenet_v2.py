"""Inverted residuals with linear bottlenecks: widen, depthwise in time, narrow again, as in MobileNet v2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from .family import POOLED_SEARCH, Depth, Family, Halvings, Kernel, PooledHead, Shape, Span, Width
from .layers import add, classify, convolve, convolve_depthwise, inputs, pooled, widened


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNetV2Settings(PooledHead):
    """A convolution, then `depth` inverted residuals that are `expansion` times as wide inside. The first `halvings` of
    all of them halve the window and widen it; the others have a shortcut."""

    width: Width = 12
    depth: Depth = 4
    kernel: Kernel = 5
    halvings: Halvings = 3
    expansion: Annotated[int, Field(ge=1, le=8)] = 3


def _build(settings: MobileNetV2Settings, shape: Shape) -> Any:
    window, features = inputs(shape)
    x = convolve(
        window, "stem", widened(settings.width, 0), settings.kernel, stride=2 if settings.halvings else 1,
        activation="relu6",
    )  # fmt: skip
    for block in range(settings.depth):
        stride = 2 if block + 1 < settings.halvings else 1
        channels = widened(settings.width, min(block + 1, max(0, settings.halvings - 1)))
        y = x
        if settings.expansion > 1:
            y = convolve(y, f"block{block}_widen", settings.expansion * x.shape[2], activation="relu6")
        y = convolve_depthwise(y, f"block{block}_time", settings.kernel, stride=stride, activation="relu6")
        y = convolve(y, f"block{block}_narrow", channels, activation="")
        x = add(f"block{block}", [x, y], activation="") if stride == 1 and channels == x.shape[2] else y
    return classify("mobilenet_v2", window, features, pooled(x, settings.positions), settings, shape)


FAMILY = Family(
    title="inverted residuals, MobileNet v2",
    source="Sandler et al., CVPR 2018, arXiv:1801.04381",
    settings=MobileNetV2Settings,
    search={
        "width": Span(low=8, high=32, step=4),
        "depth": Span(low=2, high=8, step=1),
        "kernel": (3, 5, 7, 9, 11),
        "halvings": (2, 3, 4),
        "expansion": (1, 2, 3, 4, 6),
        **POOLED_SEARCH,
    },
    build=_build,
)

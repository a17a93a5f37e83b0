"""Plain convolutions, each with a stride of 2 until the window is short enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .family import POOLED_SEARCH, Depth, Family, Halvings, Kernel, PooledHead, Shape, Span, Width
from .layers import classify, convolve, inputs, pooled, widened


@dataclass(frozen=True, slots=True, kw_only=True)
class CnnSettings(PooledHead):
    """`depth` convolutions, of which the first `halvings` halve the window and widen it: `width` channels, then half
    of that more each time."""

    width: Width = 16
    depth: Depth = 4
    kernel: Kernel = 5
    halvings: Halvings = 3


def _build(settings: CnnSettings, shape: Shape) -> Any:
    window, features = inputs(shape)
    x = window
    for block in range(settings.depth):
        level = min(block, settings.halvings)
        stride = 2 if block < settings.halvings else 1
        x = convolve(x, f"block{block}", widened(settings.width, level), settings.kernel, stride=stride)
    return classify("cnn", window, features, pooled(x, settings.positions), settings, shape)


FAMILY = Family(
    title="plain CNN",
    source="Kiranyaz et al., IEEE Transactions on Biomedical Engineering 63(3), 2016",
    settings=CnnSettings,
    search={
        "width": Span(low=8, high=32, step=4),
        "depth": Span(low=2, high=6, step=1),
        "kernel": (3, 5, 7, 9),
        "halvings": (2, 3, 4),
        **POOLED_SEARCH,
    },
    build=_build,
)

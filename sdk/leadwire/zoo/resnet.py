"""Residual blocks of two convolutions, as in ResNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from .family import POOLED_SEARCH, Family, Kernel, PooledHead, Shape, Span, Width
from .layers import add, classify, convolve, inputs, pooled, widened


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetSettings(PooledHead):
    """A convolution that halves the window, then `stages` of `blocks` residual blocks each; every stage but the first
    halves the window again and widens it."""

    width: Width = 12
    stages: Annotated[int, Field(ge=1, le=6)] = 3
    blocks: Annotated[int, Field(ge=1, le=6)] = 1
    kernel: Kernel = 3


def _build(settings: ResNetSettings, shape: Shape) -> Any:
    window, features = inputs(shape)
    x = convolve(window, "stem", widened(settings.width, 0), settings.kernel, stride=2)
    for stage in range(settings.stages):
        channels = widened(settings.width, stage)
        for block in range(settings.blocks):
            name, stride = f"stage{stage}_block{block}", 2 if stage and not block else 1
            y = convolve(x, f"{name}_first", channels, settings.kernel, stride=stride)
            y = convolve(y, f"{name}_second", channels, settings.kernel, activation="")
            if stride > 1:
                x = convolve(x, f"{name}_shortcut", channels, stride=stride, activation="")
            x = add(name, [x, y])
    return classify("resnet", window, features, pooled(x, settings.positions), settings, shape)


FAMILY = Family(
    title="residual, ResNet",
    source="He et al., CVPR 2016, arXiv:1512.03385",
    settings=ResNetSettings,
    search={
        "width": Span(low=8, high=32, step=4),
        "stages": (2, 3, 4),
        "blocks": (1, 2),
        "kernel": (3, 5, 7, 9),
        **POOLED_SEARCH,
    },
    build=_build,
)

"""Residual blocks of dilated convolutions, dilation doubling from block to block: a temporal convolutional network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from .family import POOLED_SEARCH, Family, PooledHead, Shape, Span, Width
from .layers import add, classify, convolve, inputs, pooled


@dataclass(frozen=True, slots=True, kw_only=True)
class TcnSettings(PooledHead):
    """A convolution that takes every `stride`-th place of the window, then `depth` blocks of two convolutions with
    dilation 1, 2, 4 and so on. `causal`: no output depends on later samples."""

    width: Width = 12
    depth: Annotated[int, Field(ge=1, le=8)] = 4
    kernel: Annotated[int, Field(ge=2, le=31)] = 3
    stride: Annotated[int, Field(ge=1, le=16)] = 2
    causal: bool = True


def _build(settings: TcnSettings, shape: Shape) -> Any:
    window, features = inputs(shape)
    padding = "causal" if settings.causal else "same"
    x = convolve(window, "stem", settings.width, settings.kernel, stride=settings.stride, padding=padding)
    for block in range(settings.depth):
        name, dilation = f"block{block}", 1 << block
        y = convolve(x, f"{name}_first", settings.width, settings.kernel, dilation=dilation, padding=padding)
        y = convolve(
            y, f"{name}_second", settings.width, settings.kernel, dilation=dilation, padding=padding, activation=""
        )  # fmt: skip
        x = add(name, [x, y])
    return classify("tcn", window, features, pooled(x, settings.positions), settings, shape)


FAMILY = Family(
    title="temporal convolutional network",
    source="Bai et al., arXiv:1803.01271",
    settings=TcnSettings,
    search={
        "width": Span(low=8, high=32, step=4),
        "depth": Span(low=2, high=5, step=1),
        "kernel": (2, 3, 5, 7),
        "stride": (1, 2, 4),
        "causal": (True, False),
        **POOLED_SEARCH,
    },
    build=_build,
)

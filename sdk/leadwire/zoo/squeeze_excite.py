"""Residual blocks whose channels are weighed by what the whole window holds: squeeze and excitation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from .family import POOLED_SEARCH, Family, Kernel, PooledHead, Shape, Span, Width
from .layers import add, classify, convolve, inputs, pooled, widened


@dataclass(frozen=True, slots=True, kw_only=True)
class SqueezeExciteSettings(PooledHead):
    """A convolution that halves the window, then `stages` of `blocks` residual blocks each; every stage but the first
    halves the window again and widens it. Channels are squeezed to one in `reduction`."""

    width: Width = 12
    stages: Annotated[int, Field(ge=1, le=6)] = 3
    blocks: Annotated[int, Field(ge=1, le=6)] = 1
    kernel: Kernel = 3
    reduction: Annotated[int, Field(ge=1, le=32)] = 4


def weighed(x: Any, name: str, reduction: int) -> Any:
    from keras import layers

    channels = x.shape[2]
    w = layers.GlobalAveragePooling1D(name=f"{name}_squeeze")(x)
    w = layers.Dense(max(1, channels // reduction), activation="relu", name=f"{name}_reduce")(w)
    w = layers.Dense(channels, activation="sigmoid", name=f"{name}_excite")(w)
    w = layers.Reshape((1, channels), name=f"{name}_weights")(w)
    return layers.Multiply(name=f"{name}_weigh")([x, w])


def _build(settings: SqueezeExciteSettings, shape: Shape) -> Any:
    window, features = inputs(shape)
    x = convolve(window, "stem", widened(settings.width, 0), settings.kernel, stride=2)
    for stage in range(settings.stages):
        channels = widened(settings.width, stage)
        for block in range(settings.blocks):
            name, stride = f"stage{stage}_block{block}", 2 if stage and not block else 1
            y = convolve(x, f"{name}_first", channels, settings.kernel, stride=stride)
            y = convolve(y, f"{name}_second", channels, settings.kernel, activation="")
            y = weighed(y, name, settings.reduction)
            if stride > 1:
                x = convolve(x, f"{name}_shortcut", channels, stride=stride, activation="")
            x = add(name, [x, y])
    return classify("squeeze_excite", window, features, pooled(x, settings.positions), settings, shape)


FAMILY = Family(
    title="residual with squeeze and excitation",
    source="Hu et al., CVPR 2018, arXiv:1709.01507",
    settings=SqueezeExciteSettings,
    search={
        "width": Span(low=8, high=32, step=4),
        "stages": (2, 3, 4),
        "blocks": (1, 2),
        "kernel": (3, 5, 7, 9),
        "reduction": (2, 4, 8),
        **POOLED_SEARCH,
    },
    build=_build,
)

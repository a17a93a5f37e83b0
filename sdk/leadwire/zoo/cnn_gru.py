"""Convolutions that shorten the window, then a gated recurrent unit over what is left, written out step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from leadwire.errors import BadInputError

from .family import DENSE_SEARCH, DenseHead, Family, Halvings, Kernel, Shape, Span, Width
from .layers import classify, convolve, inputs, widened

MOST_STEPS: Final = 32
"""A step is 11 operators, so that code and time to convert grow with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CnnGruSettings(DenseHead):
    """`halvings` convolutions of stride 2, each half of `width` wider than the one before, then a GRU of `units` whose
    last state is classified. At most 32 steps may be left for it."""

    width: Width = 12
    kernel: Kernel = 5
    halvings: Halvings = 3
    units: Annotated[int, Field(ge=2, le=128)] = 16


def _build(settings: CnnGruSettings, shape: Shape) -> Any:
    from keras import layers

    window, features = inputs(shape)
    x = window
    for block in range(settings.halvings):
        x = convolve(x, f"block{block}", widened(settings.width, block), settings.kernel, stride=2)
    if x.shape[1] > MOST_STEPS:
        raise BadInputError(
            f"{settings.halvings} halvings leave {x.shape[1]} steps of {shape.samples} samples for the GRU, which is "
            f"written out for at most {MOST_STEPS}",
            hint="more halvings, or a shorter window",
        )
    x = layers.GRU(settings.units, unroll=True, name="gru")(x)
    return classify("cnn_gru", window, features, x, settings, shape)


FAMILY = Family(
    title="convolutions and a gated recurrent unit",
    source="Cho et al., EMNLP 2014, arXiv:1406.1078",
    settings=CnnGruSettings,
    search={
        "width": Span(low=8, high=32, step=4),
        "kernel": (3, 5, 7, 9),
        "halvings": (2, 3, 4),
        "units": Span(low=8, high=32, step=8),
        **DENSE_SEARCH,
    },
    build=_build,
)

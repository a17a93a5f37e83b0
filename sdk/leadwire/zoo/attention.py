"""A tiny transformer: pieces of the window as tokens, self-attention between them, and a layer for each token.

For integers, some things differ from the original. Batch normalization stands where layer normalization does, because
it folds into the convolution before it. A depthwise convolution tells tokens their places (Chu et al.,
arXiv:2102.10882). Queries, keys and values have no bias: a softmax does not see that of the keys, and the output's
normalization absorbs that of the values. The scores' factor, 1 / sqrt(channels of a head), is in the starting weights
of the queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from leadwire.errors import BadInputError

from .family import POOLED_SEARCH, Family, Kernel, PooledHead, Shape, Span, Width
from .layers import add, classify, convolve, convolve_depthwise, inputs, pooled


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSettings(PooledHead):
    """A convolution makes a token of `width` channels of every `patch` samples; then `depth` blocks of attention with
    `heads`, which share the channels, and a layer `expansion` times as wide."""

    width: Width = 16
    depth: Annotated[int, Field(ge=1, le=6)] = 1
    heads: Annotated[int, Field(ge=1, le=8)] = 2
    patch: Annotated[int, Field(ge=1, le=64)] = 6
    kernel: Kernel = 9
    expansion: Annotated[int, Field(ge=1, le=8)] = 2


def _attend(x: Any, name: str, heads: int) -> Any:
    from keras import initializers, layers

    size = x.shape[2] // heads
    scaled = initializers.VarianceScaling(1.0 / size, mode="fan_avg", distribution="uniform")
    attended = []
    for head in range(heads):

        def project(role: str, head: int = head, **options: Any) -> Any:
            return layers.Conv1D(size, 1, use_bias=False, name=f"{name}_{role}{head}", **options)(x)

        queries = project("query", kernel_initializer=scaled)
        scores = layers.Dot((2, 2), name=f"{name}_scores{head}")([queries, project("key")])
        weights = layers.Softmax(name=f"{name}_weights{head}")(scores)
        attended.append(layers.Dot((2, 1), name=f"{name}_attended{head}")([weights, project("value")]))
    return layers.Concatenate(name=f"{name}_heads")(attended) if heads > 1 else attended[0]


def _build(settings: AttentionSettings, shape: Shape) -> Any:
    if settings.width % settings.heads:
        raise BadInputError(
            f"{settings.heads} heads cannot share {settings.width} channels evenly",
            hint="take a width that is a multiple of heads",
        )
    window, features = inputs(shape)
    x = convolve(window, "tokens", settings.width, settings.kernel, stride=settings.patch)
    x = add("places", [x, convolve_depthwise(x, "places", 3, activation="")], activation="")
    for block in range(settings.depth):
        name = f"block{block}"
        y = convolve(_attend(x, name, settings.heads), f"{name}_out", settings.width, activation="")
        x = add(f"{name}_attention", [x, y], activation="")
        y = convolve(x, f"{name}_widen", settings.expansion * settings.width)
        x = add(name, [x, convolve(y, f"{name}_narrow", settings.width, activation="")], activation="")
    return classify("attention", window, features, pooled(x, settings.positions), settings, shape)


FAMILY = Family(
    title="self-attention between pieces of the window",
    source="Vaswani et al., NeurIPS 2017, arXiv:1706.03762",
    settings=AttentionSettings,
    search={
        "width": Span(low=8, high=32, step=8),
        "depth": (1, 2, 3),
        "heads": (1, 2, 4),
        "patch": (2, 4, 6, 8),
        "kernel": (5, 7, 9, 11),
        "expansion": (1, 2, 4),
        **POOLED_SEARCH,
    },
    build=_build,
)

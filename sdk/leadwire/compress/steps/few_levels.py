"""few_levels: weights of a layer on few values, which backend `aot` packs: clustered, 4-bit, ternary or binary.

The float weights stay behind while the network is trained: each batch is answered with the weights moved to their
levels, and the gradient passes straight through to the float ones (Courbariaux et al., BinaryConnect, 2015). What
the levels are is told in `leadwire.weight_levels`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from leadwire import weight_levels
from leadwire.compress.recipe import StepSettings
from leadwire.compress.work import Keras, StepOutcome, Work
from leadwire.errors import BadInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    """`levels`: clusters of each layer's own (`count` of them), or 4-bit, ternary or binary weights. `layers` alone are
    moved, () means all with a kernel; `except_layers` are not. `train` false moves them and trains nothing.
    """

    levels: Literal["cluster", "four_bit", "ternary", "binary"] = "cluster"
    count: Annotated[int, Field(ge=3, le=255)] = 16
    layers: tuple[str, ...] = ()
    except_layers: tuple[str, ...] = ()
    train: bool = True


def apply(settings: Settings, work: Work) -> StepOutcome:
    import keras
    import tensorflow as tf

    from leadwire.compress import quantized_training as aware
    from leadwire.compress.training import check_classifier, fit, tune_score, weighted_mean

    model = work.model
    check_classifier(model, work.train)
    if aware.has_ranges(model):
        raise BadInputError(
            f"step '{settings.label}': the network was trained quantization-aware already",
            hint="move its weights to few levels before that step",
        )
    chosen = _chosen(settings, model, aware)
    before = tune_score(model, work)

    def projected(layer: Any) -> Any:
        kernel = tf.convert_to_tensor(layer.kernel)
        moved = tf.numpy_function(_levels(settings, aware.channel_axes(layer)), [kernel], tf.float32)
        moved.set_shape(kernel.shape)
        return kernel + tf.stop_gradient(moved - kernel)

    def loss(network: Keras, inputs: Any, labels: Any, weights: Any) -> Any:
        answer = aware.call_with(network, inputs, [(layer.kernel, projected(layer)) for layer in chosen])
        return weighted_mean(keras.losses.sparse_categorical_crossentropy(labels, answer), weights)

    if settings.train:
        fit(work, model, settings, name=settings.levels, loss=loss)
    facts: list[tuple[str, str | int | float]] = []
    for layer in chosen:
        axes = aware.channel_axes(layer)
        layer.kernel.assign(_levels(settings, axes)(np.asarray(layer.kernel)))
        distinct = len(np.unique(weight_levels.as_int8(np.asarray(layer.kernel), channels=axes)))
        facts.append((f"levels of {layer.name}", distinct))
    return StepOutcome(
        model=model,
        facts=(
            *facts,
            ("macro F1 on held-out patients before", round(before, 4)),
            ("macro F1 on held-out patients after", round(tune_score(model, work), 4)),
        ),
    )


def _levels(settings: Settings, channels: tuple[int, ...]) -> Callable[[Any], Any]:
    """The function that moves a kernel to its levels."""
    if settings.levels == "cluster":
        return lambda kernel: weight_levels.cluster(kernel, settings.count, channels=channels)
    move = {"four_bit": weight_levels.four_bit, "ternary": weight_levels.ternary, "binary": weight_levels.binary}
    return lambda kernel: move[settings.levels](kernel, channels=channels)


def _chosen(settings: Settings, model: Keras, aware: Any) -> list[Any]:
    """The layers whose weights are moved; BadInputError for a name that no layer with a kernel has."""
    able = {layer.name: layer for layer in model.layers if aware.channel_axes(layer)}
    unknown = [name for name in (*settings.layers, *settings.except_layers) if name not in able]
    if unknown:
        raise BadInputError(
            f"step '{settings.label}': network '{model.name}' has no layer {', '.join(unknown)} with a kernel",
            hint=f"layers that have one: {', '.join(able)}",
        )
    found = [able[name] for name in settings.layers or able if name not in settings.except_layers]
    if not found:
        raise BadInputError(f"step '{settings.label}' leaves no layer to work on", hint="name fewer except_layers")
    return found

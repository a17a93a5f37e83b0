"""few_levels: weights of a layer on few values, which backend `aot` packs: clustered, 4-bit, ternary or binary.

The float weights stay behind while the network is trained: each batch is answered with the weights moved to their
levels, and the gradient passes straight through to the float ones (Courbariaux et al., BinaryConnect, 2015). What
the levels are is told in `leadwire.weight_levels`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from leadwire import weight_levels
from leadwire.compress.layer_names import LayerNames, chosen_layers
from leadwire.compress.masks import sparsity_of
from leadwire.compress.recipe import UNDOES_LEVELS, StepSettings
from leadwire.compress.work import Keras, StepOutcome, Work
from leadwire.errors import BadInputError

_TAKE_ONE = "take one of the two steps: neither keeps what the other made"
_LEAVE_PRUNED_OUT = "take ternary or four_bit, or leave the pruned layers out (except_layers)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    """`levels`: clusters of each layer's own (`count` of them), or 4-bit, ternary or binary weights. `layers` alone are
    moved, by name or pattern, () means all with a kernel; `except_layers` are not. `train` false moves them and trains
    nothing.
    """

    levels: Literal["cluster", "four_bit", "ternary", "binary"] = "cluster"
    count: Annotated[int, Field(ge=3, le=255)] = 16
    layers: LayerNames = ()
    except_layers: LayerNames = ()
    train: bool = True

    @property
    def cannot_follow(self) -> Mapping[str, str]:
        found = {"quantization_aware": f"it would move the weights off those that were learnt; {_TAKE_ONE}"}
        if self.train:
            found |= UNDOES_LEVELS
        if self.levels == "binary" and not (self.layers or self.except_layers):
            found["prune_weights"] = f"binary weights have no zero; {_LEAVE_PRUNED_OUT}"
        return found

    @property
    def named_layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (("", (*self.layers, *self.except_layers)),)


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
            hint=_TAKE_ONE,
        )
    able = {layer.name: layer for layer in model.layers if aware.channel_axes(layer)}
    chosen = [able[name] for name in chosen_layers(able, settings.layers, settings.except_layers, model.name)]
    if not chosen:
        raise BadInputError(f"step '{settings.label}' leaves no layer to work on", hint="name fewer except_layers")
    if settings.levels == "binary":
        _check_zeros(settings, chosen)
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


def _check_zeros(settings: Settings, layers: list[Any]) -> None:
    """BadInputError where binary weights would undo a pruning."""
    pruned = [layer.name for layer in layers if 0 < sparsity_of([layer.kernel]) < 1]
    if pruned:
        raise BadInputError(
            f"step '{settings.label}': weights of {', '.join(pruned)} were pruned, and binary weights have no zero",
            hint=_LEAVE_PRUNED_OUT,
        )

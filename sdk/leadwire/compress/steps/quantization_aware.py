"""quantization_aware: train on with the rounding of the device in the loop; see `compress.quantized_training`.

Kernels are rounded to 8 bits for each output channel, activations to the moving average of their ranges. What the step
leaves is a float Keras model with its learnt ranges in it, which the converter takes instead of calibrating.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadwire.compress.recipe import UNDOES_LEVELS, Fraction, StepSettings
from leadwire.compress.work import StepOutcome, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    """`freeze_after`: ranges stay as they are after this fraction of the training, so that weights settle to them.
    `follow`: the share of the loss that is the divergence from the float network's own answers, the rest is that from
    the labels; 1 asks for nothing but to decide as before.
    """

    freeze_after: Fraction = 0.5
    follow: Fraction = 0.5

    @property
    def cannot_follow(self) -> Mapping[str, str]:
        return {
            **UNDOES_LEVELS,
            "quantization_aware": "it has its ranges; let this be the last step that trains",
        }

    @property
    def leaves(self) -> str | None:
        return None  # batch normalization is folded, and ranges are layers


def apply(settings: Settings, work: Work) -> StepOutcome:
    from leadwire.compress import quantized_training as aware
    from leadwire.compress.training import check_classifier, fit, weighted_mean
    from leadwire.errors import BadInputError

    check_classifier(work.model, work.train)
    if aware.has_ranges(work.model):
        raise BadInputError(
            f"step '{settings.label}': the network was trained quantization-aware already",
            hint="let this be the last step that trains",
        )
    before, model = work.model, aware.prepared(work.model)

    def loss(network: Any, inputs: Any, labels: Any, weights: Any) -> Any:
        import keras

        answer = aware.call_rounded(network, inputs)
        hard = keras.losses.sparse_categorical_crossentropy(labels, answer)
        soft = keras.losses.kl_divergence(before(inputs, training=False), answer)
        return weighted_mean(settings.follow * soft + (1 - settings.follow) * hard, weights)

    def after_batch(done: int, total: int) -> None:
        if done == max(1, int(settings.freeze_after * total)):
            for layer in aware.ranges_of(model):
                layer.frozen.assign(1.0)

    _observe(model, work, aware)
    history = fit(work, model, settings, name="quantization-aware training", loss=loss, after_batch=after_batch)
    for kernel, axes in aware.kernels_of(model):
        kernel.assign(aware.rounded(kernel, axes))
    return StepOutcome(
        model=model,
        facts=(
            ("ranges learnt", len(aware.ranges_of(model))),
            ("epochs", len(history.losses)),
            ("macro F1 on held-out patients before", round(history.tune_f1[0], 4)),
            ("macro F1 on held-out patients after", round(history.tune_f1[history.kept_epoch], 4)),
        ),
    )


def _observe(model: Any, work: Work, aware: Any) -> None:
    """First ranges, from a few batches."""
    from leadwire.compress.batches import Batches
    from leadwire.compress.training import inputs_for

    for _, batch in zip(range(16), Batches(work.train, work.training, work.seed).epoch(0), strict=False):
        aware.call_rounded(model, inputs_for(model, work.train, batch.inputs))

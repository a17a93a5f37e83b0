"""prune_activations: how many activations are zero, and away with the channels that never say anything.

Kernels do not skip zeros: sparse activations alone make nothing faster on these targets. A channel that is zero, or
constant, for every training beat can go, and the network answers as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from leadwire.compress.layer_names import LayerNames
from leadwire.compress.recipe import UNDOES_LEVELS, Fraction, NotNegative, StepSettings
from leadwire.compress.work import Facts, StepOutcome, Work
from leadwire.errors import BadInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    """`penalty` times the sum of the layers' mean activations is added to the loss while the network trains for
    `epochs`, which silences channels; 0: nothing is trained. Then those channels go that are constant over all training
    beats, or other than zero in no more than the fraction `rare` of their values (not exact any more). `multiple`: only
    so many go that each layer keeps a multiple. `layers` (all if empty) less `skip`: whose output channels may go.
    """

    penalty: NotNegative = 0.0
    rare: Fraction = 0.0
    multiple: Annotated[int, Field(ge=1, le=64)] = 1
    layers: LayerNames = ()
    skip: LayerNames = ()

    @property
    def cannot_follow(self) -> Mapping[str, str]:
        return {**UNDOES_LEVELS, "quantization_aware": "ranges were learnt for all channels; let channels go before"}

    @property
    def named_layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (("", (*self.layers, *self.skip)),)


def apply(settings: Settings, work: Work) -> StepOutcome:
    import numpy as np

    from leadwire.compress.channels.activity import find_silent, measure_activity, rectified
    from leadwire.compress.channels.choice import Dimension, Limits, choose_channels, dimensions_of
    from leadwire.compress.channels.coupling import couple_channels
    from leadwire.compress.channels.rebuild import without_channels
    from leadwire.compress.layer_names import chosen_layers
    from leadwire.compress.quantized_training import has_ranges
    from leadwire.compress.training import check_classifier, probabilities, tune_score

    model = work.model
    check_classifier(model, work.train)
    if has_ranges(model):
        raise BadInputError(
            f"step '{settings.label}': network '{model.name}' was trained quantization-aware already, with a range for "
            "all channels of a layer together",
            hint="let channels go before that step",
        )
    coupling = couple_channels(model)
    sources = rectified(coupling)
    chosen = chosen_layers(coupling.producers, settings.layers, settings.skip, model.name)

    def zeros(network: Any, tensors: dict[str, Any]) -> dict[str, float]:
        found = measure_activity(network, list(tensors.values()), work.train) if tensors else []
        return {name: float(one.zeros.mean()) for name, one in zip(tensors, found, strict=True)}

    score, before = tune_score(model, work), zeros(model, sources)
    if settings.penalty and not sources:
        raise BadInputError(
            f"penalty: model '{model.name}' has no ReLU whose output could be silenced", hint="set it to 0"
        )
    if settings.penalty:
        _train(settings, work, model, list(sources.values()))
    silent = find_silent(model, coupling, work.train, settings.rare)
    dimensions = [
        Dimension(one.layers, tuple(root for root in one.classes if root in silent.activity))
        for one in dimensions_of(coupling, chosen)
    ]
    kept = choose_channels(
        coupling, dimensions, silent.activity, Limits(multiple=settings.multiple, at_least=1),
        channels=dict.fromkeys(coupling.producers, 0.0),
    )  # fmt: skip
    bias: dict[str, Any] = {}
    for root, added in silent.bias.items():
        if not kept[root]:
            for name, values in added.items():
                bias[name] = bias.get(name, 0) + values
    smaller = without_channels(model, coupling, kept, bias)
    change = np.abs(probabilities(model, work.train) - probabilities(smaller, work.train)).max()
    trained, after = zeros(model, sources), zeros(smaller, rectified(couple_channels(smaller)))
    facts: Facts = (
        ("channels that never say anything", len(silent.activity)),
        ("channels removed", int(sum((~kept[own]).sum() for own in coupling.producers.values()))),
        ("largest change of a probability by removing them", float(f"{change:.2g}")),
        ("macro F1 on held-out patients before", round(score, 4)),
        ("macro F1 on held-out patients after", round(tune_score(smaller, work), 4)),
        *(
            (f"zeros in {name}", " to ".join(f"{one[name]:.3f}" for one in (before, trained, after)))
            for name in sources
        ),
        *(
            (f"channels of {name}", f"{len(own)} to {int(kept[own].sum())}")
            for name, own in coupling.producers.items()
            if not kept[own].all()
        ),
    )
    return StepOutcome(model=smaller, facts=facts)


def _train(settings: Settings, work: Work, model: Any, sources: list[Any]) -> None:
    import keras
    import tensorflow as tf

    from leadwire.compress.training import fit, weighted_mean

    probe = keras.Model(model.inputs, [model.outputs[0], *sources])

    def loss(network: Any, inputs: Any, labels: Any, weights: Any) -> Any:
        answer, *values = probe(inputs, training=True)
        own = keras.losses.sparse_categorical_crossentropy(labels, answer)
        return weighted_mean(own, weights) + settings.penalty * tf.add_n([tf.reduce_mean(one) for one in values])

    fit(work, model, settings, name="training with a penalty", loss=loss)

"""prune_channels: fewer channels, chosen by importance, with fine-tuning after each round.

What a layer loses, all layers that take its channels lose too: the network is built anew, smaller, with the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from leadwire.compress.layer_names import LayerNames
from leadwire.compress.recipe import UNDOES_LEVELS, Count, StepSettings
from leadwire.compress.work import Facts, StepOutcome, Work

Part = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    """Give one of `keep_macs` (the fraction of multiply-accumulates that may be left: channels go where they are worth
    least for what they cost) and `keep_channels` (the fraction of its channels that each layer keeps).

    `rounds`: in so many steps, of the same factor each, with `round_epochs` of training between them and `epochs` after
    the last. Layers keep a multiple of `multiple` channels and no fewer than `at_least`. `layers` (all if empty) less
    `skip`: whose output channels may go, by name or pattern (`block*`). `beats`: how many training beats tell taylor.
    """

    keep_macs: Part | None = None
    keep_channels: Part | None = None
    criterion: Literal["l1", "gamma", "taylor"] = "taylor"
    rounds: Annotated[int, Field(ge=1, le=64)] = 1
    round_epochs: Count = 1
    multiple: Annotated[int, Field(ge=1, le=64)] = 4
    at_least: Annotated[int, Field(ge=1, le=4096)] = 4
    layers: LayerNames = ()
    skip: LayerNames = ()
    beats: Count = 4096

    @property
    def mistakes(self) -> tuple[str, ...]:
        if (self.keep_macs is None) == (self.keep_channels is None):
            return ("keep_macs: give one of keep_macs and keep_channels",)
        return ()

    @property
    def cannot_follow(self) -> Mapping[str, str]:
        return {**UNDOES_LEVELS, "quantization_aware": "ranges were learnt for all channels; let channels go before"}

    @property
    def named_layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (("", (*self.layers, *self.skip)),)


def apply(settings: Settings, work: Work) -> StepOutcome:
    from leadwire.compress.channels.rounds import ChannelPruning
    from leadwire.compress.training import check_classifier, fit
    from leadwire.model.keras_graph import count_macs

    check_classifier(work.model, work.train)
    pruning = ChannelPruning(settings, work)
    model, scores = work.model, []
    for number in range(1, settings.rounds + 1):
        model = pruning.cut(model, number)
        last = number == settings.rounds
        name, epochs = ("fine-tuning", None) if last else (f"round{number}", settings.round_epochs)
        history = fit(work, model, settings, name=name, epochs=epochs)
        scores += [history.tune_f1[0], history.tune_f1[history.kept_epoch]]
    left = sum(count for _, count in count_macs(model))
    facts: Facts = (
        ("criterion", settings.criterion),
        ("multiply-accumulates before", pruning.macs),
        ("multiply-accumulates after", left),
        ("multiply-accumulates left", round(left / pruning.macs, 4)),
        ("parameters before", pruning.parameters),
        ("parameters after", model.count_params()),
        ("macro F1 on held-out patients after the first cut", round(scores[0], 4)),
        ("macro F1 on held-out patients after fine-tuning", round(scores[-1], 4)),
        *pruning.facts(model),
    )
    return StepOutcome(model=model, facts=facts)

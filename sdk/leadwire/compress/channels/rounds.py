"""The rounds of prune_channels: what of a model may go, and the cut of each round. Imported where Keras runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadwire.compress.layer_names import chosen_layers
from leadwire.compress.work import Facts, Keras, Work
from leadwire.errors import BadInputError
from leadwire.model.keras_graph import count_macs

from .choice import Dimension, Limits, choose_channels, dimensions_of
from .coupling import Coupling, Names, couple_channels
from .importance import importance_of, mean_gammas
from .rebuild import without_channels

if TYPE_CHECKING:
    from leadwire.compress.steps.prune_channels import Settings


class ChannelPruning:
    """`macs`, `parameters` and channels of the model before the first cut, by which the targets of all rounds are set.

    BadInputError (2) for layers that are not there, and where no channel may go.
    """

    def __init__(self, settings: Settings, work: Work) -> None:
        self._settings, self._work = settings, work
        coupling = couple_channels(work.model)
        self.macs = sum(count for _, count in count_macs(work.model))
        self.parameters = int(work.model.count_params())
        self._channels = {name: len(own) for name, own in coupling.producers.items()}
        self._chosen = chosen_layers(coupling.producers, settings.layers, settings.skip, work.model.name)
        free = {name for dimension in self._dimensions(coupling) for name in dimension.layers}
        self._reasons = {
            name: self._reason(coupling, name, own) for name, own in coupling.producers.items() if name not in free
        }
        if not free:
            told = "; ".join(f"{name}: {reason}" for name, reason in self._reasons.items())
            raise BadInputError(f"no channel of model '{work.model.name}' can go: {told}", hint="name other layers")

    def cut(self, model: Keras, number: int) -> Keras:
        """`model` after the cut of round `number` (from 1)."""
        settings = self._settings
        coupling = couple_channels(model)
        dimensions = self._dimensions(coupling)
        importance = importance_of(
            settings.criterion, model, coupling, self._work, label=settings.label, beats=settings.beats
        )
        limits = Limits(multiple=settings.multiple, at_least=settings.at_least)
        share = number / settings.rounds
        if settings.keep_macs is not None:
            most = int(self.macs * settings.keep_macs**share)
            kept = choose_channels(coupling, dimensions, importance, limits, macs=most)
        else:
            assert settings.keep_channels is not None
            left = {name: count * settings.keep_channels**share for name, count in self._channels.items()}
            kept = choose_channels(coupling, dimensions, importance, limits, channels=left)
        return without_channels(model, coupling, kept)

    def facts(self, model: Keras) -> Facts:
        """Channels of each layer before and after, and why those of some layers all stayed."""
        after = couple_channels(model).producers
        return (
            *((f"channels of {name}", f"{count} to {len(after[name])}") for name, count in self._channels.items()),
            *((f"why {name} keeps all", reason) for name, reason in self._reasons.items()),
        )

    def _dimensions(self, coupling: Coupling) -> list[Dimension]:
        found = dimensions_of(coupling, self._chosen)
        if self._settings.criterion != "gamma":
            return list(found)
        told = mean_gammas(coupling, self._work.model.name).keys()
        return [one for one in found if told >= set(one.classes)]

    def _reason(self, coupling: Coupling, name: str, own: Names) -> str:
        if fixed := coupling.reason(int(own[0])):
            return fixed
        if name not in self._chosen:
            return "the recipe leaves it out"
        if self._settings.criterion == "gamma":
            return "it or what it is coupled to has no batch normalization to tell by"
        return "it is coupled to a layer that the recipe leaves out"

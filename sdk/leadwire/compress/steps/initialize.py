"""initialize: leave the network as it is. What a network of the zoo costs on a board is known before it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leadwire.compress.recipe import StepSettings
from leadwire.compress.work import StepOutcome, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    @property
    def cannot_follow(self) -> Mapping[str, str]:
        return {}


def apply(settings: Settings, work: Work) -> StepOutcome:
    return StepOutcome(model=work.model)

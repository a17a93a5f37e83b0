"""The steps: one module for each, named by its kind, with a record `Settings` and a function `apply`.

class Settings(StepSettings): ...                       what a recipe may say; nothing heavy is imported for it
def apply(settings: Settings, work: Work) -> StepOutcome    Keras is imported here
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

from leadwire.compress.data import check_class_factors
from leadwire.compress.recipe import StepSettings
from leadwire.compress.work import StepOutcome, Work
from leadwire.errors import BadInputError


@cache
def kinds() -> tuple[str, ...]:
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def settings_of(kind: str) -> type[StepSettings] | None:
    """The type of a kind's settings, None for an unknown kind."""
    if kind not in kinds():
        return None
    settings: type[StepSettings] = _module(kind).Settings
    return settings


def apply_step(settings: StepSettings, work: Work) -> StepOutcome:
    """Run one step in this process, on the model in `work`. Keras' random numbers begin at `work.seed`: the same work
    gives the same model. Errors are those of the step; TrainingError (2) for a loss that is no number, BadInputError
    (2) for settings that contradict each other, and for factors of classes that the data has not."""
    from keras.utils import set_random_seed

    if settings.mistakes:
        raise BadInputError(f"step '{settings.label}': {'; '.join(settings.mistakes)}")
    check_class_factors(work.training, work.train)
    set_random_seed(work.seed)
    outcome: StepOutcome = _module(settings.kind).apply(settings, work)
    return outcome


def _module(kind: str) -> Any:
    return import_module(f"{__name__}.{kind}")

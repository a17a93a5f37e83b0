"""fine_tune: train on, with nothing else done. Also how a network of the zoo gets its first training."""

from __future__ import annotations

from dataclasses import dataclass

from leadwire.compress.recipe import StepSettings
from leadwire.compress.work import StepOutcome, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    pass


def apply(settings: Settings, work: Work) -> StepOutcome:
    from leadwire.compress.training import check_classifier, fit

    check_classifier(work.model, work.train)
    history = fit(work, work.model, settings)
    return StepOutcome(
        model=work.model,
        facts=(
            ("epochs", len(history.losses)),
            ("kept epoch", history.kept_epoch),
            ("macro F1 on held-out patients before", round(history.tune_f1[0], 4)),
            ("macro F1 on held-out patients after", round(history.tune_f1[history.kept_epoch], 4)),
        ),
    )

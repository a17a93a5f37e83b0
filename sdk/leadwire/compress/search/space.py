"""What a candidate is, and how Optuna proposes one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadwire import zoo

from .plan import Range, SearchPlan

Value = int | float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A network of the zoo and how it is trained. Equal candidates have equal digests, and are judged once."""

    family: str
    settings: Mapping[str, Value]
    learning_rate: float
    epochs: int
    prune: float
    quantization_aware: bool

    @property
    def digest(self) -> str:
        told = [
            self.family, dict(self.settings), self.learning_rate, self.epochs, self.prune, self.quantization_aware,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        """'resnet width=12 blocks=1', for tables."""
        parts = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.settings.items()
        ]
        if self.prune < 1:
            parts.append(f"prune={self.prune:g}")
        if self.quantization_aware:
            parts.append("quantization-aware")
        return " ".join([self.family, *parts])

    def recipe(self, plan: SearchPlan) -> dict[str, Any]:
        """The recipe that makes it, as a table of TOML; paths are absolute."""
        steps: list[dict[str, Any]] = [
            {"kind": "fine_tune", "name": "train", "epochs": self.epochs, "learning_rate": self.learning_rate}
        ]
        if self.prune < 1:
            steps.append({"kind": "prune_channels", "keep_macs": self.prune})
        if self.quantization_aware:
            steps.append({"kind": "quantization_aware"})
        return {
            "name": self.family.replace("_", "-"),
            "seed": plan.seed,
            "output": ".",
            "model": {"family": self.family, "settings": dict(self.settings)},
            "dataset": _plain(plan.dataset) | _places(plan),
            "training": _plain(plan.training),
            "quantization": _plain(plan.quantization),
            "target": _plain(plan.target),
            "steps": steps,
        }


def suggest(plan: SearchPlan, trial: Any) -> Candidate:
    """A candidate from an Optuna trial. Settings of another family are other parameters: `resnet.width`."""
    family = str(trial.suggest_categorical("family", list(plan.space.families)))
    settings: dict[str, Value] = {}
    own = plan.space.settings.get(family, {})
    for name, proposed in sorted({**zoo.FAMILIES[family].search, **own}.items()):
        settings[name] = _value(trial, f"{family}.{name}", proposed)
    rate = plan.space.learning_rate
    return Candidate(
        family=family,
        settings=settings,
        learning_rate=float(f"{trial.suggest_float('learning_rate', rate.low, rate.high, log=rate.log):.3g}"),
        epochs=int(trial.suggest_categorical("epochs", list(plan.space.epochs))),
        prune=float(trial.suggest_categorical("prune", list(plan.space.prune))),
        quantization_aware=bool(trial.suggest_categorical("quantization_aware", list(plan.space.quantization_aware))),
    )


def _value(trial: Any, name: str, proposed: Any) -> Value:
    if isinstance(proposed, (Range, zoo.Span)):
        low, high, step = proposed.low, proposed.high, proposed.step
        whole = all(float(one).is_integer() for one in (low, high, step or 1))
        if whole:
            found: Value = trial.suggest_int(name, int(low), int(high), step=int(step or 1))
        else:
            log = isinstance(proposed, Range) and proposed.log
            found = float(f"{trial.suggest_float(name, low, high, step=None if log else step, log=log):.6g}")
        return found
    chosen: Value = trial.suggest_categorical(name, list(proposed))
    return chosen


def _plain(record: Any) -> dict[str, Any]:
    """A record as a table of TOML, which knows no None and no tuples."""
    table: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record)))
    return {name: value for name, value in table.items() if value is not None}


def _places(plan: SearchPlan) -> dict[str, str]:
    found = {}
    if plan.dataset.source.endswith(".toml"):
        found["source"] = str((plan.base / plan.dataset.source).resolve())
    if plan.dataset.folder:
        found["folder"] = str((plan.base / plan.dataset.folder).resolve())
    return found

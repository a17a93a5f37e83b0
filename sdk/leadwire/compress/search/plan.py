"""`search.toml`: families, ranges, objectives and the budget of a search. Paths are relative to its folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from leadwire import zoo
from leadwire.compress.recipe import (
    Count,
    Fraction,
    Name,
    Positive,
    RecipeData,
    RecipeQuantization,
    RecipeTarget,
    Training,
)
from leadwire.errors import ConfigError
from leadwire.strict import parse_table, read_toml

Resource = Literal["flash_bytes", "ram_bytes", "instructions"]
Bytes = Annotated[int, Field(gt=0, le=2**32)]
_CHANGES_NO_FIGURE: Final = ("path", "output", "trials", "score_floor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """From `low` to `high`, in whole `step`s where one is given, on a logarithmic scale where `log` is true."""

    low: float
    high: float
    step: float | None = None
    log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """What may vary. `families` of the zoo, each setting over the range that the family itself proposes unless
    `settings` (by family, then by setting: a list of choices, or low, high and step) says otherwise; `learning_rate`
    and `epochs` of the first training; `prune`: shares of the multiply-accumulates that channel pruning leaves, 1 for
    none; `quantization_aware`: whether candidates end with that training, or may do either.
    """

    families: Annotated[tuple[str, ...], Field(min_length=1, max_length=32)]
    settings: Mapping[str, Mapping[str, list[int | float | str | bool] | Range]] = field(default_factory=dict)
    learning_rate: Range = Range(low=5e-4, high=5e-3, log=True)
    epochs: Annotated[tuple[Count, ...], Field(min_length=1, max_length=16)] = (4,)
    prune: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1, max_length=16)] = (1.0,)
    quantization_aware: Annotated[tuple[bool, ...], Field(min_length=1, max_length=2)] = (False,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBudget:
    """Hard limits of a candidate, those of the board file where none are given here. A candidate that is over one
    before it is trained is not trained, unless it is to be pruned."""

    flash_bytes: Bytes | None = None
    ram_bytes: Bytes | None = None
    latency_us: Positive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchObjective:
    """What is best: `score` on the patients held out, of the integer model (macro_f1 over the data's classes;
    patient_macro_f1, its mean over patients; or sensitivity, positive_predictivity or f1 of `label`), and the least of
    `resources`."""

    score: Literal["macro_f1", "patient_macro_f1", "sensitivity", "positive_predictivity", "f1"] = "macro_f1"
    label: str = ""
    resources: Annotated[tuple[Resource, ...], Field(max_length=3)] = ("flash_bytes", "ram_bytes", "instructions")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    name: Name
    dataset: RecipeData
    space: SearchSpace
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    trials: Annotated[int, Field(ge=1, le=100_000)] = 40
    startup_trials: Annotated[int, Field(ge=1, le=10_000)] = 10
    output: str = "out"
    training: Training = field(default_factory=Training)
    quantization: RecipeQuantization = field(default_factory=RecipeQuantization)
    target: RecipeTarget = field(default_factory=RecipeTarget)
    budget: SearchBudget = field(default_factory=SearchBudget)
    objective: SearchObjective = field(default_factory=SearchObjective)
    score_floor: Fraction = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """A plan that was read. The first `startup_trials` are drawn at random; the front shows scores of `score_floor` or
    more alone."""

    path: Path
    name: str
    dataset: RecipeData
    space: SearchSpace
    seed: int
    trials: int
    startup_trials: int
    output: Path
    training: Training
    quantization: RecipeQuantization
    target: RecipeTarget
    budget: SearchBudget
    objective: SearchObjective
    score_floor: float

    @property
    def base(self) -> Path:
        return self.path.resolve().parent

    @property
    def values(self) -> dict[str, str]:
        """What the file says, each value by its key ('target.board'), less what changes no candidate and no figure:
        where the folders are, how many trials there are and which the front shows."""
        return {key: value for key, value in _flat(dataclasses.asdict(self)) if key not in _CHANGES_NO_FIGURE}


def load_search(path: Path, *, output: Path | None = None, trials: int | None = None) -> SearchPlan:
    """FileMissingError or ConfigError (2) with all mistakes; `output` and `trials` go before the file's."""
    given = parse_table(_File, read_toml(path, "search"), path)
    mistakes = [*_mistakes(given)]
    if mistakes:
        raise ConfigError(path, mistakes)
    rest: dict[str, Any] = {one.name: getattr(given, one.name) for one in dataclasses.fields(given)}
    rest["output"] = output if output is not None else path.resolve().parent / given.output
    if trials is not None:
        rest["trials"] = trials
    return SearchPlan(path=path, **rest)


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif value is not None:
            yield f"{before}{name}", value if isinstance(value, str) else json.dumps(value, default=str)


def _mistakes(given: _File) -> list[str]:
    found = []
    space, objective = given.space, given.objective
    for family in (*space.families, *space.settings):
        if family not in zoo.FAMILIES:
            found.append(f"space: there is no family '{family}'; families: {', '.join(zoo.FAMILIES)}")
        elif zoo.FAMILIES[family].gives != "classes":
            found.append(f"space: family '{family}' gives {zoo.FAMILIES[family].gives}, not classes")
    for family, settings in space.settings.items():
        known = (
            {one.name for one in dataclasses.fields(zoo.FAMILIES[family].settings)} if family in zoo.FAMILIES else set()
        )
        for name, values in settings.items():
            if known and name not in known:
                found.append(f"space.settings.{family}.{name}: unknown; {family} has {', '.join(sorted(known))}")
            if not values:
                found.append(f"space.settings.{family}.{name}: no choices")
            if isinstance(values, Range) and not values.low <= values.high:
                found.append(f"space.settings.{family}.{name}: low {values.low} is above high {values.high}")
    if not 0 < space.learning_rate.low <= space.learning_rate.high:
        found.append(
            f"space.learning_rate: 0 < low <= high is not so: {space.learning_rate.low}, {space.learning_rate.high}"
        )
    of_label = objective.score in ("sensitivity", "positive_predictivity", "f1")
    if of_label != bool(objective.label):
        found.append(f"objective.label: {'missing for' if of_label else 'has no meaning with'} score {objective.score}")
    return found

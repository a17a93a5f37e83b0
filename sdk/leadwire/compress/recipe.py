"""`recipe.toml`: what a network is made of and by which steps it is made smaller. Paths are relative to its folder.

Parsed strictly; all mistakes of all steps are reported at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from leadwire import zoo
from leadwire.artifacts import Goal, QuantizationMode
from leadwire.errors import BadInputError, ConfigError
from leadwire.strict import parse_table, read_toml

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=10**6)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]
MAX_STEPS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """How each training beat is disturbed anew in each epoch. Only inputs of shape [samples, channels] are; `features`
    is the standard deviation of noise on inputs of shape [values], which are clipped to -1..1 where they lie there.

    `shift_samples`: moved by up to so many samples; `gain`: standard deviation of the logarithm of a factor;
    `wander_mv`: of the amplitude of a slow sine; `noise_mv`: of white noise; `polarity`: half of them upside down.
    """

    shift_samples: Annotated[int, Field(ge=0, le=1000)] = 0
    gain: Annotated[float, Field(ge=0, le=2)] = 0.0
    wander_mv: NotNegative = 0.0
    noise_mv: NotNegative = 0.0
    polarity: bool = False
    features: NotNegative = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How every step trains that trains; a step's own `epochs` and `learning_rate` go before these.

    An epoch holds `majority_per_epoch` beats of the most frequent class, drawn anew (0: all), and all others. Classes
    weigh by the root of their rarity times `class_factors` (1 where not named), within a class a patient by the root of
    the beats he has. AdamW with a cosine from `learning_rate` to zero. `shortened` adds, for each patient with at
    least ten beats of class S, recordings in which each stretch of normal beats is cut to so many. The weights kept
    are those of the last epoch, or with `keep` = 'best' those of the epoch with the highest macro F1 on the patients
    held out.
    """

    epochs: Count = 4
    batch: Annotated[int, Field(ge=1, le=65536)] = 128
    learning_rate: Positive = 5e-4
    weight_decay: NotNegative = 1e-2
    majority_per_epoch: Annotated[int, Field(ge=0, le=10**7)] = 10_000
    class_factors: Mapping[str, NotNegative] = field(default_factory=dict)
    shortened: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], Field(max_length=8)] = ()
    keep: Literal["last", "best"] = "last"
    augment: Augment = field(default_factory=Augment)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartModel:
    """What the recipe starts from: a Keras file (`path`), or a network of the zoo with random weights (`family` and its
    `settings`), which the first step has to train."""

    path: str = ""
    family: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeData:
    """Whose beats. `tune_patients` are held out of `train_split`: choices are made on them, nothing is trained on them.
    Not given, every fifth patient in the order of their names. `folder` overrides where recordings lie.
    `classes` are those of the macro F1 by which steps are compared; () means all."""

    source: str
    folder: str = ""
    train_split: str = "train"
    test_split: str = "test"
    tune_patients: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeQuantization:
    """How the model after each step becomes integers to be measured."""

    mode: QuantizationMode = "int8"
    count: Annotated[int, Field(ge=1, le=10**6)] = 300
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    stratify: Literal["class", "patient", "class+patient"] = "class+patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTarget:
    """The board on which flash, RAM and instructions are counted after each step; it must be an emulated one."""

    board: str = "virtual-stm32f405"
    goal: Goal = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """What every step's settings begin with: `name` in tables and folders, by default the step's kind."""

    name: Name | Literal[""] = ""
    epochs: Count | None = None
    learning_rate: Positive | None = None

    @property
    def kind(self) -> str:
        """The step's module: leadwire.compress.steps.<kind>."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def label(self) -> str:
        return self.name or self.kind

    @property
    def mistakes(self) -> tuple[str, ...]:
        """What is wrong between values that are right each by itself, 'key: what is wrong'."""
        return ()

    @property
    def cannot_follow(self) -> Mapping[str, str]:
        """Kinds of steps whose work this one would undo, or cannot go on from, each with the reason and what to do."""
        return UNDOES_LEVELS

    @property
    def files(self) -> tuple[str, ...]:
        """Keras files that the settings name."""
        return ()

    @property
    def named_layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Names and patterns of layers in the settings, by network: one of `files`, or '' for the network so far."""
        return ()

    @property
    def leaves(self) -> str | None:
        """Which layers the network has that the step leaves: '' those of the network so far, one of `files` those of
        that file, None others, which Keras alone can tell."""
        return ""


UNDOES_LEVELS: Mapping[str, str] = {
    "few_levels": "it would move the weights off their levels again; let few_levels be the last step"
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The file as it is written; a step is parsed by its own kind."""

    name: Name
    model: StartModel
    dataset: RecipeData
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    output: str = "out"
    training: Training = field(default_factory=Training)
    quantization: RecipeQuantization = field(default_factory=RecipeQuantization)
    target: RecipeTarget = field(default_factory=RecipeTarget)
    steps: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=MAX_STEPS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe that was read: `steps` are records of their kinds' own settings, `base` is the file's folder."""

    path: Path
    name: str
    model: StartModel
    dataset: RecipeData
    seed: int
    output: Path
    training: Training
    quantization: RecipeQuantization
    target: RecipeTarget
    steps: tuple[StepSettings, ...]

    @property
    def base(self) -> Path:
        return self.path.resolve().parent


def load_recipe(path: Path, *, output: Path | None = None) -> Recipe:
    """FileMissingError or ConfigError (2) with all mistakes: unknown keys, values out of range, unknown steps."""
    from . import steps

    given = parse_table(_File, read_toml(path, "recipe"), path)
    mistakes: list[str] = []
    parsed: list[tuple[int, StepSettings]] = []
    for index, table in enumerate(given.steps):
        kind = table.get("kind")
        settings = steps.settings_of(kind) if isinstance(kind, str) else None
        if settings is None:
            mistakes.append(f"steps[{index}].kind: must be one of {', '.join(steps.kinds())}, found {kind!r}")
            continue
        try:
            one = parse_table(settings, {k: v for k, v in table.items() if k != "kind"}, path)
            mistakes += [f"steps[{index}].{mistake}" for mistake in one.mistakes]
            parsed.append((index, one))
        except ConfigError as error:
            mistakes += [f"steps[{index}].{mistake}" for mistake in error.mistakes]
    if bool(given.model.path) == bool(given.model.family):
        mistakes.append("model: give either path, a Keras file, or family, a network of the zoo")
    mistakes += [f"model.{mistake}" for mistake in family_mistakes(given.model.family, given.model.settings)]
    mistakes += _mistakes_of_order(parsed)
    if mistakes:
        raise ConfigError(path, mistakes)
    rest = {one.name: getattr(given, one.name) for one in dataclasses.fields(given)}
    folder = output if output is not None else path.resolve().parent / given.output
    return Recipe(path=path, **(rest | {"output": folder, "steps": tuple(one for _, one in parsed)}))


def family_mistakes(family: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with a family of the zoo ('' for none) and its settings, 'key: what is wrong'."""
    if not family:
        return ("settings: have no meaning without a family",) if settings else ()
    try:
        zoo.settings(family, settings)
    except ConfigError as error:
        return tuple(f"settings.{mistake}" for mistake in error.mistakes)
    except BadInputError as error:
        return (f"family: {error.message}; {error.hint}",)
    gives = zoo.FAMILIES[family].gives
    return () if gives == "classes" else (f"family: {family} gives {gives}, not classes",)


def _mistakes_of_order(steps: Sequence[tuple[int, StepSettings]]) -> list[str]:
    """Steps behind one that they cannot follow; a step that leaves another network ends what was before it."""
    found: list[str] = []
    before: dict[str, int] = {}
    for index, step in steps:
        found += [
            f"steps[{index}]: {step.kind} cannot follow {kind} (steps[{before[kind]}]): {why}"
            for kind, why in step.cannot_follow.items()
            if kind in before
        ]
        if step.leaves != "":
            before = {}
        before[step.kind] = index
    return found

"""Quantization outside the line: a model file in a mode, its layers ranked, its modes side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from leadwire.artifacts import (
    Calibrator,
    ModeComparison,
    QuantizationMode,
    QuantizationRecipe,
    QuantizedModel,
    SensitivityResult,
)
from leadwire.datasets import Dataset, load_dataset, read_source
from leadwire.datasets.source import patients_of
from leadwire.errors import BadInputError
from leadwire.project import Project, load_project
from leadwire.quantize import CalibrationPolicy, Stratify, compare_modes, measure_sensitivity, quantize_model

from .watcher import Watcher

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToQuantize:
    """A float model and what it is calibrated on."""

    source: Path
    dataset: Dataset
    policy: CalibrationPolicy
    recipe: QuantizationRecipe = field(default_factory=QuantizationRecipe)
    per_tensor_dense: bool = False
    test_patients: tuple[str, ...] = ()


def of_file(
    source: Path,
    dataset: str,
    *,
    split: str,
    count: int,
    seed: int,
    stratify: str,
    per_tensor_dense: bool,
    recipe: QuantizationRecipe,
) -> ToQuantize:
    """A model file with calibration from one split of a dataset."""
    policy = CalibrationPolicy(count=count, seed=seed, stratify=_one_of("stratification", stratify, Stratify))
    return ToQuantize(
        source=source,
        dataset=load_dataset(read_source(dataset), split),
        policy=policy,
        recipe=recipe,
        per_tensor_dense=per_tensor_dense,
    )


def of_project(path: Path) -> ToQuantize:
    """The model of a leadwire.toml with the project's calibration; its test patients stay out."""
    project = load_project(path)
    settings, source = project.settings, read_source(project.dataset)
    folder = Path(project.dataset_folder) if project.dataset_folder else None
    tested = patients_of(source, settings.dataset.test_split)
    if tested is None:
        tested = load_dataset(source, settings.dataset.test_split, folder=folder).patients
    return ToQuantize(
        source=project.model,
        dataset=load_dataset(source, settings.calibration.split, folder=folder),
        policy=policy_of(settings),
        recipe=recipe_of(settings),
        per_tensor_dense=settings.model.per_tensor_dense,
        test_patients=tuple(sorted(set(tested))),
    )


def policy_of(settings: Project) -> CalibrationPolicy:
    given = settings.calibration
    return CalibrationPolicy(count=given.count, seed=given.seed, stratify=given.stratify)


def recipe_of(settings: Project) -> QuantizationRecipe:
    model, calibration = settings.model, settings.calibration
    return QuantizationRecipe(
        calibrator=calibration.method,
        percentile=calibration.percentile,
        equalize=model.equalize,
        bias_correction=model.bias_correction,
        keep=model.keep,
        keep_as=model.keep_as,
        target_sqnr_db=model.target_sqnr_db,
    )


def recipe_from(calibrator: str, keep_as: str, **others: Any) -> QuantizationRecipe:
    """A recipe from words of the command line; BadInputError names those there are."""
    return QuantizationRecipe(
        calibrator=_one_of("calibrator", calibrator, Calibrator),
        keep_as=_one_of("form to keep layers in", keep_as, ("int16x8", "float")),
        **others,
    )


def quantize_file(wanted: ToQuantize, out: Path, mode: str) -> QuantizedModel:
    """Quantize a model file; `mode` is a word of the command line."""
    return quantize_model(
        wanted.source,
        wanted.dataset,
        wanted.policy,
        out,
        mode=_one_of("mode", mode, QuantizationMode),
        recipe=wanted.recipe,
        per_tensor_dense=wanted.per_tensor_dense,
    )


def rank_layers(wanted: ToQuantize, watcher: Watcher) -> SensitivityResult:
    """The layers of a float model by what each costs alone in int8."""
    recipe = wanted.recipe
    plain = QuantizationRecipe(calibrator=recipe.calibrator, percentile=recipe.percentile, equalize=recipe.equalize)
    return measure_sensitivity(
        wanted.source,
        wanted.dataset,
        wanted.policy,
        test_patients=wanted.test_patients,
        recipe=plain,
        per_tensor_dense=wanted.per_tensor_dense,
        progress=lambda done, total: watcher.progress("layers", done, total),
    )


def compare_all(wanted: ToQuantize, watcher: Watcher) -> ModeComparison:
    """Every mode, calibrator and repair of a float model side by side."""
    return compare_modes(
        wanted.source,
        wanted.dataset,
        wanted.policy,
        test_patients=wanted.test_patients,
        per_tensor_dense=wanted.per_tensor_dense,
        progress=lambda done, total: watcher.progress("modes", done, total),
    )


def _one_of(what: str, word: str, kind: Any) -> Any:
    words: Iterable[str] = kind if isinstance(kind, tuple) else get_args(kind)
    if word not in words:
        raise BadInputError(f"there is no {what} '{word}'", hint=f"one of: {', '.join(words)}")
    return word

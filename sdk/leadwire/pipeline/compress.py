"""A recipe's steps, and what each did: to accuracy on patients nobody was trained on, to flash, RAM and instructions.

The model after each step is quantized as the recipe says, its firmware is generated, built and run on the emulated
board, and both the float and the integer model answer all beats of the test split.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import (
    ClassFigures,
    CompressionResult,
    CompressionRow,
    Interval,
)
from leadwire.compress import FinishedStep, Recipe, run_recipe
from leadwire.compress.data import class_indices, load_training
from leadwire.compress.networks import start_model
from leadwire.compress.scores import class_counts, macro_f1, paired_f1
from leadwire.compress.work import split_patients
from leadwire.datasets import Dataset, check_disjoint, load_dataset, read_source
from leadwire.stats import Bootstrap, bootstrap_interval, ratio, ratio_loss
from leadwire.strict import parse_table, read_json
from leadwire.workspace import Workspace, file_digest

from .alone import Options
from .measured import decided_by_integers, emulated_target, measure_keras
from .watcher import Watcher

BOOTSTRAP = Bootstrap(resamples=2000, seed=20040719, method="bootstrap-t")

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Everything that is the same for all rows."""

    recipe: Recipe
    calibration: Dataset
    test: Dataset
    classes: tuple[int, ...]
    options: Options
    workspace: Workspace


def compress_model(recipe: Recipe, watcher: Watcher, *, fresh: bool = False) -> CompressionResult:
    """Run a recipe and judge the model it starts from and the model after each step.

    Before anything is trained are checked: files and layers that the recipe names (`start_model`), the data, that no
    patient is on both sides (LeakError), classes, the board. Errors of the stages otherwise; what was finished stays,
    and the next run goes on from there.
    """
    first = start_model(recipe)
    source = read_source(recipe.dataset.source)
    folder = recipe.base / recipe.dataset.folder if recipe.dataset.folder else None
    watcher.stage("load data", False)
    given = load_dataset(source, recipe.dataset.train_split, folder=folder)
    test = load_dataset(source, recipe.dataset.test_split, folder=folder)
    check_disjoint(given, test)
    train, tune = load_training(recipe, given)
    calibration, _ = split_patients(given, recipe.dataset.tune_patients)
    classes = class_indices(test, recipe.dataset.classes)
    options = emulated_target(recipe.target)
    workspace = Workspace(recipe.output, fresh=fresh, on_stage=watcher.stage)
    judge = _Judge(
        recipe=recipe,
        calibration=calibration,
        test=test,
        classes=classes,
        options=options,
        workspace=workspace,
    )
    rows: list[CompressionRow] = []
    if first is not None:
        rows.append(_judge(judge, "start", "start", first, (), None))

    def finished(step: FinishedStep) -> None:
        base = rows[0] if rows else None
        rows.append(_judge(judge, step.label, step.kind, step.model, step.facts, base))

    run_recipe(recipe, (train, tune), fresh=fresh, progress=watcher.progress, begun=watcher.stage, finished=finished)
    return CompressionResult(
        recipe=recipe.name,
        recipe_text=recipe.path.read_text(encoding="utf-8"),
        recipe_digest=file_digest(recipe.path),
        training_digest=train.digest,
        dataset=test.name,
        dataset_digest=test.digest,
        test_beats=len(test),
        test_patients=len(set(test.patients)),
        tune_patients=tuple(sorted(set(tune.patients))),
        classes=tuple(test.label_names[label] for label in classes),
        board=options.board.id,
        clock_hz=options.board.clock_hz,
        goal=recipe.target.goal,
        mode=recipe.quantization.mode,
        rows=tuple(rows),
    )


def read_compression(path: Path) -> CompressionResult:
    """What `leadwire compress` left (`compression.json`); FileMissingError, or ConfigError with every mistake."""
    return parse_table(CompressionResult, read_json(path, "compression record"), path)


def _judge(
    judge: _Judge, label: str, kind: str, model: Path, facts: Any, base: CompressionRow | None
) -> CompressionRow:
    """One row, from the output folder where nothing that it depends on has changed."""
    digest = file_digest(model)
    base_answers = _answers_file(judge, base.model_digest) if base else None
    return judge.workspace.stage(
        f"judge {label} {digest[:12]}",
        CompressionRow,
        {
            "model": digest,
            "base": base.model_digest if base else "",
            "label": [label, kind, facts],
            "data": [judge.calibration.digest, judge.test.digest],
            "options": [str(judge.recipe.quantization), str(judge.recipe.target), judge.classes],
            "interval": BOOTSTRAP.describe(),
        },
        lambda: _row(judge, label, kind, model, digest, facts, base_answers),
        files=lambda row: [_answers_file(judge, row.model_digest)],
    )


def _answers_file(judge: _Judge, digest: str) -> Path:
    return judge.recipe.output / "judged" / digest[:16] / "float.npy"


def _row(
    judge: _Judge, label: str, kind: str, source: Path, digest: str, facts: Any, base_answers: Path | None
) -> CompressionRow:
    test, settings = judge.test, judge.recipe.quantization
    folder = _answers_file(judge, digest).parent
    measured = measure_keras(source, judge.calibration, settings, judge.options, folder, test.patients)
    quantized, figures = measured.quantized, measured.figures
    real = reference.run_float(source, test.inputs, test.input_names).argmax(axis=1)
    np.save(_answers_file(judge, digest), real, allow_pickle=False)
    decided = decided_by_integers(quantized.path, test)
    of_float, of_int8 = (class_counts(test, one, judge.classes) for one in (real, decided))
    of_base = of_float if base_answers is None else class_counts(test, np.load(base_answers), judge.classes)
    loss, loss_interval = _loss(of_base, of_int8)
    own, own_interval = _loss(of_float, of_int8)
    content = quantized.path.read_bytes()
    return CompressionRow(
        label=label,
        kind=kind,
        model_digest=digest,
        tflite_digest=quantized.digest,
        parameters=figures.parameters,
        macs=figures.macs,
        float_bytes=4 * figures.parameters,
        tflite_bytes=len(content),
        packed_bytes=len(zlib.compress(content, 9)),
        flash_bytes=figures.flash_bytes,
        ram_bytes=figures.ram_bytes,
        arena_bytes=figures.arena_bytes,
        instructions=measured.instructions,
        cycles=measured.cycles,
        float_f1=float(macro_f1(of_float.sum(axis=0))),
        f1=float(macro_f1(of_int8.sum(axis=0))),
        loss=loss,
        loss_interval=loss_interval,
        quantization_loss=own,
        quantization_loss_interval=own_interval,
        accuracy=float((decided == test.labels).mean()),
        classes=tuple(
            _class_figures(test.label_names[index], of_int8[:, 3 * place : 3 * place + 3])
            for place, index in enumerate(judge.classes)
        ),
        facts=facts,
    )


def _loss(before: Counts, after: Counts) -> tuple[float, Interval | None]:
    """Macro F1 before less macro F1 after, with its interval by patients."""
    lost = float(macro_f1(before.sum(axis=0)) - macro_f1(after.sum(axis=0)))
    return lost, bootstrap_interval(paired_f1(before, after), ratio_loss, BOOTSTRAP)


def _class_figures(label: str, counts: Counts) -> ClassFigures:
    """`counts` [patients, 3]: true positives, reference beats, decisions."""
    total = counts.sum(axis=0)
    return ClassFigures(
        label=label,
        beats=int(total[1]),
        sensitivity=float(total[0] / total[1]) if total[1] else 0.0,
        sensitivity_interval=bootstrap_interval(counts[:, [0, 1]], ratio, BOOTSTRAP),
        positive_predictivity=float(total[0] / total[2]) if total[2] else 0.0,
        positive_predictivity_interval=bootstrap_interval(counts[:, [0, 2]], ratio, BOOTSTRAP),
    )

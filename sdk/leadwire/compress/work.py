"""What a step works with, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leadwire.datasets import Dataset, take
from leadwire.errors import DatasetError

from .recipe import Training

Facts = tuple[tuple[str, str | int | float], ...]
Keras = Any
"""A keras.Model; Keras is not imported where this is read."""


def _untold(label: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`model` may be changed in place. `train` and `tune` share no patient; `tune` is to choose by. `train` has what
    `data.with_shortened` adds.

    `classes` are the indices of the labels that macro F1 is the mean over. `folder` is the step's own, for checkpoints
    and by-products; `base` is what paths in settings are relative to.
    """

    model: Keras
    train: Dataset
    tune: Dataset
    training: Training
    classes: tuple[int, ...]
    seed: int
    folder: Path
    base: Path
    progress: Callable[[str, int, int], None] = _untold


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """`facts` are what the step has to say of itself, for tables and evidence: sparsity reached, channels removed."""

    model: Keras
    facts: Facts = ()


def split_patients(dataset: Dataset, tune_patients: Iterable[str] = ()) -> tuple[Dataset, Dataset]:
    """(train, tune): the patients named, or every fifth in the order of their names, are held out.

    DatasetError for a patient who is not there, or where nobody would be left to train on.
    """
    present = sorted(set(dataset.patients))
    held = set(tune_patients) or set(present[2::5] or present[-1:])
    if unknown := sorted(held - set(present)):
        raise DatasetError(
            dataset.name,
            f"split '{dataset.split}' has no patient {', '.join(unknown)} to hold out",
            hint=f"its patients: {', '.join(present)}",
        )
    if len(held) == len(present):
        raise DatasetError(
            dataset.name,
            f"all {len(present)} patients of split '{dataset.split}' are held out, nobody is left to train on",
            hint="name fewer tune_patients",
        )
    of_tune = np.array([patient in held for patient in dataset.patients])
    return take(dataset, np.flatnonzero(~of_tune)), take(dataset, np.flatnonzero(of_tune))

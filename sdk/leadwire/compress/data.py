"""The data a recipe trains on: loaded once, and handed to each step's process as arrays."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from leadwire.datasets import Dataset, dataset_of, load_dataset, read_source
from leadwire.datasets.shortened import shortened_recordings
from leadwire.errors import BadInputError
from leadwire.workspace import write_atomically

from .recipe import Recipe, Training
from .work import split_patients

_EACH_BEAT = ("labels", "times_s")
_TEXTS = ("patients", "records", "input_names", "label_names")


def load_training(recipe: Recipe, split: Dataset | None = None) -> tuple[Dataset, Dataset]:
    """(train, tune) of a recipe: the training split (or `split`, where it is loaded already) less the patients held
    out, with the shortened recordings that the recipe asks for; and those held out. Errors of the data sets."""
    if split is None:
        folder = recipe.base / recipe.dataset.folder if recipe.dataset.folder else None
        split = load_dataset(read_source(recipe.dataset.source), recipe.dataset.train_split, folder=folder)
    train, tune = split_patients(split, recipe.dataset.tune_patients)
    return with_shortened(train, recipe.training), tune


def with_shortened(dataset: Dataset, training: Training) -> Dataset:
    """The data set with the shortened recordings that the settings ask for; as it is where it has no recordings.
    BadInputError (2) for factors of classes that it has not."""
    check_class_factors(training, dataset)
    shortened = shortened_recordings(dataset.recordings, training.shortened)
    if not shortened:
        return dataset
    return dataset_of(
        [*dataset.recordings, *shortened],
        name=dataset.name, split=dataset.split, basis=dataset.basis, licence=dataset.licence,
    )  # fmt: skip


def class_indices(dataset: Dataset, names: Iterable[str]) -> tuple[int, ...]:
    """The indices of the data set's classes of these names, of all if there are none; BadInputError (2)."""
    given = tuple(names)
    if unknown := [name for name in given if name not in dataset.label_names]:
        raise BadInputError(
            f"dataset '{dataset.name}' has no class {', '.join(unknown)}",
            hint=f"its classes: {' '.join(dataset.label_names)}",
        )
    return tuple(dataset.label_names.index(name) for name in given or dataset.label_names)


def check_class_factors(training: Training, dataset: Dataset) -> None:
    """BadInputError (2) for a factor of a class that the data set has not."""
    class_indices(dataset, training.class_factors)


def store_dataset(dataset: Dataset, path: Path) -> None:
    """The beats of a data set as an .npz file, without recordings."""
    arrays: dict[str, Any] = {name: getattr(dataset, name) for name in _EACH_BEAT}
    arrays |= {name: np.array(getattr(dataset, name)) for name in _TEXTS}
    arrays |= {f"input{index}": one for index, one in enumerate(dataset.inputs)}
    arrays["about"] = np.array([dataset.name, dataset.split, dataset.basis, dataset.licence])
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    write_atomically(path, stream.getvalue())


def restore_dataset(path: Path) -> Dataset:
    """What `store_dataset` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        texts = {name: tuple(str(one) for one in stored[name]) for name in _TEXTS}
        name, split, basis, licence = (str(one) for one in stored["about"])
        return Dataset(
            name=name,
            split=split,
            basis="real" if basis == "real" else "synthetic",
            licence=licence,
            inputs=tuple(stored[f"input{index}"] for index in range(len(texts["input_names"]))),
            labels=stored["labels"],
            times_s=stored["times_s"],
            patients=texts["patients"],
            records=texts["records"],
            input_names=texts["input_names"],
            label_names=texts["label_names"],
        )

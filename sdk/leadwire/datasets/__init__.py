"""Labelled ECG beats from recordings, from a model of the ECG, or from a user's arrays: one `Dataset` for all.

source = read_source("mitdb")                   # an id of validation/datasets, or a path
test = load_dataset(source, "test")             # Dataset: inputs, labels, patients, digest
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leadwire.datasets.arrays import load_arrays
from leadwire.datasets.dataset import Dataset, check_disjoint, take
from leadwire.datasets.front_end import extract_beats
from leadwire.datasets.noise import attributes_of
from leadwire.datasets.recording import LABEL_NAMES, Recording
from leadwire.datasets.source import DatasetSource, SyntheticSource, WfdbSource, list_datasets, read_source, split_names
from leadwire.datasets.synthetic import simulate_patients
from leadwire.datasets.wfdb_files import find_folder, read_annotations, read_recording
from leadwire.errors import DatasetError

__all__ = [
    "LABEL_NAMES",
    "Dataset",
    "DatasetSource",
    "Recording",
    "check_disjoint",
    "dataset_of",
    "extract_beats",
    "list_datasets",
    "load_dataset",
    "read_annotations",
    "read_source",
    "split_names",
    "take",
]


def load_dataset(source: DatasetSource, split: str, *, folder: Path | None = None) -> Dataset:
    """The beats of one split. `folder` holds the recordings of a wfdb source; LEADWIRE_DATA/<its folder> by default.

    Raises DatasetError for an unknown split, missing or changed files and unusable values; nothing is cached.
    """
    if split not in split_names(source):
        raise DatasetError(source.name, f"has no split '{split}'", hint=f"splits: {', '.join(split_names(source))}")
    if isinstance(source, WfdbSource):
        place = find_folder(source, folder)
        recordings = [read_recording(source, one, place) for one in source.records if one.split == split]
        return dataset_of(recordings, name=source.name, split=split, basis="real", licence=source.licence)
    if isinstance(source, SyntheticSource):
        recordings = simulate_patients(source.seed, source.splits[split])
        return dataset_of(recordings, name=source.name, split=split, basis="synthetic", licence=source.licence)
    return load_arrays(source, split)


def dataset_of(recordings: list[Recording], *, name: str, split: str, basis: str, licence: str) -> Dataset:
    """Recordings through the front end, in the order given."""
    if not recordings:
        raise DatasetError(name, f"split '{split}' has no recordings")
    parts = [(one, extract_beats(one)) for one in recordings]
    return Dataset(
        name=name,
        split=split,
        inputs=(np.concatenate([cut.beat for _, cut in parts]), np.concatenate([cut.features for _, cut in parts])),
        input_names=("beat", "features"),
        labels=np.concatenate([one.labels[cut.kept] for one, cut in parts]),
        label_names=LABEL_NAMES,
        patients=tuple(one.patient for one, cut in parts for _ in cut.kept),
        records=tuple(one.record for one, cut in parts for _ in cut.kept),
        times_s=np.concatenate([one.beats[cut.kept] / one.sample_rate_hz for one, cut in parts]),
        basis="real" if basis == "real" else "synthetic",
        licence=licence,
        recordings=tuple(recordings),
        attributes=tuple(attributes_of(one) for one in recordings),
    )

"""A labelled data set: what goes into the model, what the reference says, and whose beats they are."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import RecordAttributes
from leadwire.datasets.recording import Recording
from leadwire.errors import DatasetError, LeakError

STRIP_HZ = 120.0
STRIP_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Checked when made: DatasetError names the first thing that is wrong and where.

    `inputs` float32 [n, ...], one per model input in the order of `input_names`; `labels` int64 [n], indices into
    `label_names`; `patients`, `records` and `times_s` (float64, seconds from the start of the record) one per beat.
    `recordings` are the signals the beats were cut from, none where the inputs were given as arrays; `attributes` is
    what is known of each record, in any order.

    `digest` is the SHA-256 of these in order: for each input its name, shape and little-endian float32 values; the
    label names; the labels as little-endian int64; the patients. Texts are length-prefixed UTF-8 (see `_text`).
    """

    name: str
    split: str
    inputs: tuple[npt.NDArray[np.float32], ...]
    input_names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    label_names: tuple[str, ...]
    patients: tuple[str, ...]
    records: tuple[str, ...]
    times_s: npt.NDArray[np.float64]
    basis: Literal["real", "synthetic"]
    licence: str
    recordings: tuple[Recording, ...] = ()
    attributes: tuple[RecordAttributes, ...] = ()
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "digest", _digest(self))

    def __len__(self) -> int:
        return len(self.labels)

    def strip_mv(self, beat: int, *, seconds: float = STRIP_SECONDS, rate_hz: float = STRIP_HZ) -> tuple[float, ...]:
        """ECG in millivolts around a beat, `seconds` long with the beat in the middle, at `rate_hz`.

        The recording is averaged over each sample period (so nothing above `rate_hz` / 2 folds down visibly) and its
        first or last value is held where the strip leaves the recording. Empty where there is no recording.
        """
        recording = next((one for one in self.recordings if one.record == self.records[beat]), None)
        if recording is None:
            return ()
        count = round(seconds * rate_hz)
        edges = self.times_s[beat] - seconds / 2 + (np.arange(count + 1) - 0.5) / rate_hz
        at = np.ceil(edges * recording.sample_rate_hz).astype(np.int64)
        first, last = int(at[0]), max(int(at[-1]), int(at[0]) + 1)
        signal = recording.signal_mv
        part = signal[np.clip(np.arange(first, last), 0, len(signal) - 1)].astype(np.float64)
        total = np.concatenate(([0.0], np.cumsum(part)))
        begin = np.minimum(at[:-1], last - 1) - first
        end = np.maximum(at[1:] - first, begin + 1)
        means = (total[end] - total[begin]) / (end - begin)
        return tuple(float(value) for value in np.round(means, 4))


def take(dataset: Dataset, beats: Sequence[int] | npt.NDArray[np.int64]) -> Dataset:
    """The data set of these beats alone, in this order."""
    index = np.asarray(beats, dtype=np.int64)
    if index.ndim != 1 or (len(index) and (index.min() < 0 or index.max() >= len(dataset))):
        raise DatasetError(dataset.name, f"beats taken must be a list of numbers from 0 to {len(dataset) - 1}")
    records = tuple(dataset.records[i] for i in index)
    return Dataset(
        name=dataset.name,
        split=dataset.split,
        inputs=tuple(one[index] for one in dataset.inputs),
        input_names=dataset.input_names,
        labels=dataset.labels[index],
        label_names=dataset.label_names,
        patients=tuple(dataset.patients[i] for i in index),
        records=records,
        times_s=dataset.times_s[index],
        basis=dataset.basis,
        licence=dataset.licence,
        recordings=tuple(one for one in dataset.recordings if one.record in set(records)),
        attributes=tuple(one for one in dataset.attributes if one.record in set(records)),
    )


def check_disjoint(one: Dataset, other: Dataset) -> None:
    """LeakError where a patient is in both; the same name in two data sets is taken for the same patient."""
    shared = sorted(set(one.patients) & set(other.patients))
    if shared:
        raise LeakError(shared, f"{one.name} split '{one.split}'", f"{other.name} split '{other.split}'")


def _check(dataset: Dataset) -> None:
    name, beats = dataset.name, len(dataset.labels)
    if dataset.labels.ndim != 1 or dataset.labels.dtype != np.int64:
        raise DatasetError(name, f"labels must be int64 [n], found {_shape(dataset.labels)}")
    if not beats:
        raise DatasetError(name, f"split '{dataset.split}' has no beats", hint="check the records of the split")
    if not dataset.inputs or len(dataset.inputs) != len(dataset.input_names):
        raise DatasetError(name, f"{len(dataset.inputs)} inputs for {len(dataset.input_names)} input names")
    for kind, names in (("input", dataset.input_names), ("label", dataset.label_names)):
        if not names or len(set(names)) != len(names) or not all(names):
            raise DatasetError(name, f"{kind} names must be given and differ: {', '.join(names)}")
    for key, values in zip(dataset.input_names, dataset.inputs, strict=True):
        _check_input(name, key, values, dataset)
    for key, length in (
        ("patients", len(dataset.patients)),
        ("records", len(dataset.records)),
        ("times_s", len(dataset.times_s)),
    ):
        if length != beats:
            raise DatasetError(name, f"{key} has {length} entries for {beats} beats")
    if not np.isfinite(dataset.times_s).all():
        raise DatasetError(name, f"time of beat {int(np.argmin(np.isfinite(dataset.times_s)))} is not a number")
    nobody = next((i for i, patient in enumerate(dataset.patients) if not patient), None)
    if nobody is not None:
        raise DatasetError(
            name,
            f"beat {nobody} has no patient",
            hint="name a patient for every beat: splits and intervals are made by patient",
        )
    wrong = np.flatnonzero((dataset.labels < 0) | (dataset.labels >= len(dataset.label_names)))
    if len(wrong):
        raise DatasetError(
            name,
            f"label {int(dataset.labels[wrong[0]])} of beat {int(wrong[0])} is not one of "
            f"0 to {len(dataset.label_names) - 1} ({' '.join(dataset.label_names)})",
        )


def _check_input(name: str, key: str, values: npt.NDArray[np.float32], dataset: Dataset) -> None:
    beats = len(dataset.labels)
    if values.dtype != np.float32 or values.ndim < 2 or len(values) != beats or not math.prod(values.shape):
        raise DatasetError(name, f"input '{key}' must be float32 [{beats}, ...], found {_shape(values)}")
    finite = np.isfinite(values)
    if not finite.all():
        beat = int(np.unravel_index(int(np.argmin(finite)), values.shape)[0])
        raise DatasetError(
            name,
            f"input '{key}' of beat {beat} (record {dataset.records[beat]}) holds NaN or infinity"
            if beat < len(dataset.records)
            else f"input '{key}' of beat {beat} holds NaN or infinity",
            hint="repair or leave out the beat; a network's answer to it means nothing",
        )


def _shape(values: npt.NDArray[np.generic]) -> str:
    return f"{values.dtype} [{', '.join(str(size) for size in values.shape)}]"


def _text(text: str) -> bytes:
    data = text.encode("utf-8")
    return len(data).to_bytes(4, "little") + data


def _digest(dataset: Dataset) -> str:
    state = hashlib.sha256(b"leadwire dataset 1\n")
    for name, values in zip(dataset.input_names, dataset.inputs, strict=True):
        state.update(_text(name))
        state.update(_text("x".join(str(size) for size in values.shape)))
        state.update(np.ascontiguousarray(values, dtype="<f4").data)
    for name in dataset.label_names:
        state.update(_text(name))
    state.update(np.ascontiguousarray(dataset.labels, dtype="<i8").data)
    for patient in dataset.patients:
        state.update(_text(patient))
    return state.hexdigest()

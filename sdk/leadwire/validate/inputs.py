"""What validation takes in, checked before any figure is computed: a wrong array must not become a wrong number."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import Predictions
from leadwire.datasets.dataset import Dataset
from leadwire.errors import BadInputError, DatasetError, LeakError
from leadwire.protocols import Protocol

Integers = npt.NDArray[np.int64]
_RUNTIMES = ("float", "tflite", "tflm", "host_c", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One runtime's checked predictions: `beats` int64 [k] are its beats of the dataset, `decided` int64 [k] the class
    of each (the largest output; of equal ones the first), `margins` float64 [k] the lead of the largest over the
    second, `outputs` float64 [k, classes], `raw` int8 or int16 [k, output values] or None for float.
    """

    runtime: str
    beats: Integers
    decided: Integers
    margins: npt.NDArray[np.float64]
    outputs: npt.NDArray[np.float64]
    raw: npt.NDArray[np.signedinteger[Any]] | None

    def at(self, beats: Integers) -> Integers:
        """Rows of these beats, all of which must be among `beats`."""
        return np.searchsorted(self.beats, beats).astype(np.int64)

    def covers(self, beats: Integers) -> bool:
        return bool(np.isin(beats, self.beats, assume_unique=True).all())


def check_dataset(
    dataset: Dataset,
    protocol: Protocol,
    calibration_patients: Collection[str] | None,
    training_patients: Collection[str] | None = None,
) -> None:
    """DatasetError where dataset and protocol have other labels, LeakError where training or calibration saw a test
    patient."""
    if tuple(dataset.label_names) != protocol.labels:
        raise DatasetError(
            dataset.name,
            f"labels {' '.join(dataset.label_names)} where protocol '{protocol.name}' has {' '.join(protocol.labels)}",
            hint="use a protocol written for these labels, in the same order",
        )
    for seen_by, patients in (("training", training_patients), ("calibration", calibration_patients)):
        shared = sorted(set(dataset.patients) & set(patients or ()))
        if shared:
            raise LeakError(shared, seen_by, f"test dataset '{dataset.name}'")


def check_predictions(given: Iterable[Predictions], dataset: Dataset, model_digest: str) -> dict[str, Run]:
    """One `Run` per runtime, in a fixed order; BadInputError or DatasetError names the runtime and what is wrong."""
    runs: dict[str, Run] = {}
    for one in given:
        if one.runtime not in _RUNTIMES:
            raise BadInputError(f"'{one.runtime}' is none of the runtimes {', '.join(_RUNTIMES)}")
        if one.runtime in runs:
            raise BadInputError(f"two sets of predictions of runtime '{one.runtime}'")
        runs[one.runtime] = _checked(one, dataset, model_digest)
    for runtime in ("float", "tflite", "device"):
        if runtime not in runs:
            raise BadInputError(
                f"no predictions of runtime '{runtime}'",
                hint="validation compares the float model, INT8 on the host (tflite) and INT8 on the device",
            )
    for runtime in ("float", "tflite"):
        if len(runs[runtime].beats) != len(dataset.labels):
            raise BadInputError(f"predictions of runtime '{runtime}' must be of all beats of '{dataset.name}'")
    kinds = {f"{run.raw.shape[1]} {run.raw.dtype}" for run in runs.values() if run.raw is not None}
    if len(kinds) > 1:
        raise BadInputError(f"quantized runtimes differ in what they put out: {', '.join(sorted(kinds))} values")
    return {runtime: runs[runtime] for runtime in _RUNTIMES if runtime in runs}


def _checked(one: Predictions, dataset: Dataset, model_digest: str) -> Run:
    where = f"predictions of runtime '{one.runtime}'"
    if one.dataset_digest != dataset.digest:
        raise DatasetError(
            dataset.name,
            f"{where} are of another dataset: digest {one.dataset_digest[:16]}, expected {dataset.digest[:16]}",
            hint="run all runtimes again on this dataset",
        )
    if one.runtime != "float" and one.model_digest != model_digest:
        raise BadInputError(f"{where} are of another model: {one.model_digest[:16]}, expected {model_digest[:16]}")
    beats = _beats(one, len(dataset.labels), where)
    if one.outputs.shape != (len(beats), len(dataset.label_names)):
        raise BadInputError(
            f"{where}: outputs {_shape(one.outputs)}, expected [{len(beats)}, {len(dataset.label_names)}] "
            "(beats, classes)"
        )
    broken = np.flatnonzero(~np.isfinite(one.outputs).all(axis=1))
    if len(broken):
        raise BadInputError(
            f"{where}: NaN or infinity for {len(broken)} beat(s), the first is beat {beats[broken[0]]}",
            hint="look for NaN in the recording, or for overflow in the float model",
        )
    decided = one.outputs.argmax(axis=1).astype(np.int64)
    ranked = np.sort(one.outputs, axis=1)
    raw = None if one.runtime == "float" else _raw(one, decided, where)
    return Run(
        runtime=one.runtime,
        beats=beats,
        decided=decided,
        margins=ranked[:, -1] - ranked[:, -2],
        outputs=one.outputs,
        raw=raw,
    )


def _beats(one: Predictions, dataset_beats: int, where: str) -> Integers:
    if one.indices is None:
        return np.arange(dataset_beats, dtype=np.int64)
    beats = np.asarray(one.indices)
    if beats.ndim != 1 or len(beats) == 0 or not np.issubdtype(beats.dtype, np.integer):
        raise BadInputError(f"{where}: indices must be integers [k] of at least one beat, found {_shape(beats)}")
    if beats[0] < 0 or beats[-1] >= dataset_beats or (np.diff(beats) <= 0).any():
        raise BadInputError(f"{where}: indices must rise strictly within 0..{dataset_beats - 1}")
    return beats.astype(np.int64)


def _raw(one: Predictions, decided: Integers, where: str) -> npt.NDArray[np.signedinteger[Any]]:
    raw = one.raw
    if raw is None or raw.dtype not in (np.int8, np.int16) or raw.ndim != 2 or len(raw) != len(decided):
        found = "none" if raw is None else _shape(raw)
        raise BadInputError(f"{where}: raw outputs must be int8 or int16 [{len(decided)}, values], found {found}")
    if raw.shape[1] == one.outputs.shape[1] and (raw.argmax(axis=1) != decided).any():
        raise BadInputError(f"{where}: raw and dequantized outputs decide differently")
    return raw


def _shape(array: npt.NDArray[np.generic]) -> str:
    return f"{array.dtype} [{', '.join(map(str, array.shape))}]"

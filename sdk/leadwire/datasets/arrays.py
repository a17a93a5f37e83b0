"""A user's own inputs, labels and patients from a NumPy .npz file, one per split."""

from __future__ import annotations

import hashlib
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import RecordAttributes
from leadwire.datasets.dataset import Dataset
from leadwire.datasets.source import NpzSource
from leadwire.errors import DatasetError, FileMissingError

MAX_ARRAY_BYTES = 4 * 1024**3


def load_arrays(source: NpzSource, split: str) -> Dataset:
    """Arrays by input name (any float or integer type, [n, ...]), `labels` integers [n], `patients` [n]; `records`
    (the patients by default), `times_s` (0 by default), `ages` (years, NaN unknown), `sexes` and `leads` (texts) where
    given; these three are of a record, the same for all its beats.
    """
    place = source.splits[split]
    path = source.base / place.path
    if not path.is_file():
        raise FileMissingError(path, role=f"dataset '{source.name}', split '{split}':")
    if place.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != place.sha256:
        raise DatasetError(
            source.name,
            f"'{path.name}' does not have the SHA-256 of the dataset file",
            hint="the arrays were changed after the dataset file was written",
        )
    arrays = _read(source.name, path.name, path.open("rb"))
    known = {*source.input_names, "labels", "patients", "records", "times_s", "ages", "sexes", "leads"}
    missing = [name for name in (*source.input_names, "labels", "patients") if name not in arrays]
    unknown = sorted(set(arrays) - known)
    if missing or unknown:
        raise DatasetError(
            source.name,
            f"'{path.name}' "
            + " and ".join(
                ([f"lacks {', '.join(missing)}"] if missing else [])
                + ([f"has unknown {', '.join(unknown)}"] if unknown else [])
            ),
            hint="arrays are named after input_names, and labels, patients, records, times_s, ages, sexes, leads",
        )
    labels = arrays["labels"]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DatasetError(
            source.name, f"labels must be integers [n], found {labels.dtype} of {labels.ndim} dimensions"
        )
    patients = _names(source.name, "patients", arrays["patients"])
    records = _names(source.name, "records", arrays["records"]) if "records" in arrays else patients
    times = arrays.get("times_s", np.zeros(len(labels)))
    attributes = _attributes(source.name, arrays, patients, records)
    for name in (*source.input_names, "times_s"):
        values = times if name == "times_s" else arrays[name]
        if not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
            raise DatasetError(source.name, f"'{name}' must be numbers, found {values.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, which Dataset refuses
        inputs = tuple(np.ascontiguousarray(arrays[name], dtype=np.float32) for name in source.input_names)
        times = times.astype(np.float64)
    return Dataset(
        name=source.name,
        split=split,
        inputs=inputs,
        input_names=source.input_names,
        labels=labels.astype(np.int64),
        label_names=source.label_names,
        patients=patients,
        records=records,
        times_s=times,
        basis=source.basis,
        licence=source.licence,
        attributes=attributes,
    )


def _attributes(
    dataset: str, arrays: dict[str, npt.NDArray[Any]], patients: tuple[str, ...], records: tuple[str, ...]
) -> tuple[RecordAttributes, ...]:
    """One for each record, in sorted order; DatasetError where beats of one record differ."""
    beats = len(patients)
    ages = arrays.get("ages", np.full(beats, np.nan))
    if ages.shape != (beats,) or ages.dtype.kind not in "fiu":
        raise DatasetError(dataset, f"ages must be numbers [{beats}], found {ages.dtype} {list(ages.shape)}")
    texts = {key: _names(dataset, key, arrays[key]) if key in arrays else ("",) * beats for key in ("sexes", "leads")}
    for key, values in texts.items():
        if len(values) != beats:
            raise DatasetError(dataset, f"{key} has {len(values)} entries for {beats} beats")
    known: dict[str, RecordAttributes] = {}
    for beat, record in enumerate(records[:beats]):
        age = float(ages[beat])
        found = RecordAttributes(
            record=record,
            patient=patients[beat],
            age=age if np.isfinite(age) and age >= 0 else None,
            sex=texts["sexes"][beat][:32],
            lead=texts["leads"][beat][:64],
        )
        if known.setdefault(record, found) != found:
            raise DatasetError(dataset, f"record '{record}' has two patients, ages, sexes or leads, at beat {beat}")
    return tuple(known[record] for record in sorted(known))


def _read(dataset: str, name: str, file: Any) -> dict[str, npt.NDArray[Any]]:
    with file:
        try:
            with zipfile.ZipFile(file) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size > MAX_ARRAY_BYTES:
                raise DatasetError(dataset, f"'{name}' unpacks to {size} B, limit {MAX_ARRAY_BYTES} B")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, NotImplementedError) as error:
            raise DatasetError(
                dataset,
                f"'{name}' is not a readable .npz file: {error}",
                hint="write it with numpy.savez; arrays of Python objects are not read",
            ) from error


def _names(dataset: str, key: str, values: npt.NDArray[Any]) -> tuple[str, ...]:
    if values.ndim != 1 or values.dtype.kind not in "Uiu":
        raise DatasetError(
            dataset, f"{key} must be texts or integers [n], found {values.dtype} of {values.ndim} dimensions"
        )
    return tuple(str(value) for value in values)

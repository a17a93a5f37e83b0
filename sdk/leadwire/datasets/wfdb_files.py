"""Recordings in PhysioNet's WFDB format; the only module that imports wfdb."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leadwire.datasets.annotations import LARGEST_RATE_HZ, LEAST_RATE_HZ, Annotation, AnnotationFile
from leadwire.datasets.recording import Recording
from leadwire.datasets.source import WfdbRecord, WfdbSource
from leadwire.errors import DatasetError, FileMissingError

AAMI_CLASS = (
    dict.fromkeys("NLRej", 0) | dict.fromkeys("AaJS", 1) | dict.fromkeys("VE", 2) | {"F": 3} | dict.fromkeys("/fQ", 4)
)
"""MIT-BIH beat annotation to AAMI class (ANSI/AAMI EC57, table of beat labels); every other symbol is not a beat."""
MAX_ANNOTATION_BYTES = 16 * 1024 * 1024


def find_folder(source: WfdbSource, folder: Path | None) -> Path:
    """Where the recordings are: `folder`, or LEADWIRE_DATA/<source.folder>."""
    hint = (
        f"download the recordings once from {source.url} and set LEADWIRE_DATA to the folder that holds "
        f"'{source.folder}', or set dataset.folder in leadwire.toml to that folder itself"
    )
    if folder is None:
        root = os.environ.get("LEADWIRE_DATA")
        if not root:
            raise DatasetError(source.name, "no recordings: LEADWIRE_DATA is not set and no folder is given", hint=hint)
        folder = Path(root) / source.folder
    if not folder.is_dir():
        raise DatasetError(source.name, f"no recordings: folder '{folder}' does not exist", hint=hint)
    return folder


def read_recording(source: WfdbSource, entry: WfdbRecord, folder: Path) -> Recording:
    """One recording, its lead in millivolts and its reference beats; each file is checked against its digest first."""
    import wfdb

    where = f"record {entry.record}"
    for suffix, digest in (("hea", entry.hea), ("dat", entry.dat), ("atr", entry.atr)):
        _check_file(source.name, folder / f"{entry.record}.{suffix}", digest)
    stem = str(folder / entry.record)
    try:
        read = wfdb.rdrecord(stem)
        notes = wfdb.rdann(stem, "atr")
    except Exception as error:  # wfdb raises whatever its parsers meet: any of it is a bad file
        raise DatasetError(source.name, f"{where} cannot be read: {error}") from error
    leads = list(read.sig_name)
    if source.lead not in leads:
        raise DatasetError(
            source.name,
            f"{where} has leads {', '.join(leads)}, not {source.lead}",
            hint="leave the record out, or name another lead",
        )
    signal = np.asarray(read.p_signal[:, leads.index(source.lead)], dtype=np.float32)
    if not np.isfinite(signal).all():
        raise DatasetError(
            source.name,
            f"{where} lacks samples of {source.lead} at {int(np.argmin(np.isfinite(signal))) / read.fs:.3f} s",
        )
    symbols = np.array(notes.symbol)
    is_beat = np.isin(symbols, list(AAMI_CLASS))
    beats = np.asarray(notes.sample, dtype=np.int64)[is_beat]
    if len(beats) and (beats[0] < 0 or beats[-1] >= len(signal) or (np.diff(beats) <= 0).any()):
        raise DatasetError(source.name, f"{where} has beat annotations out of order or outside of the signal")
    age, sex = age_and_sex(read.comments)
    return Recording(
        record=entry.record,
        patient=entry.patient,
        sample_rate_hz=float(read.fs),
        signal_mv=signal,
        beats=beats,
        labels=np.array([AAMI_CLASS[symbol] for symbol in symbols[is_beat]], dtype=np.int64),
        age=age,
        sex=sex,
        lead=source.lead,
    )


def read_noise(stem: Path, signal: int, digest: str = "") -> tuple[npt.NDArray[np.float64], float]:
    """One signal of a WFDB record of noise, and its rate in Hz. `digest`: the SHA-256 of its .dat file, where given.

    FileMissingError or DatasetError (2) for what is no record, or holds no such signal or nothing but gaps.
    """
    import wfdb

    header = stem.with_name(f"{stem.name}.hea")
    if not header.is_file():
        raise FileMissingError(header, role="noise record")
    if digest:
        _check_file(stem.name, stem.with_name(f"{stem.name}.dat"), digest)
    try:
        read = wfdb.rdrecord(str(stem))
    except Exception as error:  # wfdb raises whatever its parsers meet: any of it is a bad file
        raise DatasetError(stem.name, f"the noise record cannot be read: {error}") from error
    if read.p_signal is None or not 0 <= signal < read.p_signal.shape[1]:
        raise DatasetError(stem.name, f"the noise record has no signal {signal}", hint=f"it has {read.n_sig}")
    values = np.asarray(read.p_signal[:, signal], dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 2 or not 0 < float(read.fs) < 1e6:
        raise DatasetError(stem.name, "the noise record holds no samples")
    return values, float(read.fs)


def age_and_sex(comments: Sequence[str]) -> tuple[float | None, str]:
    """Years and 'F' or 'M' from a header's comments, None and '' where they do not say: '69 M 1085 1629 x1' (MIT-BIH;
    -1 is unknown), or 'Age: 69' and 'Sex: M', on one line or two, as many other PhysioNet databases have them."""
    age, sex = "", ""
    if comments and (found := re.match(r"\s*(-?\d{1,3}|\?)\s+([MF])\b", comments[0])):
        age, sex = found[1], found[2]
    for line in comments:
        if not age and (found := re.search(r"\bage\W{1,3}(\d{1,3})\b", line, re.IGNORECASE)):
            age = found[1]
        if not sex and (found := re.search(r"\b(?:sex|gender)\W{1,3}([MF])", line, re.IGNORECASE)):
            sex = found[1].upper()
    return (float(age) if age.isdigit() else None), sex


def read_annotations(
    path: Path, *, headers: Sequence[Path] = (), sample_rate_hz: float | None = None
) -> AnnotationFile:
    """A WFDB annotation file ('mitdb/100.atr'). Rate and length of the record are those of the first of `headers`
    (.hea) that exists; without one the rate is the file's own, or `sample_rate_hz`. Times are rounded to samples of the
    record.

    FileMissingError, or DatasetError for what is no annotation file or has no known rate of 1 Hz or more.
    """
    import wfdb

    record, annotator = path.stem, path.suffix.removeprefix(".")
    if not path.is_file():
        raise FileMissingError(path, role="annotation file")
    if path.stat().st_size > MAX_ANNOTATION_BYTES:
        raise DatasetError(record, f"'{path.name}' is larger than {MAX_ANNOTATION_BYTES} B")
    data = path.read_bytes()
    header = next((one for one in headers if one.is_file()), None)
    try:
        notes = wfdb.rdann(str(path.with_suffix("")), annotator, return_label_elements=["label_store"])
        head = None if header is None else wfdb.rdheader(str(header.with_suffix("")))
    except Exception as error:  # wfdb raises whatever its parsers meet: any of it is a bad file
        raise DatasetError(record, f"'{path.name}' or its header cannot be read: {error}") from error
    stated = head is not None and header is not None and _states_rate(header)
    own = head.fs if head is not None and stated else notes.fs if head is None else None
    rate = float(own or sample_rate_hz or 0.0)
    if not LEAST_RATE_HZ <= rate <= LARGEST_RATE_HZ:
        raise DatasetError(
            record,
            f"'{path.name}': the sampling rate is {f'{rate:g} Hz' if rate else 'not known'}",
            hint="put the record's .hea beside it, or give --rate",
        )
    scale = rate / notes.fs if notes.fs and stated else 1.0
    samples = np.floor(np.asarray(notes.sample, dtype=np.float64) * scale + 0.5).astype(np.int64)
    if len(samples) and (samples[0] < 0 or (np.diff(samples) < 0).any()):
        raise DatasetError(record, f"'{path.name}': annotations are out of order at {int(np.argmin(np.diff(samples)))}")
    return AnnotationFile(
        record=record,
        annotator=annotator,
        sample_rate_hz=rate,
        length_samples=int(head.sig_len or 0) if head is not None else 0,
        annotations=tuple(
            Annotation(sample=int(sample), code=int(code), subtype=int(subtype), aux=(aux or "").rstrip("\0"))
            for sample, code, subtype, aux in zip(
                samples, notes.label_store, notes.subtype, notes.aux_note, strict=True
            )
        ),
        digest=hashlib.sha256(data).hexdigest(),
    )


def _states_rate(header: Path) -> bool:
    """Whether the record line has a third field, the sampling rate: wfdb takes 250 Hz for one that is not there, or
    that it cannot read."""
    lines = header.read_text(encoding="utf-8", errors="replace").splitlines()
    fields = next((line.split() for line in lines if line.strip() and not line.startswith("#")), [])
    return len(fields) > 2 and re.match(r"[0-9]*\.?[0-9]+", fields[2]) is not None


def _check_file(dataset: str, path: Path, digest: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DatasetError(
            dataset,
            f"'{path}' cannot be read: {error.strerror}",
            hint="complete the download; the dataset file lists all records",
        ) from error
    if found != digest:
        raise DatasetError(
            dataset,
            f"'{path.name}' has SHA-256 {found[:16]}..., expected {digest[:16]}...",
            hint="download the file again; figures are only comparable on the published recordings",
        )

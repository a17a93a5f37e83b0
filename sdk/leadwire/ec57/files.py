"""Which annotation files belong together: a folder, a list of records or a single file on either side."""

from __future__ import annotations

import re
from pathlib import Path

from leadwire.artifacts import Ec57Result
from leadwire.datasets import read_annotations
from leadwire.datasets.annotations import LARGEST_RATE_HZ, LEAST_RATE_HZ
from leadwire.errors import BadInputError, FileMissingError

from .scoring import Rule, score

_RECORD = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,4}")
_MAX_LIST_BYTES = 1024 * 1024


def score_paths(
    reference: Path,
    test: Path,
    rule: Rule | None = None,
    *,
    reference_extension: str = "atr",
    test_extension: str = "tst",
    sample_rate_hz: float | None = None,
) -> Ec57Result:
    """Score what is found under both paths: a folder with `*.extension`, a text file (RECORDS or *.txt) with a record
    name per line, relative to its own folder, an annotation file, or a record without its extension. `sample_rate_hz`
    is that of files which do not say it, from 1 Hz on.

    FileMissingError, BadInputError or DatasetError name what cannot be used.
    """
    if sample_rate_hz is not None and not LEAST_RATE_HZ <= sample_rate_hz <= LARGEST_RATE_HZ:
        raise BadInputError(
            f"a sampling rate of {sample_rate_hz:g} Hz",
            hint=f"give --rate from {LEAST_RATE_HZ:g} to {LARGEST_RATE_HZ:g}, or leave it out where a .hea says it",
        )
    references = find_annotations(reference, reference_extension, role="reference")
    tests = find_annotations(test, test_extension, role="test")
    common = sorted(references.keys() & tests.keys())
    if not common and len(references) == len(tests) == 1:
        one, other = next(iter(references)), next(iter(tests))
        raise BadInputError(f"the reference is of record {one}, the test of record {other}")
    if not common:
        raise BadInputError(
            f"no record has both reference and test annotations: {len(references)} and {len(tests)} records",
            hint="records are matched by name; give --ref-extension and --test-extension",
        )
    unknown = sorted(tests.keys() - references.keys())
    if unknown:
        raise BadInputError(f"test annotations without a reference: {' '.join(unknown)}")
    pairs = []
    for record in common:
        both = references[record], tests[record]
        headers = [path.with_suffix(".hea") for path in both]
        pairs.append(tuple(read_annotations(path, headers=headers, sample_rate_hz=sample_rate_hz) for path in both))
    return score([(one, other) for one, other in pairs], rule, without_test=sorted(references.keys() - tests.keys()))


def find_annotations(path: Path, extension: str, *, role: str) -> dict[str, Path]:
    """Annotation files by record."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", extension):
        raise BadInputError(f"'{extension}' is no extension of annotation files", hint="letters and digits, no dot")
    if path.is_dir():
        found = sorted(path.glob(f"*.{extension}"))
        if not found:
            raise BadInputError(
                f"{role} '{path}' holds no *.{extension}",
                hint="give --ref-extension or --test-extension; " + _present(path),
            )
        return {one.stem: one for one in found}
    if path.is_file() and (path.name == "RECORDS" or path.suffix == ".txt"):
        return _listed(path, extension, role)
    if path.is_file() and path.suffix:
        return {path.stem: path}
    beside = path.with_name(f"{path.name}.{extension}")
    if not beside.is_file():
        raise FileMissingError(
            path, role=role, hint=f"give a folder, a list of records, an annotation file, or a record with .{extension}"
        )
    return {beside.stem: beside}


def _listed(path: Path, extension: str, role: str) -> dict[str, Path]:
    if path.stat().st_size > _MAX_LIST_BYTES:
        raise BadInputError(f"{role} '{path}' is larger than {_MAX_LIST_BYTES} B")
    names = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    names = [name for name in names if name and not name.startswith("#")]
    wrong = next((name for name in names if not _RECORD.fullmatch(name)), None)
    if wrong is not None or not names:
        raise BadInputError(
            f"{role} '{path}' is no list of records: " + ("it is empty" if wrong is None else repr(wrong[:40])),
            hint="one record name per line, relative to the folder of the list, without extension",
        )
    found = {Path(name).name: path.parent / f"{name}.{extension}" for name in names}
    if len(found) != len(names):
        raise BadInputError(f"{role} '{path}' names a record twice")
    return found


def _present(folder: Path) -> str:
    kinds = sorted({one.suffix for one in folder.iterdir() if one.suffix})[:10]
    return f"found are {' '.join(kinds)}" if kinds else "the folder has no files with an extension"

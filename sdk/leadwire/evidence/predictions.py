"""predictions.csv: what every runtime answered on every test beat, read back with the standard library alone.

One row for each test beat: index, record, patient, time in the record in seconds, reference class, then the outputs of
each runtime, one column `<runtime>:<label>` for each class: raw int8 or int16 values where it computes with these, the
shortest decimals that read back as the same binary64 where it is float. Cells are empty for beats that a runtime was
not given. The decision of a runtime is its first largest output.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import Predictions
from leadwire.errors import BadInputError, EvidenceError

from .record import Attachments

_FIXED = ("index", "record", "patient", "time_s", "reference")
_INTEGER = re.compile(r"-?[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One runtime: by beat the class it decided for, its largest output as the table has it, its quantized outputs
    where the table holds these, else its outputs."""

    decided: dict[int, int]
    largest: dict[int, float]
    raw: dict[int, tuple[int, ...]]
    outputs: dict[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """predictions.csv as read: `reference` are places in `labels`, `answers` by runtime, `times_s` seconds from the
    start of the record."""

    labels: tuple[str, ...]
    records: tuple[str, ...]
    patients: tuple[str, ...]
    times_s: tuple[float, ...]
    reference: tuple[int, ...]
    answers: dict[str, Answers]


def write_predictions(attachments: Attachments, labels: Sequence[str]) -> bytes:
    """The bytes of predictions.csv; BadInputError where a runtime's outputs do not match beats and labels."""
    if any(not 0 <= beat.reference < len(labels) for beat in attachments.beats):
        raise BadInputError(f"a beat's reference class is not one of the {len(labels)} labels")
    columns = [_cells(item, attachments, len(labels)) for item in attachments.predictions]
    names = [f"{item.runtime}:{label}" for item in attachments.predictions for label in labels]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FIXED, *names])
    for index, beat in enumerate(attachments.beats):
        cells = [cell for column in columns for cell in column.get(index, [""] * len(labels))]
        writer.writerow([index, beat.record, beat.patient, repr(beat.time_s), labels[beat.reference], *cells])
    return text.getvalue().encode("utf-8")


def _cells(item: Predictions, attachments: Attachments, classes: int) -> dict[int, list[str]]:
    """One runtime's cells by beat."""
    beats: Sequence[int] = range(len(attachments.beats)) if item.indices is None else item.indices.tolist()
    if item.outputs.shape != (len(beats), classes):
        raise BadInputError(
            f"predictions of '{item.runtime}' have shape {item.outputs.shape}, expected ({len(beats)}, {classes})"
        )
    values = item.raw if item.raw is not None and item.raw.shape == item.outputs.shape else item.outputs
    return dict(zip(beats, ([repr(cell) for cell in row] for row in values.tolist()), strict=True))


def read_predictions(data: bytes, labels: Sequence[str], *, source: Path | str) -> Table:
    """The table of the bytes of predictions.csv; EvidenceError (8) where they are not."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
        header, body = rows[0], rows[1:]
        runtimes = [name.partition(":")[0] for name in header[len(_FIXED) :: len(labels)]]
        expected = [*_FIXED, *(f"{runtime}:{label}" for runtime in runtimes for label in labels)]
        if header != expected or len(set(runtimes)) != len(runtimes):
            raise ValueError("unexpected columns")
        for number, row in enumerate(body):
            if len(row) != len(header) or row[0] != str(number):
                raise ValueError(f"row {number} is not beat {number} in {len(header)} columns")
        place = {label: index for index, label in enumerate(labels)}
        return Table(
            labels=tuple(labels),
            records=tuple(row[1] for row in body),
            patients=tuple(row[2] for row in body),
            times_s=tuple(_finite(row[3]) for row in body),
            reference=tuple(place[row[4]] for row in body),
            answers={name: _answers(body, number, len(labels)) for number, name in enumerate(runtimes)},
        )
    except (ValueError, LookupError, csv.Error) as error:
        raise EvidenceError(source, f"predictions.csv cannot be read: {error}") from error


def _answers(body: Sequence[Sequence[str]], number: int, classes: int) -> Answers:
    start = len(_FIXED) + number * classes
    given = {beat: row[start : start + classes] for beat, row in enumerate(body) if any(row[start : start + classes])}
    are_bytes = all(_INTEGER.fullmatch(cell) for cells in given.values() for cell in cells)
    return Answers(
        decided={beat: _decision(cells) for beat, cells in given.items()},
        largest={beat: max(map(_finite, cells)) for beat, cells in given.items()},
        raw={beat: tuple(map(int, cells)) for beat, cells in given.items()} if are_bytes else {},
        outputs={} if are_bytes else {beat: tuple(map(float, cells)) for beat, cells in given.items()},
    )


def _decision(cells: Sequence[str]) -> int:
    values = [_finite(cell) for cell in cells]
    return values.index(max(values))


def _finite(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return value

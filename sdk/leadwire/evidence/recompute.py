"""The figures of a bundle derived a second time from its predictions, with the standard library alone.

`predictions.csv` has one row for each test beat: index, record, patient, reference class, then the outputs of each
runtime, one column `<runtime>:<label>` for each class: raw INT8 values where the runtime is INT8, the shortest decimals
that read back as the same binary64 where it is float. Cells are empty for beats that a runtime was not given. The
decision of a runtime is its first largest output.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from leadwire.artifacts import Predictions, RuntimeMetrics, ValidationResult
from leadwire.errors import BadInputError, EvidenceError

from .record import Attachments

Confusion = tuple[tuple[int, ...], ...]
_FIXED = ("index", "record", "patient", "reference")


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
        writer.writerow([index, beat.record, beat.patient, labels[beat.reference], *cells])
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


def confusions(data: bytes, labels: Sequence[str], *, source: Path | str) -> dict[str, tuple[Confusion, Confusion]]:
    """By runtime: the confusion matrix over all its beats, and over the beats that the device answered.

    `data` are the bytes of predictions.csv; EvidenceError (8) where they are not.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
        header = rows[0]
        runtimes = [name.partition(":")[0] for name in header[len(_FIXED) :: len(labels)]]
        expected = [*_FIXED, *(f"{runtime}:{label}" for runtime in runtimes for label in labels)]
        if header != expected or len(set(runtimes)) != len(runtimes):
            raise ValueError("unexpected columns")
        place = {label: index for index, label in enumerate(labels)}
        counts = {runtime: (_zeros(len(labels)), _zeros(len(labels))) for runtime in runtimes}
        for row in rows[1:]:
            reference = place[row[3]]
            decided = {name: _decision(row, number, len(labels)) for number, name in enumerate(runtimes)}
            for runtime, decision in decided.items():
                if decision is not None:
                    counts[runtime][0][reference][decision] += 1
                    counts[runtime][1][reference][decision] += decided.get("device") is not None
    except (ValueError, LookupError, csv.Error) as error:
        raise EvidenceError(source, f"predictions.csv cannot be read: {error}") from error
    return {name: (_frozen(every), _frozen(answered)) for name, (every, answered) in counts.items()}


def disagreements(validation: ValidationResult, found: Mapping[str, tuple[Confusion, Confusion]]) -> tuple[str, ...]:
    """Figures of the validation that its predictions do not bear out, one sentence each."""
    lines = [_disagreement(metrics, found.get(metrics.runtime, ())) for metrics in validation.metrics]
    return tuple(line for line in lines if line)


def _disagreement(metrics: RuntimeMetrics, found: Sequence[Confusion]) -> str:
    if metrics.confusion not in found:
        return f"the confusion matrix of '{metrics.runtime}' does not follow from predictions.csv"
    total = sum(map(sum, metrics.confusion))
    right = sum(row[index] for index, row in enumerate(metrics.confusion))
    if not total or abs(metrics.accuracy.estimate - right / total) > 1e-12:
        return f"the accuracy of '{metrics.runtime}' is not {right} of {total}"
    return ""


def _decision(row: Sequence[str], number: int, classes: int) -> int | None:
    start = len(_FIXED) + number * classes
    cells = row[start : start + classes]
    if len(cells) != classes:
        raise ValueError(f"beat {row[0]} has {len(row)} columns")
    if not any(cells):
        return None
    values = [float(cell) for cell in cells]
    return values.index(max(values))


def _zeros(classes: int) -> list[list[int]]:
    return [[0] * classes for _ in range(classes)]


def _frozen(counts: list[list[int]]) -> Confusion:
    return tuple(tuple(row) for row in counts)

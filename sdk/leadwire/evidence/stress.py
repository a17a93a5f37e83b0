"""stress.csv: what float, INT8 on the host, on the device and in TFLite Micro and desktop TFLite answered under every
stress condition, and the stress matrix derived a second time from it.

One row for each beat of the stress set: record, patient, reference class, then for condition number k the columns
`k:float`, `k:int8`, `k:device`, `k:tflm`, `k:tflite`: the outputs in hex, float ones as big-endian binary32, INT8 ones
as bytes. Cells are empty where a beat was not asked; int16 outputs are little-endian. The decision is the first largest
output.
"""

from __future__ import annotations

import csv
import io
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leadwire.artifacts import StressCondition, StressResult, StressWitness
from leadwire.errors import EvidenceError
from leadwire.protocols import Endpoint, Protocol
from leadwire.stats import Bootstrap, bootstrap_interval, excess_loss, ratio_loss

from .recompute import same, same_interval, share

STRESS = "stress.csv"
_FIXED = ("record", "patient", "reference")
WITNESSES = ("tflm", "tflite")
RUNTIMES = ("float", "int8", "device", *WITNESSES)
Cells = Mapping[int, bytes]
"""Output bytes by beat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressAnswers:
    """Under one condition, by beat: float outputs (big-endian binary32), INT8 bytes of host, device and witnesses."""

    float_outputs: Cells
    int8: Cells
    device: Cells
    tflm: Cells
    tflite: Cells


def write_stress(
    records: Sequence[str], patients: Sequence[str], reference: Sequence[str], answers: Sequence[StressAnswers]
) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FIXED, *(f"{number}:{runtime}" for number in range(len(answers)) for runtime in RUNTIMES)])
    for beat, described in enumerate(zip(records, patients, reference, strict=True)):
        sides = (side for one in answers for side in (one.float_outputs, one.int8, one.device, one.tflm, one.tflite))
        writer.writerow([*described, *(side[beat].hex() if beat in side else "" for side in sides)])
    return text.getvalue().encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    float_decided: dict[int, int]
    int8_decided: dict[int, int]
    device_beats: int
    device_identical: int
    witnesses: tuple[StressWitness, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    records: tuple[str, ...]
    patients: tuple[str, ...]
    reference: tuple[str, ...]
    columns: tuple[_Column, ...]


def _read(data: bytes, labels: Sequence[str], source: Path | str) -> _Table:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
        header, body = rows[0], rows[1:]
        conditions = (len(header) - len(_FIXED)) // len(RUNTIMES)
        names = [f"{number}:{runtime}" for number in range(conditions) for runtime in RUNTIMES]
        if header != [*_FIXED, *names] or any(len(row) != len(header) for row in body):
            raise ValueError("unexpected columns")
        if any(row[2] not in labels for row in body):
            raise ValueError("a reference class is none of the labels")
        return _Table(
            records=tuple(row[0] for row in body),
            patients=tuple(row[1] for row in body),
            reference=tuple(row[2] for row in body),
            columns=tuple(
                _column(body, len(_FIXED) + len(RUNTIMES) * number, len(labels)) for number in range(conditions)
            ),
        )
    except (ValueError, LookupError, csv.Error, struct.error) as error:
        raise EvidenceError(source, f"stress.csv cannot be read: {error}") from error


def _column(body: Sequence[Sequence[str]], start: int, classes: int) -> _Column:
    floats: dict[int, int] = {}
    int8: dict[int, int] = {}
    sent = identical = 0
    witnesses = {runtime: [0, 0, 0] for runtime in WITNESSES}
    for beat, row in enumerate(body):
        of_float, of_host, of_device, *of_witnesses = row[start : start + len(RUNTIMES)]
        if bool(of_float) != bool(of_host) or (any((of_device, *of_witnesses)) and not of_host):
            raise ValueError(f"beat {beat} has float without INT8, or another runtime without the host")
        if not of_host:
            continue
        real, raw = struct.unpack(f">{classes}f", bytes.fromhex(of_float)), _integers(of_host, classes)
        if any(value != value for value in real):
            raise ValueError(f"beat {beat} has an output that is not a number")
        floats[beat], int8[beat] = real.index(max(real)), raw.index(max(raw))
        if of_device:
            sent += 1
            identical += of_device == of_host
        for runtime, cell in zip(WITNESSES, of_witnesses, strict=True):
            if cell:
                values = _integers(cell, classes)
                told = witnesses[runtime]
                told[0] += 1
                told[1] += cell == of_host
                told[2] += values.index(max(values)) != int8[beat]
    return _Column(
        float_decided=floats,
        int8_decided=int8,
        device_beats=sent,
        device_identical=identical,
        witnesses=tuple(
            StressWitness(runtime=runtime, beats=told[0], identical=told[1], decisions_changed=told[2])  # type: ignore[arg-type]
            for runtime, told in witnesses.items()
            if told[0]
        ),
    )


def _integers(cell: str, classes: int) -> tuple[int, ...]:
    return struct.unpack(f"<{classes}{'b' if len(cell) == 2 * classes else 'h'}", bytes.fromhex(cell))


# ---------------------------------------------------------------------------------------------- judged again


def false_stress(result: StressResult, protocol: Protocol, data: bytes, *, source: Path | str) -> Iterator[str]:
    """What of the stress matrix stress.csv and protocol.toml do not bear out, one sentence each."""
    rule = protocol.stress
    if rule is None or (result.seconds, result.seed) != (rule.seconds, rule.seed):
        yield "the stress matrix is not the one of protocol.toml"
        return
    expected: list[tuple[str, float | None, str]] = [("undisturbed", None, "")]
    expected += [(one.title, level, one.unit) for one in rule.conditions for level in one.levels]
    if [(one.title, one.level, one.unit) for one in result.conditions] != expected:
        yield "the stress conditions are not those of protocol.toml"
        return
    table = _read(data, protocol.labels, source)
    if len(table.columns) != len(expected) or len(table.columns[0].int8_decided) != len(table.reference):
        yield "stress.csv has other conditions, or lacks undisturbed beats"
        return
    for stated, column in zip(result.conditions, table.columns, strict=True):
        yield from _condition(stated, column, table, protocol)


def _condition(stated: StressCondition, column: _Column, table: _Table, protocol: Protocol) -> Iterator[str]:
    name = f"{stated.title} {'' if stated.level is None else format(stated.level, 'g')}".strip()
    clean = table.columns[0]
    owners = {table.patients[beat] for beat in column.int8_decided}
    counts = (stated.beats, stated.patients, stated.device_beats, stated.device_identical)
    if counts != (len(column.int8_decided), len(owners), column.device_beats, column.device_identical):
        yield f"stress '{name}': the numbers of beats do not follow from stress.csv"
    if stated.witnesses != column.witnesses:
        yield f"stress '{name}': what TFLite Micro and desktop TFLite answered does not follow from stress.csv"
    if [figure.endpoint for figure in stated.figures] != [endpoint.name for endpoint in protocol.endpoints]:
        yield f"stress '{name}': the endpoints are not those of protocol.toml"
        return
    cells = Counter(
        (
            table.patients[beat],
            table.records[beat],
            protocol.labels.index(table.reference[beat]),
            column.float_decided[beat],
            decision,
            clean.float_decided[beat],
            clean.int8_decided[beat],
        )
        for beat, decision in column.int8_decided.items()
    )
    rule = protocol.statistics
    bootstrap = Bootstrap(resamples=rule.resamples, seed=rule.seed, method=rule.method)
    order = {patient: place for place, patient in enumerate(sorted(owners))}
    for figure, endpoint in zip(stated.figures, protocol.endpoints, strict=True):
        means = endpoint.classes or ("",)
        half = 4 * len(means)
        sums = np.zeros((len(order), 2 * half))
        population = protocol.population(endpoint.population)
        for (patient, record, of, *decisions), beats in cells.items():
            if population is None or population.holds(record, patient):
                row = [
                    part
                    for pair in (decisions[:2], decisions[2:])
                    for label in means
                    for called in pair
                    for part in _parts(endpoint, label, protocol, of, called)
                ]
                sums[order[patient]] += beats * np.array(row)
        total = [float(value) for value in sums.sum(axis=0)]
        values = [
            sum(share(total[place], total[place + 1]) for place in range(start, start + half, 4)) / len(means)
            for start in (0, 2, half, half + 2)
        ]
        loss = values[0] - values[1]
        for what, one, right in (
            ("float value", figure.float_value, values[0]),
            ("INT8 value", figure.int8_value, values[1]),
            ("loss", figure.loss.estimate, loss),
            ("excess", figure.excess.estimate, loss - (values[2] - values[3])),
        ):
            if not same(one, right):
                yield f"stress '{name}': the {what} of '{endpoint.name}' is {right:.6g}, not {one:.6g}"
        if (figure.loss.name, figure.excess.name) != (f"loss of {endpoint.name}", f"excess loss of {endpoint.name}"):
            yield f"stress '{name}': the figures of '{endpoint.name}' have other names"
        for what, interval, statistic, width in (
            ("loss", figure.loss.interval, ratio_loss, half),
            ("excess", figure.excess.interval, excess_loss, 2 * half),
        ):
            if not same_interval(interval, bootstrap_interval(sums[:, :width], statistic, bootstrap, rule.level)):
                yield f"stress '{name}': the interval of the {what} of '{endpoint.name}' does not follow"


def _parts(endpoint: Endpoint, label: str, protocol: Protocol, reference: int, decision: int) -> tuple[int, int]:
    """What a beat adds to numerator and denominator of the endpoint's figure for one class."""
    measure = endpoint.measure.removeprefix("ec57_")
    if measure == "accuracy":
        return int(reference == decision), 1
    index = protocol.labels.index(label)
    excused = protocol.labels[reference] in protocol.class_rule(label).not_false_positive
    if measure != endpoint.measure:
        excused = protocol.labels[reference] in {"V": "FQ", "S": "Q"}[label]
    hit, of_class = int(reference == decision == index), int(reference == index)
    called = int(decision == index and not excused)
    if measure == "sensitivity":
        return hit, of_class
    return (hit, called) if measure == "positive_predictivity" else (2 * hit, of_class + called)

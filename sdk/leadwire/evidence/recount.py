"""EC57's figures derived a second time from predictions.csv, by counting, with the standard library alone.

Beats are classified where the reference has them, so that each has its partner and no windows are needed but those of
the runs. None of `leadwire.ec57` is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isnan

from leadwire.artifacts import Ec57Record, Ec57Result, Statistic, ValidationResult

from .predictions import Table
from .recompute import same, share

_START_S, _WINDOW_US = 300.0, 150_000
_ROWS = "NSVFQOX"
_Beat = tuple[int, tuple[str, str]]
"""Microseconds from the start of the record; class of the reference and class decided."""


def false_ec57(validation: ValidationResult, table: Table) -> Iterator[str]:
    """Figures by EC57 that predictions.csv does not bear out, or that are not said to be NON-STANDARD."""
    judged = validation.judged_runtime
    beats = table.answers[judged].decided
    expected = tuple(dict.fromkeys(("float", "tflite", judged))) if _can_be_scored(table) else ()
    if tuple(one.test for one in validation.ec57) != expected:
        yield f"EC57's figures are of {len(validation.ec57)} runtime(s), not of {len(expected)}"
        return
    for stated in validation.ec57:
        decided = table.answers[stated.test].decided
        records: dict[str, list[_Beat]] = {}
        for beat in beats:
            time = round(table.times_s[beat] * 1e6)
            classes = table.labels[table.reference[beat]], table.labels[decided[beat]]
            records.setdefault(table.records[beat], []).append((time, classes))
        yield from _result(stated, records)


def _can_be_scored(table: Table) -> bool:
    if not set(table.labels) <= set("NSVFQ"):
        return False
    last: dict[str, float] = {}
    for record, time in zip(table.records, table.times_s, strict=True):
        if time <= last.get(record, -1.0):
            return False
        last[record] = time
    return max(last.values(), default=0.0) >= _START_S


def _result(stated: Ec57Result, records: dict[str, list[_Beat]]) -> Iterator[str]:
    who = f"EC57's figures of '{stated.test}'"
    if not stated.deviations:
        yield f"{who} are not said to be NON-STANDARD, and beats were classified where the reference has them"
    if [one.record for one in stated.records] != sorted(records) or stated.excluded:
        yield f"{who} are not of the records of predictions.csv"
        return
    totals: Counter[tuple[str, str]] = Counter()
    shares: list[dict[str, tuple[int, int]]] = []
    for one in stated.records:
        counted = [beat for beat in records[one.record] if beat[0] >= _START_S * 1e6]
        cells = Counter(classes for _, classes in counted)
        totals += cells
        shares.append(_shares(cells))
        if not _record_is(one, cells, records[one.record]):
            yield f"{who} for record {one.record} do not follow from predictions.csv"
    if stated.matrix != _matrix(totals) or not _figures_are(stated.gross, _shares(totals)):
        yield f"{who}, gross, do not follow from predictions.csv"
    for figure in stated.average:
        defined = [share(*of[figure.name]) for of in shares if figure.name in of and of[figure.name][1]]
        mean = sum(defined) / len(defined) if defined else float("nan")
        if not same(figure.estimate, mean):
            yield f"{who}: the average {figure.name} is {mean:.6g}, not {figure.estimate:.6g}"
    if [figure.name for figure in stated.average] != list(_shares(totals)):
        yield f"{who} have other averages than EC57 asks for"
    for place, kind in enumerate(stated.runs):
        for what in ("sensitivity", "positive_predictivity"):
            summed = [getattr(one.runs[place], what) for one in stated.records if len(one.runs) > place]
            if tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*summed, strict=True)) != getattr(
                kind, what
            ):
                yield f"{who}: the runs of all records are not the sum of theirs"


def _matrix(cells: Counter[tuple[str, str]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(cells[row, column] for column in _ROWS) for row in _ROWS)


def _shares(cells: Counter[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Numerator and denominator of each figure, no beat being missed or found in excess."""

    def count(rows: str, columns: str) -> int:
        return sum(cells[row, column] for row in rows for column in columns)

    everything = count("NSVFQ", "NSVFQ")
    false_v = count("NS", "V")
    return {
        "QRS sensitivity": (everything, everything),
        "QRS positive predictivity": (everything, everything),
        "VEB sensitivity": (cells["V", "V"], count("V", "NSVFQ")),
        "VEB positive predictivity": (cells["V", "V"], cells["V", "V"] + false_v),
        "SVEB sensitivity": (cells["S", "S"], count("S", "NSVFQ")),
        "SVEB positive predictivity": (cells["S", "S"], count("SNVF", "S")),
        "VEB false positive rate": (false_v, false_v + count("NSFQ", "NSFQ")),
    }


def _figures_are(stated: Sequence[Statistic], shares: dict[str, tuple[int, int]]) -> bool:
    return [one.name for one in stated] == list(shares) and all(
        (one.numerator, one.denominator) == shares[one.name] and same(one.estimate, share(*shares[one.name]))
        for one in stated
    )


def _record_is(stated: Ec57Record, cells: Counter[tuple[str, str]], beats: Sequence[_Beat]) -> bool:
    intervals = max(0, len([beat for beat in beats if beat[0] >= _START_S * 1e6]))
    error = stated.rr_error_ms
    if error is not None and (isnan(error) or error != 0.0 or not intervals):
        return False
    silent = stated.shutdown_s == 0 and all(
        one.detected == one.missed == one.confirmed == one.false == 0
        and one.reference_s == one.test_s == one.reference_overlap_s == one.test_overlap_s == 0
        for one in stated.episodes
    )
    runs = [
        (kind, _compared(beats, members, 0, 1), _transposed(_compared(beats, members, 1, 0)))
        for kind, members in (("VE", "VF"), ("SVE", "S"))
    ]
    return (
        silent
        and stated.matrix == _matrix(cells)
        and _figures_are(stated.figures, _shares(cells))
        and [(one.kind, one.sensitivity, one.positive_predictivity) for one in stated.runs] == runs
    )


def _compared(beats: Sequence[_Beat], members: str, one: int, other: int) -> tuple[tuple[int, ...], ...]:
    """[length of a run of `one`][length of the longest of `other` in its stretch], no length above 6. A beat is looked
    at for one run only, the earlier."""
    counts = [[0] * 7 for _ in range(7)]
    looked_at = 0
    for begin, end in _runs(beats, members, one):
        since, until = beats[begin][0] - _WINDOW_US, beats[end - 1][0] + _WINDOW_US
        length = longest = 0
        while looked_at < len(beats) and beats[looked_at][0] < since:
            looked_at += 1
        while looked_at < len(beats) and beats[looked_at][0] <= until:
            length = length + 1 if beats[looked_at][1][other] in members else 0
            longest = max(longest, length)
            looked_at += 1
        counts[min(6, end - begin)][min(6, longest)] += 1
    return tuple(map(tuple, counts))


def _runs(beats: Sequence[_Beat], members: str, side: int) -> Iterator[tuple[int, int]]:
    """First beat of each run and the one after its last, from the start of scoring."""
    begin = None
    for place, beat in enumerate(beats):
        belongs = beat[0] >= _START_S * 1e6 and beat[1][side] in members
        if belongs and begin is None:
            begin = place
        elif not belongs and begin is not None:
            yield begin, place
            begin = None
    if begin is not None:
        yield begin, len(beats)


def _transposed(counts: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(zip(*counts, strict=True))

"""The result in columns of the standard's tables: figures in per cent, '-' where one is undefined.

A primed column (Nn') also holds what the table has no column of its own for: f and q of the test as n, Q of the
reference as F, X as O.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor
from typing import Literal

from leadwire.artifacts import Ec57Episodes, Ec57Record, Ec57Result, Ec57Runs, Statistic

from .figures import Matrix
from .labels import ROWS

_BEAT_COLUMNS = "Nn' Sn' Vn' Fn' On' Ns Ss Vs Fs' Os' Nv Sv Vv Fv' Ov' No' So' Vo' Fo'"
_ROW_SETS = {"N": "N", "S": "S", "V": "V", "F": "FQ", "O": "OX"}
_COLUMN_SETS = {"n": "NFQ", "s": "S", "v": "V", "o": "OX"}
_SHUTDOWN_COLUMNS = "Nx Sx Vx Fx Qx beats% N% S% V% F% seconds N S V F Q"
_RUN_COLUMNS = "CTs CFN CTp CFP STs SFN STp SFP LTs LFN LTp LFP"


def beat_table(result: Ec57Result) -> str:
    """Beat by beat, a line per record, then sum, gross and average."""
    heading = ["record", *_BEAT_COLUMNS.split(), "Q Se", "Q +P", "V Se", "V +P", "S Se", "S +P", "RR err"]
    lines = [[one.record, *_beat_counts(one.matrix), *_percent(one.figures), _rr(one)] for one in result.records]
    blank = [""] * len(_BEAT_COLUMNS.split())
    average_rr = "-" if result.rr_error_ms is None else f"{result.rr_error_ms:.2f}"
    sums = [
        ["Sum", *_beat_counts(result.matrix)],
        ["Gross", *blank, *_percent(result.gross)],
        ["Average", *blank, *_averages(result), average_rr],
    ]
    qrs, _, veb, _, sveb, _, _ = result.gross
    return (
        _columns(heading, lines, sums)
        + f"Total QRS complexes: {qrs.denominator}  Total VEBs: {veb.denominator}  Total SVEBs: {sveb.denominator}\n"
    )


def _beat_counts(matrix: Matrix) -> Iterator[str]:
    for name in _BEAT_COLUMNS.split():
        rows, columns = _ROW_SETS[name[0]], _COLUMN_SETS[name[1]]
        yield str(sum(matrix[ROWS.index(row)][ROWS.index(column)] for row in rows for column in columns))


def _percent(figures: Sequence[Statistic]) -> list[str]:
    """Without the false positive rate, which has no column."""
    return [_share(one.numerator or 0, one.denominator or 0) for one in figures[:6]]


def _averages(result: Ec57Result) -> Iterator[str]:
    for place in range(6):
        of_records = [one.figures[place] for one in result.records]
        defined = [one.estimate for one in of_records if one.denominator]
        yield f"{100 * sum(defined) / len(defined):.2f}" if defined else "-"


def _rr(one: Ec57Record) -> str:
    return "-" if one.rr_error_ms is None else f"{one.rr_error_ms:.2f}"


def shutdown_table(result: Ec57Result) -> str:
    """Beats that the algorithm missed because it had shut down, and for how long it had."""
    heading = ["record", *_SHUTDOWN_COLUMNS.split()]
    lines = []
    for one in result.records:
        lost = [row[ROWS.index("X")] for row in one.matrix[:5]]
        totals = [sum(row) for row in one.matrix[:5]]
        shares = [_share(sum(lost), sum(totals)), *(_share(*pair) for pair in zip(lost[:4], totals[:4], strict=True))]
        lines.append([one.record, *map(str, lost), *shares, str(one.shutdown_s), *map(str, totals)])
    return _columns(heading, lines, [])


def _share(part: int, whole: int) -> str:
    """Multiplied before it is divided: so a half that is a half stays one."""
    return f"{100 * part / whole:.2f}" if whole else "-"


def run_table(result: Ec57Result, kind: Literal["VE", "SVE"]) -> str:
    """Couplets (C), short runs of 3 to 5 (S) and long runs of 6 and more (L): true positives (T), missed (FN) and false
    (FP), s counted on the reference's runs and p on the test's."""
    heading = ["record", *_RUN_COLUMNS.split(), "CSe", "C+P", "SSe", "S+P", "LSe", "L+P"]
    of_records = [(one.record, _of_kind(one.runs, kind)) for one in result.records]
    lines = [[record, *map(str, _run_counts(runs)), *_run_shares(runs, half_up=True)] for record, runs in of_records]
    gross = _of_kind(result.runs, kind)
    average = []
    for column in zip(*(_run_pairs(runs) for _, runs in of_records), strict=True):
        defined = [true / whole for true, whole in column if whole]
        average.append(f"{100 * sum(defined) / len(defined):.0f}" if defined else "-")
    blank = [""] * len(_RUN_COLUMNS.split())
    sums = [
        ["Sum", *map(str, _run_counts(gross))],
        ["Gross", *blank, *_run_shares(gross, half_up=False)],
        ["Average", *blank, *average],
    ]
    couplets, short, long = (sum(one[:2]) for one in (gross.couplets, gross.short, gross.long))
    return (
        _columns(heading, lines, sums)
        + f"Total couplets: {couplets}  Total short runs: {short}  Total long runs: {long}\n"
    )


def _of_kind(runs: Sequence[Ec57Runs], kind: str) -> Ec57Runs:
    return next(one for one in runs if one.kind == kind)


def _run_counts(runs: Ec57Runs) -> tuple[int, ...]:
    return (*runs.couplets, *runs.short, *runs.long)


def _run_pairs(runs: Ec57Runs) -> list[tuple[int, int]]:
    """Right ones and all of them."""
    counts = _run_counts(runs)
    return [(true, true + other) for true, other in zip(counts[::2], counts[1::2], strict=True)]


def _run_shares(runs: Ec57Runs, *, half_up: bool) -> list[str]:
    """Whole per cent. The reference programs round lines half up and sums half to even."""
    return [
        "-" if not whole else str(floor(100 * true / whole + 0.5)) if half_up else f"{100 * true / whole:.0f}"
        for true, whole in _run_pairs(runs)
    ]


def episode_table(result: Ec57Result, kind: Literal["AF", "VF"]) -> str:
    """Episodes and their durations, a line per record, then sum, gross and average."""
    heading = ["record", "TPs", "FN", "TPp", "FP", "ESe", "E+P", "DSe", "D+P", "reference", "test"]
    of_records = [(one.record, _episodes(one.episodes, kind)) for one in result.records]
    lines = [[record, *_episode_cells(one)] for record, one in of_records]
    total = _episodes(result.episodes, kind)
    columns = zip(*(_episode_fractions(one) for _, one in of_records), strict=True)
    average = []
    for column in columns:
        defined = [value for value in column if value is not None]
        average.append(_whole(sum(defined) / len(defined) if defined else None))
    sums = [
        ["Sum", *(str(one) for one in (total.detected, total.missed, total.confirmed, total.false))],
        [
            "Gross",
            "",
            "",
            "",
            "",
            *map(_whole, _episode_fractions(total)),
            _clock(total.reference_s),
            _clock(total.test_s),
        ],
        ["Average", "", "", "", "", *average],
    ]
    return _columns(heading, lines, sums)


def _episodes(episodes: Sequence[Ec57Episodes], kind: str) -> Ec57Episodes:
    return next(one for one in episodes if one.kind == kind)


def _episode_cells(one: Ec57Episodes) -> list[str]:
    counts = map(str, (one.detected, one.missed, one.confirmed, one.false))
    return [*counts, *map(_whole, _episode_fractions(one)), _clock(one.reference_s), _clock(one.test_s)]


def _episode_fractions(one: Ec57Episodes) -> list[float | None]:
    pairs = (
        (one.detected, one.detected + one.missed),
        (one.confirmed, one.confirmed + one.false),
        (one.reference_overlap_s, one.reference_s),
        (one.test_overlap_s, one.test_s),
    )
    return [part / whole if whole else None for part, whole in pairs]


def _whole(value: float | None) -> str:
    """Half up; the last bit of a quotient of seconds is not to decide what is a half."""
    return "-" if value is None else str(floor(100 * value + 0.5 + 1e-9))


def _clock(seconds: float) -> str:
    """'4:40.000', hours before it where there are any; no time at all is '0.000'."""
    thousandths = floor(1000 * seconds + 0.5)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes_left = divmod(minutes, 60)
    clock = f"{minutes_left:02d}:{rest / 1000:06.3f}" if hours else f"{minutes}:{rest / 1000:06.3f}"
    return f"{hours}:{clock}" if hours else clock if thousandths else "0.000"


def matrix_of(one: Ec57Record) -> str:
    """One record: the matrix and what follows from it."""
    heading = ["", *"nsvfqox"]
    lines = [[name, *map(str, row[:5] if name in "OX" else row)] for name, row in zip(ROWS, one.matrix, strict=True)]
    text = f"Record {one.record}\n" + _columns(heading, lines, [])
    for figure in one.figures[:6]:
        share = _share(figure.numerator or 0, figure.denominator or 0)
        percent = share if share == "-" else share + "%"
        text += f"{figure.name:>26}: {percent:>7} ({figure.numerator}/{figure.denominator})\n"
    rate = one.figures[6]
    percent = f"{100 * (rate.numerator or 0) / rate.denominator:.3f}%" if rate.denominator else "-"
    text += f"{rate.name:>26}: {percent:>7} ({rate.numerator}/{rate.denominator})\n"
    return text + f"{'RMS RR interval error':>26}: {_rr(one):>6} ms\n"


def episodes_of(one: Ec57Record, kind: Literal["AF", "VF"]) -> str:
    """One record's episodes and durations with their numbers."""
    found = _episodes(one.episodes, kind)
    shares = list(map(_whole, _episode_fractions(found)))
    detail = (
        ("episode sensitivity", f"{found.detected}/{found.detected + found.missed}"),
        ("episode positive predictivity", f"{found.confirmed}/{found.confirmed + found.false}"),
        ("duration sensitivity", f"{_clock(found.reference_overlap_s)}/{_clock(found.reference_s)}"),
        ("duration positive predictivity", f"{_clock(found.test_overlap_s)}/{_clock(found.test_s)}"),
    )
    lines = [
        f"{name:>32}: {share if share == '-' else share + '%':>5} ({numbers})"
        for (name, numbers), share in zip(detail, shares, strict=True)
    ]
    lines.append(f"{'duration of reference episodes':>32}: {_clock(found.reference_s)}")
    lines.append(f"{'duration of test episodes':>32}: {_clock(found.test_s)}")
    return f"{kind} episodes of record {one.record}\n" + "\n".join(lines) + "\n"


def _columns(heading: Sequence[str], lines: Sequence[Sequence[str]], sums: Sequence[Sequence[str]]) -> str:
    """Right-aligned columns, the first left-aligned; a rule before the sums."""
    rows = [heading, *lines, *sums]
    widths = [max(len(row[place]) for row in rows if place < len(row)) for place in range(len(heading))]
    drawn = [
        " ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        for row in rows
    ]
    if sums:
        drawn.insert(1 + len(lines), "_" * (sum(widths) + len(widths) - 1))
    return "\n".join(line.rstrip() for line in drawn) + "\n"

"""What published latencies say about cores, and how far off a forecast is: leave one board out.

For the same model and software, the logarithm of the cycles on a board is

    software and model  +  core, by the timing model  +  deviation of the core  +  deviation of the board  +  rest

Least squares over all submissions whose core leadwire has a timing for. Deviations are pulled to 0 as if each were
drawn with the standard deviations below, which are set and not fitted. A core's deviation is taken over into forecasts;
a board's and the rest are what the band is made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from .tables import Published, code_cycles, published, timings

REFERENCE_CORE = "cortex-m4f"
CORE_DEVIATION = 0.20
BOARD_DEVIATION = 0.15
REST_DEVIATION = 0.10
COVERAGE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A forecast times and divided by `factor`. `calibrated`: whether the core is among the published boards'."""

    factor: float
    coverage: float
    how: str
    calibrated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """A published figure and its forecast from the others. None: its software is on no other board of
    the table."""

    board: str
    core: str
    software: str
    round: str
    model: str
    published_ms: float
    forecast_ms: float | None
    blind_ms: float
    """The forecast that takes no account of the software: the mean over all software of the other boards."""

    @property
    def log_error(self) -> float | None:
        return None if self.forecast_ms is None else math.log(self.forecast_ms / self.published_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    deviations: Mapping[str, float]
    boards_band: Band
    cores_band: Band

    def deviation(self, core: str) -> float:
        return self.deviations.get(core, 0.0)

    def band(self, core: str) -> Band:
        return self.boards_band if core in self.deviations else self.cores_band


def usable(row: Published) -> bool:
    """Whether a row says something of its core as leadwire uses it."""
    return not row.beyond and row.core in timings()


@cache
def calibrate() -> Calibration:
    rows = [row for row in published()[1] if usable(row)]
    return Calibration(
        deviations=_Fit.of(rows).cores,
        boards_band=_band(leave_one_out("board"), "board", calibrated=True),
        cores_band=_band(leave_one_out("core"), "core", calibrated=False),
    )


@cache
def leave_one_out(group: str) -> tuple[HeldOut, ...]:
    """Each usable figure, forecast from the submissions of all other boards (cores); `group` is 'board' or 'core'."""
    models, rows = published()
    usable_rows = [row for row in rows if usable(row)]
    key = _key(group)
    found = []
    for name in dict.fromkeys(key(row) for row in usable_rows):
        fit = _Fit.of([row for row in usable_rows if key(row) != name])
        for row in usable_rows:
            if key(row) != name:
                continue
            for index, model in enumerate(models):
                forecast = fit.megacycles(row, index)
                found.append(
                    HeldOut(
                        board=row.board,
                        core=row.core,
                        software=row.software,
                        round=row.round,
                        model=model,
                        published_ms=row.milliseconds[index],
                        forecast_ms=None if forecast is None else forecast * 1e9 / row.clock_hz,
                        blind_ms=fit.blind_megacycles(row, index) * 1e9 / row.clock_hz,
                    )
                )
    return tuple(found)


def modelled(core: str) -> float:
    """Logarithm of the cycles that the timing model gives `core`, 0 for the Cortex-M4F."""
    timing = timings()[core]
    return math.log(timing.relative_cycles * code_cycles()[timing.code])


def conformal(scores: Sequence[float], coverage: float = COVERAGE) -> tuple[float, float]:
    """(half width, coverage) of a band that holds the next score with at least that probability, if scores are
    exchangeable: the k-th smallest of n, k = coverage (n + 1) rounded up; the largest and n / (n + 1) where n is small.
    """
    ordered = sorted(scores)
    rank = math.ceil(round(coverage * (len(ordered) + 1), 9))
    if rank > len(ordered):
        return ordered[-1], len(ordered) / (len(ordered) + 1)
    return ordered[rank - 1], coverage


def group_scores(held_out: Iterable[HeldOut], group: str) -> dict[str, float]:
    """The largest absolute log error of each board or core: a band that covers it covers all figures of the group."""
    key = _key(group)
    scores: dict[str, float] = {}
    for one in held_out:
        if one.log_error is not None:
            scores[key(one)] = max(scores.get(key(one), 0.0), abs(one.log_error))
    return scores


def _band(held_out: Sequence[HeldOut], group: str, *, calibrated: bool) -> Band:
    scores = group_scores(held_out, group)
    half, coverage = conformal(list(scores.values()))
    how = f"{coverage:.0%} band from leaving one {group} out of {len(scores)}: times or divided by {math.exp(half):.2f}"
    return Band(factor=math.exp(half), coverage=coverage, how=how, calibrated=calibrated)


def _key(group: str) -> Callable[[Published | HeldOut], str]:
    return (lambda row: row.board) if group == "board" else (lambda row: row.core)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """`software` holds log megacycles on the reference core by (software, round, model)."""

    cores: Mapping[str, float]
    software: Mapping[tuple[str, int], float]

    @classmethod
    def of(cls, rows: Sequence[Published]) -> _Fit:
        cores = list(dict.fromkeys(row.core for row in rows))
        boards = list(dict.fromkeys(row.board for row in rows))
        models = range(len(rows[0].milliseconds))
        software = list(dict.fromkeys((row.software, model) for row in rows for model in models))
        columns = {("core", name): i for i, name in enumerate(cores)}
        columns |= {("board", name): len(columns) + i for i, name in enumerate(boards)}
        first = len(columns)
        equations: list[npt.NDArray[np.float64]] = []
        values: list[float] = []

        def equation(weight: float, value: float, *ones: int) -> None:
            line = np.zeros(first + len(software))
            line[list(ones)] = weight
            equations.append(line)
            values.append(weight * value)

        for row in rows:
            for model in models:
                column = first + software.index((row.software, model))
                log_cycles = math.log(row.megacycles(model)) - modelled(row.core)
                equation(1 / REST_DEVIATION, log_cycles, columns["core", row.core], columns["board", row.board], column)
        for name in cores:
            equation(1 / CORE_DEVIATION, 0.0, columns["core", name])
        for name in boards:
            equation(1 / BOARD_DEVIATION, 0.0, columns["board", name])
        found = np.linalg.lstsq(np.array(equations), np.array(values), rcond=None)[0]
        return cls(
            cores={name: float(found[columns["core", name]]) for name in cores},
            software={one: float(found[first + i]) for i, one in enumerate(software)},
        )

    def megacycles(self, row: Published, model: int) -> float | None:
        """Of the row's software on its core, None where the software is not among the fitted rows."""
        base = self.software.get((row.software, model))
        return None if base is None else math.exp(base + modelled(row.core) + self.cores.get(row.core, 0.0))

    def blind_megacycles(self, row: Published, model: int) -> float:
        """Of the geometric mean of all fitted software on the row's core."""
        bases = [base for (_, of), base in self.software.items() if of == model]
        return math.exp(sum(bases) / len(bases) + modelled(row.core) + self.cores.get(row.core, 0.0))

"""The errors of forecasts on the published table: by core, by board, and as the manual shows them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .calibration import COVERAGE, HeldOut, calibrate, conformal, group_scores, leave_one_out, usable
from .tables import Published, published


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreErrors:
    """Errors in percent of the published figure; `unknown` counts figures whose software is on no other board of
    the table."""

    core: str
    boards: int
    figures: int
    median_percent: float
    largest_percent: float
    unknown: int
    without_core_percent: float | None
    """The largest error where all boards with the core were left out; None where no figure is left to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastErrors:
    by_core: tuple[CoreErrors, ...]
    held_out: tuple[HeldOut, ...]
    boards_factor: float
    boards_coverage: float
    cores_factor: float
    cores_coverage: float
    covered: int
    """Boards of `boards` whose figures all lie in the band made of the other boards."""
    boards: int
    blind_median_percent: float
    blind_largest_factor: float
    """Forecasts that take no account of the software: median error, and the largest times or divided by."""
    not_used: tuple[str, ...]
    """Submissions that no error is of, and why."""


def percent(one: HeldOut) -> float | None:
    return None if one.log_error is None else 100 * math.expm1(one.log_error)


def title(row: Published | HeldOut) -> str:
    """Software and round; a software without a version of its own is named with its round."""
    return row.software if row.software.endswith(row.round) else f"{row.software}, {row.round}"


def forecast_errors() -> ForecastErrors:
    by_board, by_core = leave_one_out("board"), leave_one_out("core")
    cores = dict.fromkeys(one.core for one in by_board)
    scores = group_scores(by_board, "board")
    known = calibrate()
    blind = [math.log(one.blind_ms / one.published_ms) for one in by_board]
    return ForecastErrors(
        by_core=tuple(_core(core, by_board, by_core) for core in cores),
        held_out=by_board,
        boards_factor=known.boards_band.factor,
        boards_coverage=known.boards_band.coverage,
        cores_factor=known.cores_band.factor,
        cores_coverage=known.cores_band.coverage,
        covered=sum(
            score <= conformal([other for board, other in scores.items() if board != name], COVERAGE)[0]
            for name, score in scores.items()
        ),
        boards=len(scores),
        blind_median_percent=statistics.median(100 * abs(math.expm1(error)) for error in blind),
        blind_largest_factor=math.exp(max(abs(error) for error in blind)),
        not_used=(
            *(
                f"{row.board}, {title(row)}: {row.beyond or 'no timing for ' + row.core}"
                for row in published()[1]
                if not usable(row)
            ),
            *dict.fromkeys(
                f"{one.board}, {title(one)}: its software is on no other board of this table"
                for one in by_board
                if one.log_error is None
            ),
        ),
    )


def _core(core: str, by_board: Sequence[HeldOut], by_core: Sequence[HeldOut]) -> CoreErrors:
    mine = [one for one in by_board if one.core == core]
    errors = [abs(error) for one in mine if (error := percent(one)) is not None]
    without = [abs(error) for one in by_core if one.core == core and (error := percent(one)) is not None]
    return CoreErrors(
        core=core,
        boards=len({one.board for one in mine if one.log_error is not None}),
        figures=len(errors),
        median_percent=statistics.median(errors) if errors else math.nan,
        largest_percent=max(errors, default=math.nan),
        unknown=len(mine) - len(errors),
        without_core_percent=max(without, default=None),
    )


def errors_markdown() -> str:
    """The two tables of docs/manual/forecast.md."""
    found = forecast_errors()
    models = published()[0]
    lines = [
        "| core | boards | figures | median error, % | largest error, % | largest without the core's boards, % |",
        "|---|---|---|---|---|---|",
    ]
    for one in found.by_core:
        without = "" if one.without_core_percent is None else f"{one.without_core_percent:.0f}"
        lines.append(
            f"| {one.core} | {one.boards} | {one.figures} | {one.median_percent:.0f} | {one.largest_percent:.0f} | "
            f"{without} |"
        )
    lines += [
        "",
        f"- band of a board whose core is in the table: times or divided by {found.boards_factor:.2f}, coverage "
        f"{found.boards_coverage:.0%}",
        f"- {found.covered} of {found.boards} boards lie, with all their figures, in the band made of the other boards",
        f"- band of another core: times or divided by {found.cores_factor:.2f}, coverage {found.cores_coverage:.0%}",
        f"- without knowing the software: median error {found.blind_median_percent:.0f} %, largest times or divided by "
        f"{found.blind_largest_factor:.1f}",
        "",
        f"| board left out | core | software | {' | '.join(f'{model}, %' for model in models)} |",
        "|---|---|---|" + "---|" * len(models),
    ]
    for start in range(0, len(found.held_out), len(models)):
        row = found.held_out[start : start + len(models)]
        errors = [percent(one) for one in row]
        if None in errors:
            continue
        cells = " | ".join(f"{error:+.0f}" for error in errors if error is not None)
        lines.append(f"| {row[0].board} | {row[0].core} | {title(row[0])} | {cells} |")
    lines += ["", "Not used:", "", *(f"- {text}" for text in found.not_used)]
    return "\n".join(lines) + "\n"

"""What forecast and `boards --fits` show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .console import grid, out, table_of

if TYPE_CHECKING:
    from leadwire.forecast.errors_table import ForecastErrors
    from leadwire.pipeline.forecast import Forecast, Ranking


def forecast(result: Forecast) -> None:
    found = result.forecast
    grid(
        [
            ("model", f"{result.model}  sha-256 {found.model_digest}"),
            ("board", f"{found.board_id}, {found.core} at {found.clock_hz / 1e6:g} MHz"),
            (
                "latency",
                f"{_time(found.latency_us)}, {_time(found.low_us)} to {_time(found.high_us)}  ESTIMATED, not measured",
            ),
            ("cycles", f"{found.cycles:,.0f}"),
            ("work", found.work),
            ("band", found.band),
            ("core", "among the published boards" if found.core_is_calibrated else "not among the published boards"),
        ]
    )
    table_of(
        "operators",
        ["op", "kind", "tensor", "MACs", "share"],
        [(str(o.index), o.kind, o.tensor, f"{o.macs:,}", f"{o.share:.1%}") for o in found.operators],
        left=3,
    )
    limit = result.budget.lines[0].limit
    if limit is not None:
        out.print(Text(f"limit {_time(limit)}: {result.verdict}", style="bold"))


def ranking(result: Ranking) -> None:
    out.print(Text(f"{result.model}: {result.note}", style="dim"))
    table_of(
        "boards that it fits, by margin",
        ["board", "core", "through", "margin", "flash", "RAM", "latency, estimated"],
        [
            (
                one.board_id,
                f"{one.core} {one.clock_hz / 1e6:g} MHz",
                one.through,
                f"{one.margin:.0%} {one.scarcest}",
                f"{one.flash_bytes / one.flash_limit_bytes:.0%}",
                f"{one.ram_bytes / one.ram_limit_bytes:.0%}",
                f"{_time(one.latency_low_us)} to {_time(one.latency_high_us)}",
            )
            for one in result.boards
            if one.fits
        ],
        left=3,
    )
    others = [one for one in result.boards if not one.fits]
    if others:
        table_of(
            "boards that it does not fit", ["board", "why"], [(o.board_id, "; ".join(o.reasons)) for o in others], 2
        )


def errors(result: ForecastErrors) -> None:
    table_of(
        "leave one board out: errors on the published table, in percent",
        ["core", "boards", "figures", "median", "largest", "largest without the core's boards"],
        [
            (
                one.core,
                str(one.boards),
                str(one.figures),
                f"{one.median_percent:.0f}",
                f"{one.largest_percent:.0f}",
                "" if one.without_core_percent is None else f"{one.without_core_percent:.0f}",
            )
            for one in result.by_core
        ],
    )
    grid(
        [
            ("band", f"times or divided by {result.boards_factor:.2f}, coverage {result.boards_coverage:.0%}"),
            ("", f"{result.covered} of {result.boards} boards lie wholly in the band made of the other boards"),
            ("other cores", f"times or divided by {result.cores_factor:.2f}, coverage {result.cores_coverage:.0%}"),
            (
                "software unknown",
                f"median error {result.blind_median_percent:.0f} %, "
                f"largest times or divided by {result.blind_largest_factor:.1f}",
            ),
            *(("not used", text) for text in result.not_used),
        ]
    )


def _time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds:.3g} us"

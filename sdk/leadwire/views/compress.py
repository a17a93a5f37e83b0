"""What `compress` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import grid, out, table_of

if TYPE_CHECKING:
    from leadwire.artifacts import CompressionResult, CompressionRow, Interval


def compression(result: CompressionResult) -> None:
    classes = " ".join(result.classes)
    table_of(
        f"{result.recipe}: {result.mode}, {result.board}, {result.test_beats} beats of {result.test_patients} patients",
        ["step", "parameters", "flash, B", "RAM, B", "instructions", "ms", "float F1, %", "F1, %", "lost", "interval"],
        [_row(row, result.clock_hz) for row in result.rows],
    )
    table_of(
        "by class, %",
        ["step", *(f"{name} {figure}" for name in result.classes for figure in ("Se", "+P"))],
        [
            (
                row.label,
                *(
                    cell
                    for one in row.classes
                    for cell in (
                        _with(one.sensitivity, one.sensitivity_interval),
                        _with(one.positive_predictivity, one.positive_predictivity_interval),
                    )
                ),
            )
            for row in result.rows
        ],
    )
    grid((row.label, ", ".join(f"{name} {value}" for name, value in row.facts)) for row in result.rows if row.facts)
    grid(
        [
            ("F1", f"mean over {classes}; lost: points against the float model of the first row, interval by patients"),
            ("held out", f"to choose by: {', '.join(result.tune_patients)}"),
        ]
    )
    out.print()


def _row(row: CompressionRow, clock_hz: int) -> tuple[str, ...]:
    interval = row.loss_interval
    return (
        row.label,
        f"{row.parameters:,}",
        f"{row.flash_bytes:,}",
        f"{row.ram_bytes:,}",
        "does not fit" if row.instructions is None else f"{row.instructions:,}",
        "" if row.cycles is None else f"{1e3 * row.cycles / clock_hz:.2f}",
        f"{100 * row.float_f1:.2f}",
        f"{100 * row.f1:.2f}",
        f"{100 * row.loss:+.2f}",
        "" if interval is None else f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}",
    )


def _with(value: float, interval: Interval | None) -> str:
    text = f"{100 * value:.1f}"
    return text if interval is None else f"{text} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"

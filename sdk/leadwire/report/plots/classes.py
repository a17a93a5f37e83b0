"""Sensitivity and positive predictivity of each class, one mark for each runtime, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import RuntimeMetrics, Statistic
from leadwire.report.numbers import interval, percent
from leadwire.report.svg import figure, line, marker, text, ticks

SHAPES = ("ring", "square", "circle", "diamond")
_LEFT, _PANEL, _GAP, _ROW, _TOP = 40, 390, 50, 46, 34


def draw(metrics: Sequence[RuntimeMetrics], labels: Sequence[str]) -> Markup:
    """Two panels with one scale; runtimes are told apart by shape, colour and position."""
    low = min(
        (
            limit
            for item in metrics
            for value in (*item.sensitivity, *item.positive_predictivity)
            for limit in _low(value)
        ),
        default=0.0,
    )
    scale = ticks(low, 1.0)
    height = _TOP + _ROW * len(labels) + 26
    panels = [
        _panel(name, _LEFT + number * (_PANEL + _GAP), [getattr(item, field) for item in metrics], scale, metrics)
        for number, (name, field) in enumerate(
            (("Sensitivity", "sensitivity"), ("Positive predictivity", "positive_predictivity"))
        )
    ]
    names = [
        text(_LEFT - 14, _TOP + _ROW * (row + 0.5) + 5, name, "strong", anchor="end", limit=4)
        for row, name in enumerate(labels)
    ]
    runtimes = ", ".join(item.runtime for item in metrics)
    return figure(
        _LEFT + 2 * _PANEL + _GAP + 14,
        height,
        "Sensitivity and positive predictivity by class",
        f"Runtimes {runtimes}; the same figures stand in the table below.",
        *names,
        *panels,
    )


def _panel(
    name: str,
    left: float,
    columns: Sequence[Sequence[Statistic]],
    scale: Sequence[float],
    metrics: Sequence[RuntimeMetrics],
) -> Markup:
    low, span = scale[0], scale[-1] - scale[0]
    rows = max(map(len, columns), default=0)
    bottom = _TOP + _ROW * rows

    def place(value: float) -> float:
        return left + (value - low) / span * _PANEL

    parts = [text(left, 14, name, "strong")]
    for tick in scale:
        parts.append(line(place(tick), _TOP - 8, place(tick), bottom, "grid"))
        parts.append(text(place(tick), bottom + 17, percent(tick, 0), "faint", anchor="middle"))
    for number, column in enumerate(columns):
        shift = (number - (len(columns) - 1) / 2) * 11
        for row, value in enumerate(column):
            y = _TOP + _ROW * (row + 0.5) + shift
            if not math.isfinite(value.estimate):
                parts.append(text(left + 4, y + 4, "no beats", "faint"))
                continue
            style = f"runtime-{number % 4}"
            if value.interval:
                parts.append(line(place(value.interval.low), y, place(value.interval.high), y, f"whisker {style}"))
            tooltip = f"{metrics[number].runtime}: {value.name} {percent(value.estimate)} {interval(value.interval)}"
            parts.append(marker(SHAPES[number % 4], place(value.estimate), y, 4, f"mark {style}", tooltip))
    return Markup("").join(parts)


def _low(value: Statistic) -> list[float]:
    found = (value.estimate, value.interval.low if value.interval else value.estimate)
    return [number for number in found if math.isfinite(number)]

"""Sensitivity and positive predictivity of each class, one mark for each runtime, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import Statistic
from leadwire.report.numbers import interval, percent
from leadwire.report.sides import Side
from leadwire.report.svg import figure, line, marker, text, ticks

SHAPES = ("ring", "square", "circle", "diamond", "triangle")
_LEFT, _PANEL, _GAP, _ROW, _TOP = 40, 374, 82, 46, 34

Column = tuple[str, tuple[Statistic, ...]]  # a side's name and its figure for each class


def draw(sides: Sequence[Side], labels: Sequence[str]) -> Markup:
    """Two panels with one scale; the sides are told apart by shape, colour and position."""
    panels: tuple[tuple[str, str, list[Column]], ...] = (
        ("Sensitivity", "no such beats", [(side.name, side.metrics.sensitivity) for side in sides]),
        ("Positive predictivity", "never decided", [(side.name, side.metrics.positive_predictivity) for side in sides]),
    )
    lows = [low for _, _, columns in panels for _, values in columns for value in values for low in _low(value)]
    scale = ticks(min(lows, default=0.0), 1.0)
    names = [
        text(_LEFT - 14, _TOP + _ROW * (row + 0.5) + 5, name, "strong", anchor="end", limit=4)
        for row, name in enumerate(labels)
    ]
    drawn = [_panel(*panel, _LEFT + i * (_PANEL + _GAP), scale) for i, panel in enumerate(panels)]
    return figure(
        _LEFT + 2 * _PANEL + _GAP + 14,
        _TOP + _ROW * len(labels) + 26,
        "Sensitivity and positive predictivity by class",
        f"{'; '.join(side.name for side in sides)}. The table below has the same figures.",
        *names,
        *drawn,
    )


def _panel(title: str, nothing: str, columns: Sequence[Column], left: float, scale: Sequence[float]) -> Markup:
    """`nothing` is written where a figure has no denominator."""
    low, span = scale[0], scale[-1] - scale[0]
    bottom = _TOP + _ROW * max((len(values) for _, values in columns), default=0)

    def place(value: float) -> float:
        return left + (value - low) / span * _PANEL

    parts = [text(left, 14, title, "strong")]
    for tick in scale:
        parts.append(line(place(tick), _TOP - 8, place(tick), bottom, "grid"))
        parts.append(text(place(tick), bottom + 17, percent(tick, 0), "faint", anchor="middle"))
    for number, (name, values) in enumerate(columns):
        shift = (number - (len(columns) - 1) / 2) * min(11.0, 36 / len(columns))
        shape, style = SHAPES[number % len(SHAPES)], f"runtime-{number % len(SHAPES)}"
        for row, value in enumerate(values):
            y = _TOP + _ROW * (row + 0.5) + shift
            if not math.isfinite(value.estimate):
                parts.append(text(left + 4, y + 4, nothing, "tiny faint"))
                continue
            if value.interval:
                parts.append(line(place(value.interval.low), y, place(value.interval.high), y, f"whisker {style}"))
            tooltip = f"{name}: {value.name} {percent(value.estimate)} {interval(value.interval)}"
            parts.append(marker(shape, place(value.estimate), y, 4, f"mark {style}", tooltip))
    return Markup("").join(parts)


def _low(value: Statistic) -> list[float]:
    found = (value.estimate, value.interval.low if value.interval else value.estimate)
    return [number for number in found if math.isfinite(number)]

"""Excess loss of the quantized model under each stress condition: one row a condition, one panel an endpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import StressCondition, StressFigure
from leadwire.report.numbers import points, signed_interval
from leadwire.report.svg import figure, line, marker, text, ticks

_LEFT, _WIDTH, _GAP, _ROW, _TOP = 190, 690, 34, 17, 58


def draw(conditions: Sequence[StressCondition], mode: str = "INT8") -> Markup:
    """To the right: quantization costs more than on the same beats undisturbed. Percentage points; a condition's name
    stands in the row of its first level."""
    rows = [one for one in conditions if one.level is not None]
    names = [figure.endpoint for figure in rows[0].figures] if rows else []
    width = (_WIDTH - _GAP * (len(names) - 1)) / max(1, len(names))
    bottom = _TOP + _ROW * len(rows)
    parts: list[Markup] = []
    for row, one in enumerate(rows):
        y = _TOP + _ROW * (row + 0.5) + 4
        if not row or rows[row - 1].title != one.title:
            parts.append(line(8, _TOP + _ROW * row, _LEFT + _WIDTH, _TOP + _ROW * row, "grid"))
            parts.append(text(8, y, one.title, "tiny strong", limit=22))
        parts.append(text(_LEFT - 12, y, _level(one), "tiny faint", anchor="end"))
    for column, name in enumerate(names):
        left = _LEFT + column * (width + _GAP)
        room, last = int((2 * width + _GAP) / 6), column == len(names) - 1  # names stand on two lines in turn
        parts.append(
            text(
                left + width if last else left,
                14 + 15 * (column % 2),
                name,
                "tiny strong",
                anchor="end" if last else "start",
                limit=max(16, room),
            )
        )
        parts += _panel([one.figures[column] for one in rows], rows, left, width, bottom)
    worse = sum(_worse(item) for one in rows for item in one.figures)
    said = f"{worse} of {len(rows) * len(names)} intervals lie above zero."
    return figure(_LEFT + _WIDTH + 10, bottom + 38, f"Excess loss of {mode} under stress", said, *parts)


def _panel(
    items: Sequence[StressFigure], rows: Sequence[StressCondition], left: float, width: float, bottom: float
) -> list[Markup]:
    reach = [0.0, *(limit for item in items for limit in _limits(item))]
    scale = ticks(100 * min(reach) - 0.01, 100 * max(reach) + 0.01, 2)
    low, span = scale[0], scale[-1] - scale[0]

    def place(value: float) -> float:
        return left + (100 * value - low) / span * width

    parts = []
    for tick in scale:
        x = place(tick / 100)
        parts.append(line(x, _TOP - 4, x, bottom, "grid zero" if tick == 0 else "grid"))
        parts.append(text(x, bottom + 15, points(tick / 100, 1 if span < 6 else 0), "tiny faint", anchor="middle"))
    for row, (item, one) in enumerate(zip(items, rows, strict=True)):
        y = _TOP + _ROW * (row + 0.5)
        if not math.isfinite(item.excess.estimate):
            continue
        interval = item.excess.interval
        change = "worse" if _worse(item) else "better" if interval and interval.high < 0 else "same"
        if interval:
            parts.append(line(place(interval.low), y, place(interval.high), y, "whisker thin"))
        tooltip = f"{one.title} {_level(one)}: {points(item.excess.estimate)} {signed_interval(interval)}"
        parts.append(marker("circle", place(item.excess.estimate), y, 3.2, f"mark {change}", tooltip))
    return parts


def _worse(item: StressFigure) -> bool:
    return item.excess.interval is not None and item.excess.interval.low > 0


def _limits(item: StressFigure) -> list[float]:
    interval = item.excess.interval
    limits = [item.excess.estimate, *((interval.low, interval.high) if interval else ())]
    return [limit for limit in limits if math.isfinite(limit)]


def _level(one: StressCondition) -> str:
    return f"{one.level:g} {one.unit.split()[0]}" if one.level is not None else ""

"""Loss of the quantized model against float for each endpoint, against the margin fixed beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from leadwire.artifacts import EndpointResult, Interval
from leadwire.report.numbers import points, signed_interval
from leadwire.report.svg import figure, line, marker, rect, text, ticks

_LEFT, _PANEL, _RIGHT, _ROW, _TOP = 230, 450, 210, 52, 36


def draw(endpoints: Sequence[EndpointResult], mode: str = "INT8") -> Markup:
    """Loss to the right, gain to the left; the region beyond the margin is hatched. In percentage points. `mode` is the
    quantized model's, in words."""
    reach = [limit for item in endpoints for limit in _reach(item)]
    scale = ticks(100 * min(reach, default=-0.01), 100 * max(reach, default=0.01), 6)
    low, span = scale[0], scale[-1] - scale[0]
    bottom = _TOP + _ROW * len(endpoints)

    def place(value: float) -> float:
        return _LEFT + (100 * value - low) / span * _PANEL

    parts = []
    for tick in scale:
        x = place(tick / 100)
        parts.append(line(x, _TOP - 6, x, bottom, "grid zero" if tick == 0 else "grid"))
        parts.append(text(x, bottom + 17, points(tick / 100, 1 if span < 6 else 0), "faint", anchor="middle"))
    for row, item in enumerate(endpoints):
        parts += _row(item, _TOP + _ROW * row, place)
    wide = _LEFT + _PANEL + _RIGHT
    return figure(
        wide,
        bottom + 40,
        f"Loss of {mode} against float, with margins",
        "; ".join(_said(item) for item in endpoints),
        text(place(0) - 8, 16, f"← {mode} better", "faint", anchor="end"),
        text(place(0) + 8, 16, f"{mode} worse →", "faint"),
        *parts,
        text(_LEFT + _PANEL / 2, bottom + 35, f"loss = float − {mode}, percentage points", "faint", anchor="middle"),
        class_="forest",
    )


def _row(item: EndpointResult, top: float, place: Callable[[float], float]) -> list[Markup]:
    middle = top + _ROW / 2
    margin = place(item.margin)
    edge = _LEFT + _PANEL
    judged = item.judged or item.loss.interval
    parts = [
        text(_LEFT - 18, middle + 4, item.endpoint, "strong", anchor="end", limit=30),
        rect(margin, top + 5, edge - margin, _ROW - 10, "beyond"),
        line(margin, top + 3, margin, top + _ROW - 3, "margin"),
        text(edge - 6, top + _ROW - 11, f"margin {points(item.margin, 1)}", "tiny", anchor="end"),
    ]
    if judged:
        parts.append(line(place(judged.low), middle, place(judged.high), middle, f"whisker thick {item.verdict}"))
    for number, interval in enumerate(item.beat_level[:2]):
        y = middle + 9 + 5 * number
        parts.append(line(place(interval.low), y, place(interval.high), y, "whisker thin"))
    if math.isfinite(item.loss.estimate):
        tooltip = f"{item.endpoint}: {points(item.loss.estimate)} {signed_interval(judged)}"
        parts.append(marker("diamond", place(item.loss.estimate), middle, 5, f"mark {item.verdict}", tooltip))
    parts.append(text(edge + 16, middle - 3, f"{points(item.loss.estimate)} {signed_interval(judged)}", "figure"))
    parts.append(text(edge + 16, middle + 14, item.verdict, f"word {item.verdict}"))
    return parts


def _said(item: EndpointResult) -> str:
    judged = signed_interval(item.judged or item.loss.interval)
    return f"{item.endpoint} {points(item.loss.estimate)} {judged}, margin {points(item.margin)}, {item.verdict}"


def _reach(item: EndpointResult) -> list[float]:
    intervals: list[Interval] = [i for i in (item.loss.interval, item.judged, *item.beat_level[:2]) if i]
    limits = [limit for interval in intervals for limit in (interval.low, interval.high)]
    return [
        number for number in (*limits, item.margin * 1.25 + 0.002, item.loss.estimate, 0.0) if math.isfinite(number)
    ]

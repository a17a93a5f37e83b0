"""Latency percentiles on one line, with the deadline where it lies near."""

from __future__ import annotations

from markupsafe import Markup

from leadwire.artifacts import Percentiles
from leadwire.report.numbers import SPACE, decimal
from leadwire.report.svg import figure, line, marker, rect, text

_LEFT, _PANEL, _HEIGHT = 20, 850, 92


def draw(latency: Percentiles, limit_us: float | None) -> Markup:
    """From zero to the deadline (or a little beyond the maximum): where the inferences ended."""
    reach = max(latency.max * 1.1, limit_us or 0.0, 1e-9)

    def place(value: float) -> float:
        return _LEFT + value / reach * _PANEL

    named = (("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99), ("max", latency.max))
    parts = [
        rect(_LEFT, 40, _PANEL, 8, "track", radius=4),
        rect(_LEFT, 40, place(latency.p50) - _LEFT, 8, "bar", radius=4),
    ]
    parts += [
        marker("ring" if n < 3 else "diamond", place(v), 44, 5, "mark runtime-2", f"{k} {v:g} µs")
        for n, (k, v) in enumerate(named)
    ]
    where = place(latency.max)
    words = " · ".join(f"{key} {decimal(value, 1)}" for key, value in named) + f"{SPACE}µs"
    at = (max(_LEFT, where - 8), "start") if where < _LEFT + _PANEL / 2 else (min(_LEFT + _PANEL, where + 8), "end")
    parts.append(text(at[0], 26, words, "figure", anchor=at[1]))
    parts.append(text(_LEFT, 70, "0", "faint", anchor="middle"))
    if limit_us is not None:
        parts.append(line(place(limit_us), 30, place(limit_us), 58, "limit"))
        parts.append(text(place(limit_us), 74, f"deadline {decimal(limit_us, 0)}{SPACE}µs", "faint", anchor="end"))
    return figure(_LEFT + _PANEL + 20, _HEIGHT - 10, "Latency of one inference", words, *parts)  # fmt: skip

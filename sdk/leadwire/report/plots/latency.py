"""Latency of one inference: a histogram on the axis from zero to the deadline, percentiles above it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import LatencyBin, Percentiles
from leadwire.report.numbers import SPACE, count, decimal
from leadwire.report.svg import figure, line, marker, rect, text

_LEFT, _PANEL, _TOP, _BARS = 20, 850, 34, 70


def draw(latency: Percentiles, bins: Sequence[LatencyBin], limit_us: float | None) -> Markup:
    """From zero to the deadline (or a little beyond the maximum). Without `bins` the percentiles stand alone."""
    reach = max(latency.max * 1.1, limit_us or 0.0, 1e-9)
    bars = _BARS if bins else 8
    bottom = _TOP + bars

    def place(value: float) -> float:
        return _LEFT + value / reach * _PANEL

    tallest = max((one.inferences for one in bins), default=1)
    parts = [rect(_LEFT, bottom - 8, _PANEL, 8, "track", radius=4)] if not bins else []
    for one in bins:
        height = one.inferences / tallest * bars
        wide = max(place(one.high_us) - place(one.low_us), 3.0)  # equal latencies still show
        tooltip = f"{decimal(one.low_us, 1)} to {decimal(one.high_us, 1)} µs: {count(one.inferences)} inferences"
        parts.append(rect(place(one.low_us), bottom - height, wide, height, "bar", _title(tooltip)))
    parts.append(line(_LEFT, bottom, _LEFT + _PANEL, bottom, "edge"))
    named = (("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99), ("max", latency.max))
    parts += [
        marker("ring" if n < 3 else "diamond", place(v), bottom, 5, "mark runtime-2", f"{k} {v:g} µs")
        for n, (k, v) in enumerate(named)
    ]
    where = place(latency.max)
    words = " · ".join(f"{key} {decimal(value, 1)}" for key, value in named) + f"{SPACE}µs"
    at = (max(_LEFT, where - 8), "start") if where < _LEFT + _PANEL / 2 else (min(_LEFT + _PANEL, where + 8), "end")
    parts.append(text(at[0], 20, words, "figure", anchor=at[1]))
    parts.append(text(_LEFT, bottom + 22, "0", "faint", anchor="middle"))
    if limit_us is not None:
        parts.append(line(place(limit_us), _TOP - 6, place(limit_us), bottom + 8, "limit"))
        label = f"deadline {decimal(limit_us, 0)}{SPACE}µs"
        parts.append(text(place(limit_us), bottom + 24, label, "faint", anchor="end"))
    return figure(_LEFT + _PANEL + 20, bottom + 34, "Latency of one inference", words, *parts)


def _title(words: str) -> Markup:
    return Markup("<title>{}</title>").format(words)

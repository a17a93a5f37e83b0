"""Quantization error of each operator's output: signal to quantization noise in decibels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import LayerError
from leadwire.report.numbers import SPACE, decimal, percent
from leadwire.report.svg import figure, line, marker, text, ticks

_LEFT, _PANEL, _RIGHT, _ROW, _TOP = 400, 280, 210, 22, 24


def draw(errors: Sequence[LayerError]) -> Markup:
    """A lollipop for each operator, in the order of execution; an output without any error is written as exact."""
    finite = [item.sqnr_db for item in errors if math.isfinite(item.sqnr_db)]
    scale = ticks(min([0.0, *finite]), max([10.0, *finite]), 5)
    low, span = scale[0], scale[-1] - scale[0]
    bottom = _TOP + _ROW * len(errors)

    def place(value: float) -> float:
        return _LEFT + (value - low) / span * _PANEL

    parts = []
    for tick in scale:
        parts.append(line(place(tick), _TOP - 4, place(tick), bottom, "grid"))
        parts.append(text(place(tick), 12, f"{tick:g}{SPACE}dB", "faint", anchor="middle"))
    for row, item in enumerate(errors):
        y = _TOP + _ROW * row + _ROW / 2
        shown = "exact" if item.sqnr_db == math.inf else f"{decimal(item.sqnr_db, 1)}{SPACE}dB"
        parts += [
            text(0, y + 4, f"{item.operator_index}  {item.kind}", "strong", limit=21),
            text(168, y + 4, item.tensor, "tiny faint", limit=36),
            text(_LEFT + _PANEL + 66, y + 4, shown, "figure", anchor="end"),
            text(
                _LEFT + _PANEL + _RIGHT,
                y + 4,
                f"{percent(item.saturated_fraction, 2)} clipped",
                "faint",
                anchor="end",
            ),
        ]
        if math.isfinite(item.sqnr_db):
            parts.append(line(place(max(0.0, low)), y, place(item.sqnr_db), y, "stem"))
            parts.append(marker("circle", place(item.sqnr_db), y, 4.5, "mark runtime-2", f"{item.tensor}: {shown}"))
    worst = min(errors, key=lambda item: item.sqnr_db, default=None)
    description = (
        f"The lowest is {worst.kind} '{worst.tensor}' with {decimal(worst.sqnr_db, 1)} dB."
        if worst
        else "No operators."
    )
    width = _LEFT + _PANEL + _RIGHT
    return figure(width, bottom + 4, "Signal to quantization noise by operator", description, *parts)

"""Calibration curves: share of right decisions over the probability that the model gave them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import Reliability
from leadwire.report.numbers import count, decimal, percent, runtime
from leadwire.report.plots.classes import SHAPES
from leadwire.report.svg import figure, line, marker, polyline, rect, text

_LEFT, _SIZE, _TOP, _COUNTS = 60, 300, 14, 60


def draw(curves: Sequence[Reliability]) -> Markup:
    """On the diagonal a decision is right as often as its probability says; above it the model is too modest, below too
    sure of itself. The bars count the beats of the first curve."""
    bottom = _TOP + _SIZE

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x * _SIZE, bottom - y * _SIZE

    parts = []
    for step in range(0, 11, 2):
        x, y = at(step / 10, step / 10)
        parts += [line(_LEFT, y, _LEFT + _SIZE, y, "grid"), line(x, _TOP, x, bottom, "grid")]
        parts.append(text(_LEFT - 8, y + 4, percent(step / 10, 0), "faint", anchor="end"))
        parts.append(text(x, bottom + _COUNTS + 18, decimal(step / 10, 1), "faint", anchor="middle"))
    parts.append(line(*at(0, 0), *at(1, 1), "bound"))
    most = max((one.beats for curve in curves[:1] for one in curve.bins), default=1)
    for one in curves[0].bins if curves else ():
        x, height = at(one.low, 0)[0], one.beats / most * (_COUNTS - 12)
        parts.append(rect(x + 1, bottom + _COUNTS - height, _SIZE / 10 - 2, height, "track"))
    for number, curve in enumerate(curves):
        style = number % len(SHAPES)
        points = [at(one.confidence, one.right / one.beats) for one in curve.bins]
        parts.append(polyline(points, f"curve runtime-{style}"))
        for one, (x, y) in zip(curve.bins, points, strict=True):
            tooltip = (
                f"{runtime(curve.runtime)}, probability {decimal(one.low, 1)} to {decimal(one.high, 1)}: "
                f"{count(one.right)} of {count(one.beats)} right"
            )
            parts.append(marker(SHAPES[style], x, y, 4, f"mark runtime-{style}", tooltip))
    parts.append(
        text(_LEFT + _SIZE / 2, bottom + _COUNTS + 36, "probability of the decision", "faint", anchor="middle")
    )
    said = "; ".join(
        f"{runtime(curve.runtime)}: expected calibration error {percent(curve.expected_calibration_error)}"
        for curve in curves
    )
    return figure(_LEFT + _SIZE + 20, bottom + _COUNTS + 44, "Right decisions by probability", said, *parts)

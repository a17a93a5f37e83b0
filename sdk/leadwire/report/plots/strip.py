"""ECG strip of one beat on ECG paper, true to scale in print: 1 mm squares, 5 mm bold.

Paper speed 50 mm/s and gain 20 mm/mV where that fits, else the usual 25 mm/s and 10 mm/mV; the scale is written below.
Paper ends at 60 mm around the median; values beyond are drawn at its edge.
"""

from __future__ import annotations

import math

from markupsafe import Markup

from leadwire.artifacts import ChangedDecision, DifferingBeat
from leadwire.report.numbers import SPACE, decimal
from leadwire.report.svg import element, figure, polyline, rect, text

_WIDEST_MM, _TALLEST_MM, _EDGE = 85.0, 60.0, 0.5


def draw(beat: ChangedDecision | DifferingBeat, mode: str = "INT8") -> Markup:
    """The beat is in the middle of its strip, marked by a small triangle."""
    finite = sorted(value for value in beat.strip_mv if math.isfinite(value)) or [0.0]
    seconds = len(beat.strip_mv) / beat.strip_hz if beat.strip_hz > 0 else 0.0
    top = math.ceil(max(finite[-1], 0.5) * 2 + 0.3) / 2
    low = math.floor(min(finite[0], -0.5) * 2 - 0.3) / 2
    speed, gain = (50, 20) if seconds * 50 <= _WIDEST_MM and (top - low) * 20 <= _TALLEST_MM else (25, 10)
    shown = min(seconds, _WIDEST_MM / speed)
    if (top - low) * gain > _TALLEST_MM:
        low = round(finite[len(finite) // 2] * 2 - _TALLEST_MM / gain) / 2
        top = low + _TALLEST_MM / gain
    width, height = max(5.0, math.ceil(shown * speed / 5) * 5), (top - low) * gain
    skip = (seconds - shown) / 2

    points = [
        (_EDGE + (index / beat.strip_hz - skip) * speed, 6 + (top - min(top, max(low, value))) * gain)
        for index, value in enumerate(beat.strip_mv)
        if 0 <= index / beat.strip_hz - skip <= shown
    ]
    title = f"ECG of record {beat.record} at {decimal(beat.time_s, 2)} s"
    return figure(
        width + 2 * _EDGE,
        height + 13,
        title,
        _said(beat, mode),
        rect(_EDGE, 6, width, height, "paper"),
        *_grid(width, height),
        polyline(points, "trace"),
        element("path", d=f"M{_EDGE + shown * speed / 2:.2f} 5.4l-1.3 -2.6h2.6z", class_="beat"),
        text(_EDGE, height + 11, f"{speed}{SPACE}mm/s · {gain}{SPACE}mm/mV", "scale"),
        class_="strip",
        unit="mm",
    )


def _said(beat: ChangedDecision | DifferingBeat, mode: str) -> str:
    if isinstance(beat, ChangedDecision):
        return f"Reference {beat.reference}, float {beat.float_class}, {mode} {beat.int8_class}."
    return f"Reference {beat.reference}, decided as {beat.classes[0]} and as {beat.classes[1]}."


def _grid(width: float, height: float) -> list[Markup]:
    """The fine lines, then the bold ones above them: one path each, for a page may hold many strips."""
    lines: dict[str, str] = {"mm1": "", "mm5": ""}
    for x in range(round(width) + 1):
        lines["mm1" if x % 5 else "mm5"] += f"M{_EDGE + x:g} 6v{height:g}"
    for y in range(round(height) + 1):
        lines["mm1" if y % 5 else "mm5"] += f"M{_EDGE:g} {6 + y}h{width:g}"
    return [element("path", d=d, class_=class_) for class_, d in lines.items()]

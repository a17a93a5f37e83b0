"""Loss of accuracy in each recording: an average that hides one harmed patient is no comfort."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import RecordResult
from leadwire.report.numbers import percent, points
from leadwire.report.svg import element, figure, line, marker, text, ticks

_LEFT, _PANEL, _HEIGHT, _TOP = 64, 816, 190, 20


def draw(records: Sequence[RecordResult], judged: str, mode: str = "INT8") -> Markup:
    """Recordings in the order of their numbers; up is a loss of the `judged` runtime against float, in points."""
    losses = [item.float_accuracy - item.device_accuracy for item in records]
    finite = [loss for loss in losses if math.isfinite(loss)]
    scale = ticks(100 * min([-0.005, *finite]), 100 * max([0.005, *finite]), 5)
    low, span = scale[0], scale[-1] - scale[0]
    step, bottom = _PANEL / max(1, len(records)), _TOP + _HEIGHT

    def up(value: float) -> float:
        return bottom - (100 * value - low) / span * _HEIGHT

    parts = []
    for tick in scale:
        parts.append(line(_LEFT, up(tick / 100), _LEFT + _PANEL, up(tick / 100), "grid zero" if tick == 0 else "grid"))
        parts.append(text(_LEFT - 8, up(tick / 100) + 4, points(tick / 100, 1), "faint", anchor="end"))
    for number, (item, loss) in enumerate(zip(records, losses, strict=True)):
        x = _LEFT + (number + 0.5) * step
        tooltip = (
            f"recording {item.record}, patient {item.patient}, {item.beats} beats: "
            f"float {percent(item.float_accuracy)}, {judged} {percent(item.device_accuracy)}"
        )
        change = "worse" if loss > 0 else "better" if loss < 0 else "same"
        parts.append(line(x, up(0), x, up(loss), "stem"))
        parts.append(marker("circle", x, up(loss), 3.6, f"mark {change}", tooltip))
        if step >= 11:
            place = f"translate({x + 3:.2f} {bottom + 10}) rotate(-90)"
            parts.append(element("text", item.record[:8], class_="tiny faint", text_anchor="end", transform=place))
    parts.append(text(_LEFT + _PANEL, _TOP - 7, f"↑ {mode} worse", "faint", anchor="end"))
    parts.append(text(_LEFT + _PANEL, bottom - 8, f"↓ {mode} better", "faint", anchor="end"))
    said = "No recordings."
    if finite:
        worst = losses.index(max(finite))
        said = f"The largest loss is {points(losses[worst])} points in recording {records[worst].record}."
    return figure(_LEFT + _PANEL + 10, bottom + 46, "Loss of accuracy by recording", said, *parts)

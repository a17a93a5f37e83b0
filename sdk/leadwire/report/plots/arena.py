"""The arena over time: which tensor holds which bytes while which operator runs."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from leadwire.artifacts import MemoryPlan, Placement
from leadwire.evidence.record import ModelSummary
from leadwire.report.numbers import count, size
from leadwire.report.svg import element, figure, line, rect, text, ticks

_LEFT, _PANEL, _HEIGHT, _TOP = 64, 690, 300, 22


def draw(plan: MemoryPlan, model: ModelSummary) -> Markup:
    """Operators from left to right, bytes from bottom to top; a tensor is a block as wide as its life."""
    operators = max(1, len(model.operators))
    scale = ticks(0, max(1, plan.arena_bytes))
    names = {tensor.index: tensor.name for tensor in model.activations}
    step, bottom = _PANEL / operators, _TOP + _HEIGHT

    def across(operator: float) -> float:
        return _LEFT + operator * step

    def up(offset: float) -> float:
        return bottom - offset / scale[-1] * _HEIGHT

    parts = [rect(across(plan.peak_operator), _TOP, step, _HEIGHT, "peak")]
    for tick in scale:
        parts.append(line(_LEFT, up(tick), _LEFT + _PANEL, up(tick), "grid"))
        parts.append(text(_LEFT - 8, up(tick) + 4, count(tick), "faint", anchor="end"))
    for number, block in enumerate((*plan.placements, *plan.scratch)):
        name = "scratch" if block.tensor < 0 else names.get(block.tensor, f"tensor {block.tensor}")
        parts.append(_block(block, name, number, across, up))
    labelled = range(0, operators, max(1, -(-operators // 30)))
    parts += [text(across(i + 0.5), bottom + 16, str(i), "faint", anchor="middle") for i in labelled]
    for level, style in ((plan.arena_bytes, "limit"), (plan.lower_bound_bytes, "bound")):
        parts.append(line(_LEFT, up(level), _LEFT + _PANEL, up(level), style))
    return figure(
        _LEFT + _PANEL + 12,
        bottom + 40,
        "Arena over time",
        f"{size(plan.arena_bytes)}, at least {size(plan.lower_bound_bytes)}; peak at operator {plan.peak_operator}.",
        text(_LEFT - 8, 12, "bytes", "faint", anchor="end"),
        *parts,
        text(_LEFT + _PANEL / 2, bottom + 35, "operator", "faint", anchor="middle"),
        class_="arena",
    )


def _block(
    block: Placement, name: str, number: int, across: Callable[[float], float], up: Callable[[float], float]
) -> Markup:
    x, right = across(block.first_operator) + 1, across(block.last_operator + 1) - 1
    y, low = up(block.offset_bytes + block.size_bytes), up(block.offset_bytes)
    kind = "scratch" if block.tensor < 0 else f"tint-{number % 5}"
    life = f"operators {block.first_operator} to {block.last_operator}"
    tooltip = f"{name}: {size(block.size_bytes)} at {count(block.offset_bytes)}, {life}"
    fits = int((right - x - 8) / 6.2)
    tall = low - y
    label = text(x + 5, y + 13, name, "tiny", limit=fits) if fits >= 3 and tall >= 16 else Markup("")
    extent = text(x + 5, y + 25, size(block.size_bytes), "tiny faint") if fits >= 7 and tall >= 30 else Markup("")
    return (
        rect(x, y, right - x, max(1.0, tall - 1), f"block {kind}", element("title", tooltip), radius=2) + label + extent
    )

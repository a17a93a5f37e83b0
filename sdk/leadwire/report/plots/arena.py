"""The arena over time: which tensor holds which bytes while which operator runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from leadwire.artifacts import MemoryPlan, Placement
from leadwire.evidence.record import ModelSummary
from leadwire.report.numbers import count, size
from leadwire.report.svg import element, figure, line, rect, text, ticks

_LEFT, _PANEL, _HEIGHT, _TOP = 64, 816, 300, 30


def draw(plan: MemoryPlan, model: ModelSummary) -> Markup:
    """Operators from left to right, bytes from bottom to top; a tensor is a block as wide as its life."""
    operators = max(1, len(model.operators))
    names = {tensor.index: tensor.name for tensor in model.activations}
    step, bottom = _PANEL / operators, _TOP + _HEIGHT
    full = max(1, plan.arena_bytes)

    def across(operator: float) -> float:
        return _LEFT + operator * step

    def up(offset: float) -> float:
        return bottom - offset / full * _HEIGHT

    left, right = across(plan.peak_operator), across(plan.peak_operator + 1)
    parts = [rect(left, _TOP, step, _HEIGHT, "peak"), line(left, _TOP - 4, right, _TOP - 4, "peak-bar")]
    for tick in (tick for tick in ticks(0, full) if tick <= full):
        parts.append(line(_LEFT, up(tick), _LEFT + _PANEL, up(tick), "grid"))
        parts.append(text(_LEFT - 8, up(tick) + 4, count(tick), "faint", anchor="end"))
    blocks = [
        _block(block, names, number, across, up) for number, block in enumerate((*plan.placements, *plan.scratch))
    ]
    parts += [shape for shape, _ in blocks]
    parts.append(text((left + right) / 2, _TOP - 10, "peak", "tiny strong", anchor="middle"))
    for level, style in ((plan.lower_bound_bytes, "bound"), (plan.arena_bytes, "edge")):
        parts.append(line(_LEFT, up(level), _LEFT + _PANEL, up(level), style))
    parts += [label for _, label in blocks]
    labelled = range(0, operators, max(1, -(-operators // 30)))
    parts += [text(across(i + 0.5), bottom + 16, str(i), "faint", anchor="middle") for i in labelled]
    return figure(
        _LEFT + _PANEL + 10,
        bottom + 40,
        "Arena over time",
        f"{size(plan.arena_bytes)}, at least {size(plan.lower_bound_bytes)}; peak at operator {plan.peak_operator}.",
        text(_LEFT - 8, 12, "bytes", "faint", anchor="end"),
        text(_LEFT + _PANEL, _TOP - 10, f"arena {size(plan.arena_bytes)}", "tiny strong", anchor="end"),
        *parts,
        text(_LEFT + _PANEL / 2, bottom + 35, "operator", "faint", anchor="middle"),
    )


def _block(
    block: Placement,
    names: Mapping[int, str],
    number: int,
    across: Callable[[float], float],
    up: Callable[[float], float],
) -> tuple[Markup, Markup]:
    """A block, and its label to be drawn above all blocks and lines."""
    name = "scratch" if block.tensor < 0 else names.get(block.tensor, f"tensor {block.tensor}")
    x, right = across(block.first_operator) + 1, across(block.last_operator + 1) - 1
    y, low = up(block.offset_bytes + block.size_bytes), up(block.offset_bytes)
    kind = "scratch" if block.tensor < 0 else f"tint-{number % 5}"
    life = f"operators {block.first_operator} to {block.last_operator}"
    tooltip = f"{name}: {size(block.size_bytes)} at {count(block.offset_bytes)}, {life}"
    shape = rect(x, y, right - x, max(1.0, low - y - 1), f"block {kind}", element("title", tooltip), radius=2)
    fits, middle = int((right - x - 6) / 6.2), (x + right) / 2
    label = Markup("")
    if fits >= 4 and low - y >= 15:
        two = low - y >= 30 and fits >= 7
        base = (y + low) / 2 + (-2 if two else 4)
        label = text(middle, base, name, "tiny", anchor="middle", limit=fits)
        if two:
            label += text(middle, base + 13, size(block.size_bytes), "tiny faint", anchor="middle")
    return shape, label

"""The arena over time: which tensor holds which bytes while which operator runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from markupsafe import Markup

from leadwire.artifacts import MemoryPlan, Placement
from leadwire.evidence.record import ModelSummary
from leadwire.report.numbers import count, size
from leadwire.report.svg import element, figure, line, rect, text, ticks

_LEFT, _PANEL, _HEIGHT, _TOP = 64, 816, 300, 30
_WHOLE = Placement(tensor=-1, offset_bytes=0, size_bytes=0, first_operator=0, last_operator=0)


def draw(plan: MemoryPlan, model: ModelSummary) -> Markup:
    """Operators from left to right, bytes from bottom to top; a tensor is a block as wide as its life.

    A tensor that takes over another's bytes begins in the middle of the column of the operator that makes it.
    """
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
    blocks = []
    if plan.resident_bytes:
        resident = replace(_WHOLE, offset_bytes=full - plan.resident_bytes, size_bytes=plan.resident_bytes)
        whole = [across(end) for end in (0, operators, operators)]
        blocks.append(_block(resident, "TFLite Micro's records", "scratch", whole, up))
    placed = sorted(plan.placed, key=lambda block: (block.first_operator, block.last_operator))
    for number, block in enumerate(placed):
        name = "scratch" if block.tensor < 0 else names.get(block.tensor, f"tensor {block.tensor}")
        kind = "scratch" if block.tensor < 0 else f"tint-{number % 5}"
        taken = any(_shares(before, block) for before in placed[:number])
        heirs = [after.first_operator + 0.5 for after in placed[number + 1 :] if _shares(block, after)]
        left_end = block.first_operator + (0.5 if taken else 0.0)
        ends = (left_end, block.last_operator + 1.0, min(heirs, default=block.last_operator + 1.0))
        blocks.append(_block(block, name, kind, [across(end) for end in ends], up))
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


def _shares(one: Placement, other: Placement) -> bool:
    """Both live and hold the same bytes at some time, as tensors that an operator does not copy."""
    return (
        min(one.tensor, other.tensor) >= 0
        and one.first_operator <= other.last_operator
        and other.first_operator <= one.last_operator
        and one.offset_bytes < other.offset_bytes + other.size_bytes
        and other.offset_bytes < one.offset_bytes + one.size_bytes
    )


def _block(
    block: Placement, name: str, kind: str, ends: Sequence[float], up: Callable[[float], float]
) -> tuple[Markup, Markup]:
    """A block, and its label to be drawn above all blocks and lines.

    `ends` are where the block begins, where it ends and where the first block is drawn over it.
    """
    x, right, seen = ends[0] + 1, ends[1] - 1, ends[2] - 1
    y, low = up(block.offset_bytes + block.size_bytes), up(block.offset_bytes)
    life = f"operators {block.first_operator} to {block.last_operator}"
    tooltip = f"{name}: {size(block.size_bytes)} at {count(block.offset_bytes)}, {life}"
    shape = rect(x, y, right - x, max(1.0, low - y - 1), f"block {kind}", element("title", tooltip), radius=2)
    fits, middle = int((seen - x - 4) / 6.2), (x + seen) / 2
    label = Markup("")
    if fits >= 4 and low - y >= 15:
        two = low - y >= 30 and fits >= 6
        base = (y + low) / 2 + (-2 if two else 4)
        short = name if len(name) <= fits else name.partition("/")[0]
        label = text(middle, base, short, "tiny", anchor="middle", limit=fits)
        if two:
            label += text(middle, base + 13, size(block.size_bytes), "tiny faint", anchor="middle")
    return shape, label

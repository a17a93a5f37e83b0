"""Flash, RAM and latency against their limits at each checkpoint: planned, linked, measured or emulated."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import BudgetLine, BudgetReport
from leadwire.report.numbers import SPACE, count, percent
from leadwire.report.svg import figure, line, rect, text

_LEFT, _PANEL, _RIGHT, _ROW, _HEAD = 90, 520, 280, 40, 28
NAMES = {"flash": "Flash", "ram": "RAM", "fast": "Fast RAM", "latency": "Latency"}


def draw(budgets: Sequence[BudgetReport]) -> Markup:
    """For each resource one bar a checkpoint; the limit is the line at the right, over it the bar turns colour.

    A checkpoint carries an earlier figure on where it has no better one, so each bar has its own basis.
    """
    parts: list[Markup] = []
    top, said = 0.0, []
    for resource, name in NAMES.items():
        rows = [(budget.basis, item) for budget in budgets for item in budget.lines if item.resource == resource]
        lines = [item for _, item in rows]
        if not lines:
            continue
        reach = max(max(item.used, item.limit or 0.0) for item in lines) * 1.04 or 1.0
        limit = lines[-1].limit
        heading = name if limit is None else f"{name}, limit {count(limit)}{SPACE}{_unit(lines[-1])}"
        parts.append(text(0, top + 18, heading, "strong"))
        for row, (checkpoint, item) in enumerate(rows):
            parts += _bar(checkpoint, item, top + _HEAD + row * _ROW, reach)
        if limit is not None:
            x = _LEFT + limit / reach * _PANEL
            parts.append(line(x, top + _HEAD - 3, x, top + _HEAD + len(lines) * _ROW - 17, "limit"))
        said.append(f"{name} {count(lines[-1].used)} {_unit(lines[-1])}, {lines[-1].basis}")
        top += _HEAD + len(lines) * _ROW + 12
    width = _LEFT + _PANEL + _RIGHT
    return figure(width, top, "Budget at each checkpoint", "; ".join(said) + ".", *parts)


def _bar(checkpoint: str, item: BudgetLine, y: float, reach: float) -> list[Markup]:
    share = "" if not item.limit else percent(item.used / item.limit, 1)
    end = _LEFT + _PANEL + _RIGHT
    return [
        text(_LEFT - 12, y + 12, checkpoint, "faint", anchor="end"),
        rect(_LEFT, y, _PANEL, 16, "track", radius=2),
        rect(_LEFT, y, item.used / reach * _PANEL, 16, "bar over" if item.over else "bar", radius=2),
        text(_LEFT, y + 29, item.note, "tiny faint", limit=90),
        text(_LEFT + _PANEL + 100, y + 12, f"{count(item.used)}{SPACE}{_unit(item)}", "figure", anchor="end"),
        text(_LEFT + _PANEL + 116, y + 12, item.basis, "faint"),
        text(end, y + 12, f"OVER {share}" if item.over else share, "strong" if item.over else "faint", anchor="end"),
    ]


def _unit(item: BudgetLine) -> str:
    return "µs" if item.unit == "us" else item.unit

"""Where an inference spends its instructions (or cycles, where nothing counts instructions)."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import OperatorShare
from leadwire.report.numbers import count, percent
from leadwire.report.svg import figure, rect, text

_LEFT, _PANEL, _RIGHT, _ROW, _SHOWN = 400, 280, 210, 22, 40


def draw(operators: Sequence[OperatorShare]) -> Markup:
    """One bar for each operator in the order of execution; beyond the 40 dearest the rest is one bar."""
    kept = set(sorted(range(len(operators)), key=lambda i: (-operators[i].share, i))[:_SHOWN])
    rows = [(f"{o.index}  {o.kind}", o.tensor, o.share, _work(o)) for i, o in enumerate(operators) if i in kept]
    rest = [o for i, o in enumerate(operators) if i not in kept]
    if rest:
        rows.append((f"{len(rest)} more", "", sum(o.share for o in rest), ""))
    most = max((row[2] for row in rows), default=1.0) or 1.0
    parts = []
    for number, (kind, tensor, share, work) in enumerate(rows):
        y = _ROW * number
        parts += [
            text(0, y + 15, kind, "strong", limit=21),
            text(168, y + 15, tensor, "tiny faint", limit=36),
            rect(_LEFT, y + 4, _PANEL, _ROW - 8, "track", radius=2),
            rect(_LEFT, y + 4, share / most * _PANEL, _ROW - 8, "bar", radius=2),
            text(_LEFT + _PANEL + 56, y + 15, percent(share, 1), "figure", anchor="end"),
            text(_LEFT + _PANEL + _RIGHT, y + 15, work, "faint", anchor="end"),
        ]
    description = "; ".join(f"{row[0]} {percent(row[2], 1)}" for row in sorted(rows, key=lambda row: -row[2])[:5])
    width = _LEFT + _PANEL + _RIGHT
    return figure(width, _ROW * len(rows) + 2, "Share of each operator", f"The dearest: {description}.", *parts)


def _work(operator: OperatorShare) -> str:
    work = operator.cycles if operator.instructions is None else operator.instructions
    per_mac = f", {work / operator.macs:.2f}/MAC" if operator.macs else ""
    return count(work) + per_mac

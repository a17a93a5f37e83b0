"""What `diff` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .console import VERDICT_STYLE, grid, out, table_of

if TYPE_CHECKING:
    from leadwire.change import ChangeAssessment

_STYLE = {"inside": "pass", "outside": "fail", "inconclusive": "inconclusive"}


def assessment(result: ChangeAssessment) -> None:
    if result.verdict:
        words = f"change against plan {result.plan}: {result.verdict}"
        out.print(Text(words, style=VERDICT_STYLE[_STYLE[result.verdict]]))
    changed = [one for one in result.subjects if one.changed]
    table_of(
        "what changed",
        ["subject", "old", "new", "plan"],
        [(one.what, _short(one.old), _short(one.new), one.verdict or "follows") for one in changed],
        left=4,
    )
    table_of(
        f"figures of the quantized models on {result.beats} beats that are in both, %",
        ["figure", "old", "new", "loss", "interval", "bound", "verdict"],
        [
            (
                one.name,
                f"{100 * one.old:.2f}",
                f"{100 * one.new:.2f}",
                "" if one.loss is None else f"{100 * one.loss:+.2f}",
                "" if one.interval is None else f"{100 * one.interval.low:+.2f} to {100 * one.interval.high:+.2f}",
                "" if one.max_loss is None else f"{100 * one.max_loss:g}",
                one.verdict,
            )
            for one in result.figures
        ],
    )
    table_of(
        "resources",
        ["resource", "old", "new", "increase", "bound", "verdict"],
        [
            (
                f"{one.resource}, {one.unit}",
                "" if one.old is None else f"{one.old:,.0f}",
                "" if one.new is None else f"{one.new:,.0f}",
                "" if one.increase is None else f"{100 * one.increase:+.1f} %",
                "" if one.max_increase is None else f"{100 * one.max_increase:g} %",
                one.verdict,
            )
            for one in result.resources
        ],
    )
    grid([("note", note) for note in result.notes])


def _short(value: str) -> str:
    return value if len(value) <= 40 else value[:39] + "…"

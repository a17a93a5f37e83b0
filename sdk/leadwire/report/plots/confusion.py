"""Confusion matrix of one runtime: counts, shaded by the share of the reference class."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import RuntimeMetrics
from leadwire.report.numbers import count, percent
from leadwire.report.svg import element, figure, text

_CELL, _LEFT, _TOP = 50, 46, 42


def draw(metrics: RuntimeMetrics, labels: Sequence[str], title: str) -> Markup:
    """Rows are reference classes, columns decisions, both in the order of `labels`."""
    cells = [
        _cell(row, column, value, sum(metrics.confusion[row]), f"{labels[row]} called {labels[column]}")
        for row, values in enumerate(metrics.confusion)
        for column, value in enumerate(values)
    ]
    side = _CELL * len(labels)
    names = [
        text(_LEFT + _CELL * (i + 0.5), _TOP - 9, name, "strong", anchor="middle", limit=6)
        for i, name in enumerate(labels)
    ]
    names += [
        text(_LEFT - 9, _TOP + _CELL * (i + 0.5) + 4, name, "strong", anchor="end", limit=5)
        for i, name in enumerate(labels)
    ]
    right = sum(row[index] for index, row in enumerate(metrics.confusion))
    return figure(
        _LEFT + side + 2,
        _TOP + side + 2,
        f"Confusion matrix, {title}",
        f"{count(right)} of {count(metrics.beats)} beats are on the diagonal.",
        text(_LEFT, 12, "decision →", "faint"),
        element(
            "text", "← reference", class_="faint", text_anchor="end", transform=f"translate(11 {_TOP}) rotate(-90)"
        ),
        *names,
        *cells,
        class_="confusion",
    )


def _cell(row: int, column: int, value: int, total: int, what: str) -> Markup:
    share = value / total if total else 0.0
    x, y = _LEFT + column * _CELL, _TOP + row * _CELL
    kind = "right" if row == column else "wrong"
    strength = 0.0 if not value else 0.10 + 0.90 * share
    middle = x + _CELL / 2 - 1
    long = " long" if value >= 10_000 else ""
    ink = " on-fill" if strength > 0.55 else "" if value else " faint"
    return Markup("").join(
        (
            element(
                "rect",
                element("title", f"{what}: {value} of {total}"),
                x=x, y=y, width=_CELL - 2, height=_CELL - 2, rx=3, class_=f"cell {kind}", fill_opacity=strength,
            ),
            text(middle, y + (22 if value else 28), count(value), f"cell-count{long}{ink}", anchor="middle"),
            text(middle, y + 37, percent(share, 1) if value else "", f"cell-share{ink}", anchor="middle"),
        )
    )  # fmt: skip

"""The mark of one runtime, for a legend in the text."""

from __future__ import annotations

from markupsafe import Markup

from leadwire.report.svg import element, marker

from .classes import SHAPES


def draw(number: int) -> Markup:
    """The mark that `classes` gives to runtime `number`."""
    style = number % len(SHAPES)
    mark = marker(SHAPES[style], 7, 7, 5, f"mark runtime-{style}", "")
    return element("svg", mark, viewBox="0 0 14 14", class_="plot", aria_hidden="true")

"""Inline SVG by hand: elements whose text and attributes are escaped, and the few shapes that the plots share.

Colours and fonts come from the page's style sheet by class, so that a plot follows light, dark and print. Coordinates
are written with two decimals at most: the same figures give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

Number = float | int


def element(name: str, *children: str | Markup, **attributes: str | Number | None) -> Markup:
    """`<name attributes>children</name>`; an underscore in an attribute's name is a hyphen, a last one is dropped.

    Where a coordinate is not finite there is no place to draw at: the result is empty.
    """
    if any(isinstance(value, float) and not math.isfinite(value) for value in attributes.values()):
        return Markup("")
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    body = Markup("").join(children)
    return Markup(f"<{name}{written}>{body}</{name}>" if body else f"<{name}{written}/>")


def figure(
    width: Number, height: Number, title: str, description: str, *children: Markup, class_: str = "", unit: str = ""
) -> Markup:
    """A drawing that scales to its column. `title` and `description` are what a screen reader says.

    `unit` is the CSS unit of its natural size ('mm' for drawings that are true to scale), pixels by default.
    """
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        role="img",
        aria_label=f"{title}. {description}",
        viewBox=f"0 0 {_text(width)} {_text(height)}",
        width=f"{_text(width)}{unit}",
        height=f"{_text(height)}{unit}",
        class_=f"plot {class_}".strip(),
    )


def text(x: Number, y: Number, content: str, class_: str = "", *, anchor: str = "start", limit: int = 0) -> Markup:
    """One line of text; beyond `limit` characters its middle is cut out and the whole becomes the tooltip."""
    children: tuple[str | Markup, ...] = (content,)
    if limit and len(content) > limit:
        head = limit // 2
        tail = limit - 1 - head
        children = (content[:head] + "…" + content[len(content) - tail :], element("title", content))
    return element("text", *children, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def line(x1: Number, y1: Number, x2: Number, y2: Number, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(
    x: Number, y: Number, width: Number, height: Number, class_: str, *children: Markup, radius: float = 0
) -> Markup:
    return element(
        "rect", *children, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), rx=radius or None, class_=class_
    )


def polyline(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """A line through `points`; it is interrupted where a coordinate is not finite."""
    commands, pen = [], "M"
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            commands.append(f"{pen}{_text(x)} {_text(y)}")
            pen = "L"
        else:
            pen = "M"
    return element("path", d="".join(commands), class_=class_)


def marker(shape: str, x: Number, y: Number, size: Number, class_: str, tooltip: str) -> Markup:
    """A mark that is told apart by shape as well as colour: circle, ring, square, diamond or triangle."""
    title = element("title", tooltip)
    if shape in ("circle", "ring"):
        return element("circle", title, cx=x, cy=y, r=size, class_=f"{class_} {shape}")
    if not (math.isfinite(x) and math.isfinite(y)):
        return Markup("")
    corners = "L".join(f"{_text(x + size * across)} {_text(y + size * down)}" for across, down in _CORNERS[shape])
    return element("path", title, d=f"M{corners}Z", class_=class_)


_CORNERS = {
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "triangle": ((0, -1.2), (1.2, 1), (-1.2, 1)),
}


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`, `about` steps of 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        low, high = (low, low + 1.0) if math.isfinite(low) else (0.0, 1.0)
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= rough), 10 * power)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _text(value: str | Number) -> str:
    if isinstance(value, str):
        return value
    return f"{round(float(value), 2) + 0.0:g}" if abs(value) < 1e5 else f"{float(value):.0f}"

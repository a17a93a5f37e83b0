"""From the page's tree to Typst code. All text becomes string literals, so that no value can be markup or code.

An element that is not known here is transparent: its children stand where it stood. What is for the screen alone
(navigation, controls, scripts) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from .tree import Element

# What the fonts that come with Typst draw: Latin, Greek and Cyrillic letters, punctuation, arrows, mathematical signs.
_NOT_DRAWN = re.compile(
    "[^\n\t\u0020-\u007e\u00a0-\u0377\u038e-\u03a1\u03a3-\u04ff\u2009\u200b\u2010-\u2027\u202f\u2030-\u203a\u2190-\u21ff\u2200-\u22ff]"
)
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SCREEN_ONLY = frozenset(("nav", "script", "style", "input", "button", "label", "template", "footer"))
_EDGES = frozenset(("skip", "edge", "overline"))
_INLINE = frozenset(("span", "strong", "b", "em", "code", "a"))
_BLOCKS = frozenset(("p", "div", "section", "table", "figure", "figcaption", "ul", "ol", "dl", "pre", "h1", "h2", "h3"))


def typst_string(text: str) -> str:
    """A string literal. PDF/A wants every character drawn by an embedded font, so one that they do not have is written
    by its number: [U+4E2D]."""
    drawn = _NOT_DRAWN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text.replace("\r", ""))
    return '"' + drawn.translate(_ESCAPES) + '"'


def typst_code(element: Element) -> str:
    """An expression whose value is the element's content."""
    if element.tag in _SCREEN_ONLY or element.classes & _EDGES or element.attributes.get("aria-hidden") == "true":
        return "[]"
    make = _ELEMENTS.get(element.tag)
    return make(element) if make else _children(element)


def _children(element: Element) -> str:
    """Blocks or a run of text; white space between blocks is none of it."""
    blocks = any(child.tag in _BLOCKS for child in element.elements)
    parts = []
    for number, child in enumerate(element.children):
        if isinstance(child, Element):
            parts.append(typst_code(child))
            continue
        text = _SPACE.sub(" ", child)
        before = element.children[number - 1] if number else element
        if _breaks(before):
            text = text.lstrip(" ")
        if (number == len(element.children) - 1 and _breaks(element)) or (blocks and not text.strip(" ")):
            text = text.rstrip(" ")
        if text:
            parts.append(typst_string(text))
    return _sum(parts)


def _breaks(child: Element | str) -> bool:
    """There is a new line around or after it, where white space has no width."""
    return isinstance(child, Element) and child.tag not in _INLINE


def _sum(parts: Iterable[str]) -> str:
    return "(" + " + ".join(("[]", *parts)) + ")"


def _call(function: str) -> Callable[[Element], str]:
    return lambda element: f"{function}({_children(element)})"


def _paragraph(element: Element) -> str:
    kind = next((name for name in ("note", "scope", "answers", "lead", "word") if name in element.classes), "")
    return f"paragraph({typst_string(kind)}, {_children(element)})"


def _division(element: Element) -> str:
    if "verdict" in element.classes:
        kind = next((name for name in ("pass", "fail") if name in element.classes), "inconclusive")
        return f"verdict-box({typst_string(kind)}, {', '.join(typst_code(child) for child in element.elements)})"
    if "trio" in element.classes or "strips" in element.classes:
        columns = 3 if "trio" in element.classes else 2
        return f"beside({columns}, {_listed(typst_code(child) for child in element.elements)})"
    return _children(element)


def _listed(items: Iterable[str]) -> str:
    return "(" + "".join(f"{item}, " for item in items) + ")"


def _span(element: Element) -> str:
    classes = element.classes
    if "number" in classes:
        return "[]"
    if "badge" in classes:
        kind = next((name for name in ("pass", "fail", "inconclusive") if name in classes), "basis")
        return f"badge({typst_string(kind)}, {_children(element)})"
    return f"detail({_children(element)})" if "detail" in classes else _children(element)


def _code(element: Element) -> str:
    return f"mono({_children(element)})"


def _preformatted(element: Element) -> str:
    return f"listing({typst_string(_text(element))})"


def _text(element: Element) -> str:
    return "".join(child if isinstance(child, str) else _text(child) for child in element.children)


def _definitions(element: Element) -> str:
    """A list of figures, or of stamps: pairs of term and descriptions, each in its own division."""
    pairs = [
        _listed((typst_string(child.tag + " " + child.attributes.get("class", "")), _children(child)))
        for group in element.elements
        for child in (group.elements if group.tag == "div" else [group])
    ]
    return f"{'figures-list' if 'keys' in element.classes else 'stamps-list'}({_listed(pairs)})"


def _items(function: str) -> Callable[[Element], str]:
    def items(element: Element) -> str:
        if element.classes & {"legend", "inline"}:
            name = "legend" if "legend" in element.classes else "in-line"
            return f"{name}({_listed(_children(child) for child in element.elements)})"
        return f"{function}({_listed(_children(child) for child in element.elements)})"

    return items


def _image(element: Element) -> str:
    return f"drawing(drawings.at({int(element.attributes['alt'])}))"


def _link(element: Element) -> str:
    target = element.attributes.get("href", "")
    body = _children(element)
    return body if target.startswith("#") else f"link({typst_string(target)}, {body})"


_FEW_LETTERS, _MANY_LETTERS = 30, 60
"""A column of words of fewer letters is not broken into lines; one of many gets no wider."""


def _table(element: Element) -> str:
    """Cells in reading order."""
    caption = next((_children(child) for child in element.elements if child.tag == "caption"), "none")
    groups = [child for child in element.elements if child.tag in ("thead", "tbody", "tfoot", "tr")]
    rows = [
        (group.tag == "thead", row)
        for group in groups
        for row in ([group] if group.tag == "tr" else group.elements)
        if row.tag == "tr"
    ]
    head = next((row for _, row in rows), element)
    width = sum(int(cell.attributes.get("colspan", 1)) for cell in head.elements)
    facts = "facts" in element.classes
    columns = _listed(_columns(head, [row for _, row in rows], width, facts))
    header = [
        _cell(cell, left=facts or number == 0 or "words" in cell.classes, make="column-head")
        for is_head, row in rows
        if is_head
        for number, cell in enumerate(row.elements)
    ]
    cells = [
        _cell(
            cell, left=facts or cell.tag == "th" or "words" in cell.classes, make="row-head" if cell.tag == "th" else ""
        )
        for is_head, row in rows
        if not is_head
        for cell in row.elements
    ]
    return f"figures-table({caption}, {columns}, {_listed(header)}, {_listed(cells)})"


def _columns(head: Element, rows: list[Element], width: int, facts: bool) -> list[str]:
    """The last column of words takes what the others leave; where others have long words too, they share it by the
    longest cell of each. Rows with cells over several rows or columns do not count."""
    wordy = [number for number, cell in enumerate(head.elements) if "words" in cell.classes]
    widest = width - 1 if facts else max(wordy, default=0)
    whole = [row.elements for row in rows if len(row.elements) == width]
    longest = {number: max((_letters(row[number]) for row in whole), default=0) for number in {0, widest, *wordy}}
    shares = {
        number: min(letters, _MANY_LETTERS) if letters > _FEW_LETTERS else 0 for number, letters in longest.items()
    }
    if not any(shares.values()):
        shares[widest] = 1
    return [f"{shares[number]}fr" if shares.get(number) else "auto" for number in range(width)]


def _letters(element: Element) -> int:
    return sum(_letters(child) if isinstance(child, Element) else len(child.strip()) for child in element.children)


def _cell(cell: Element, *, left: bool, make: str) -> str:
    spans = "".join(
        f"{name}: {int(cell.attributes[name])}, " for name in ("rowspan", "colspan") if name in cell.attributes
    )
    return f"table.cell(align: {'left' if left else 'right'}, {spans}{make}{_children(cell)})"


_ELEMENTS: dict[str, Callable[[Element], str]] = {
    "h1": _call("title-of"),
    "h2": _call("heading.with(level: 1)"),
    "h3": _call("heading.with(level: 2)"),
    "h4": _call("heading.with(level: 3)"),
    "header": lambda element: f"front({_children(element)})",
    "p": _paragraph,
    "div": _division,
    "span": _span,
    "strong": _call("strong"),
    "b": _call("strong"),
    "em": _call("emph"),
    "code": _code,
    "pre": _preformatted,
    "br": lambda _: "linebreak()",
    "wbr": lambda _: '"\\u{200b}"',
    "a": _link,
    "ul": _items("bullets"),
    "ol": _items("numbers"),
    "dl": _definitions,
    "img": _image,
    "figure": _call("figure-block"),
    "figcaption": _call("figure-caption"),
    "table": _table,
}

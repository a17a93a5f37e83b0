"""The page as a tree: elements with their classes, and text.

It is our own page, so what is not well formed is a mistake in a template and raises ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_EMPTY = frozenset(("br", "wbr", "img", "input", "hr", "meta", "link", "col"))


@dataclass(slots=True, kw_only=True)
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(self.attributes.get("class", "").split())

    @property
    def elements(self) -> list[Element]:
        return [child for child in self.children if isinstance(child, Element)]


def parse_page(text: str) -> Element:
    """The `body` of an HTML document."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    if len(parser.open) != 1:
        raise ValueError(f"<{parser.open[-1].tag}> is not closed")
    return _find(parser.open[0], "body")


def _find(element: Element, tag: str) -> Element:
    if element.tag == tag:
        return element
    for child in element.elements:
        if child.tag in ("html", tag):
            return _find(child, tag)
    raise ValueError(f"the page has no <{tag}>")


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element(tag="", attributes={})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag=tag, attributes={name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _EMPTY:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in _EMPTY:
            return
        if self.open[-1].tag != tag:
            raise ValueError(f"</{tag}> closes <{self.open[-1].tag}> on line {self.getpos()[0]}")
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

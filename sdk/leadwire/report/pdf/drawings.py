"""The page's drawings as SVG files of their own: each gets the rules of the page's style sheet that concern drawings,
with the colours of the printed page, since Typst's SVG knows neither the sheet around it nor CSS variables."""

from __future__ import annotations

import re

_DRAWING = re.compile(r"<svg\b[^>]*>.*?</svg>", re.DOTALL)
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_VARIABLES = re.compile(r":root\s*\{(.*?)\}", re.DOTALL)
_VARIABLE = re.compile(r"(--[a-z0-9-]+)\s*:\s*([^;]+);")
_RULE = re.compile(r"([^{}@]+)\{([^{}]*)\}")
_DRAWN = re.compile(r"\.(plot|strip|mark)\b")
_COLOUR = re.compile(r'<div class="verdict ([a-z]+)">\s*\Z')


def take_drawings(page: str) -> tuple[str, tuple[str, ...]]:
    """The page with `<img class="drawing" alt="n">` in the place of drawing n, and the drawings."""
    style = _STYLE.search(page)
    sheet = style[1] if style else ""
    colours = _printed_colours(sheet)
    rules = _drawn_rules(sheet, colours)
    drawings: list[str] = []

    def take(found: re.Match[str]) -> str:
        verdict = _COLOUR.search(page[: found.start()])
        colour = colours.get(f"--{verdict[1]}", "#000") if verdict else "#000"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" color="{colour}"'
        opened, rest = found[0].removeprefix("<svg").split(">", 1)
        drawings.append(f"{head}{opened}><style>{rules}</style>{rest}")
        return f'<img class="drawing" alt="{len(drawings) - 1}">'

    return _DRAWING.sub(take, page), tuple(drawings)


def _printed_colours(sheet: str) -> dict[str, str]:
    """The variables of the first `:root`, and over them those of `@media print`."""
    roots = [_VARIABLES.search(sheet), _VARIABLES.search(sheet.partition("@media print")[2])]
    return {name: value.strip() for root in roots if root for name, value in _VARIABLE.findall(root[1])}


def _drawn_rules(sheet: str, colours: dict[str, str]) -> str:
    rules = []
    plain = sheet.partition("@media (max-width")[0]
    for selectors, body in _RULE.findall(plain):
        drawn = [selector.strip() for selector in selectors.split(",") if _DRAWN.search(selector)]
        if drawn:
            rules.append(f"{', '.join(drawn)} {{{_resolved(body, colours)}}}")
    return " ".join(rules)


def _resolved(body: str, colours: dict[str, str]) -> str:
    value = re.sub(r"var\((--[a-z0-9-]+)\)", lambda found: colours.get(found[1], "#000"), body)
    return value.replace("font-family: inherit;", "").strip()

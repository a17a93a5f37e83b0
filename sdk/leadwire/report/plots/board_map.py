"""Memory map of the board: each region drawn whole, with the sections of the image where they lie."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from leadwire.artifacts import FirmwareImage, Section
from leadwire.board import Board, MemoryRegion
from leadwire.report.numbers import percent, size
from leadwire.report.svg import element, figure, line, rect, text

_LEFT, _PANEL, _ROW, _BAR, _TOP = 150, 600, 58, 22, 14
_NARROW = 46  # a name needs so many pixels


def draw(image: FirmwareImage, board: Board) -> Markup:
    """One bar for each region of memory, each to its own scale; the stack's bound stands at the end of its region."""
    parts: list[Markup] = []
    said = []
    for row, region in enumerate(board.memory):
        top = _TOP + row * _ROW
        inside = [one for one in image.sections if region.origin <= one.address < region.origin + region.size_bytes]
        used = sum(one.size_bytes for one in inside)
        parts += _region(region, inside, top)
        where = f"{size(used)} of {size(region.size_bytes)}"
        parts.append(text(_LEFT + _PANEL + 12, top + 15, where, "figure"))
        parts.append(text(_LEFT + _PANEL + 12, top + 31, percent(used / region.size_bytes, 1), "faint"))
        said.append(f"{region.name}: {where}")
    height = _TOP + _ROW * len(board.memory)
    return figure(_LEFT + _PANEL + 200, height, f"Memory map of {board.name}", "; ".join(said), *parts)


def _region(region: MemoryRegion, inside: Sequence[Section], top: float) -> list[Markup]:
    scale = _PANEL / region.size_bytes
    parts = [
        text(_LEFT - 14, top + 15, region.name, "strong", anchor="end", limit=18),
        text(_LEFT - 14, top + 31, f"0x{region.origin:08x}", "tiny faint", anchor="end"),
        rect(_LEFT, top, _PANEL, _BAR, "track"),
    ]
    named_to = float(_LEFT)
    for number, section in enumerate(inside):
        x, wide = _LEFT + (section.address - region.origin) * scale, max(section.size_bytes * scale, 1.0)
        tooltip = f"{section.name}: {size(section.size_bytes)} at 0x{section.address:08x}"
        parts.append(rect(x, top, wide, _BAR, f"block tint-{number % 5}", element("title", tooltip)))
        if x >= named_to and (wide >= _NARROW or number == len(inside) - 1 or _room(inside, number, region, scale)):
            parts.append(text(x, top + _BAR + 14, section.name, "tiny", limit=12))
            named_to = x + _NARROW + 20
    parts.append(line(_LEFT + _PANEL, top - 3, _LEFT + _PANEL, top + _BAR + 3, "edge"))
    return parts


def _room(inside: Sequence[Section], number: int, region: MemoryRegion, scale: float) -> bool:
    """Whether the next section begins far enough to the right for a name."""
    return (inside[number + 1].address - inside[number].address) * scale >= _NARROW

"""Arduino: a library of format 1.5. Only src/ is searched for headers, so the sources lie there side by side."""

from __future__ import annotations

from .contents import Contents
from .layout import flat
from .render import render

ARCHIVE = "{name}-{version}-arduino.zip"


def layout(contents: Contents) -> dict[str, bytes]:
    placed = flat(contents, "src", cxx_suffix=".cpp")
    return dict(placed.files) | render("arduino", placed)

"""ESP-IDF: a component with its manifest, and an example project that takes it from its own folder."""

from __future__ import annotations

from .contents import Contents
from .layout import in_folders
from .render import render

ARCHIVE = "{name}-{version}-esp-idf.zip"


def layout(contents: Contents) -> dict[str, bytes]:
    placed = in_folders(contents)
    bench = placed.bench.files if placed.bench is not None else ()
    return dict((*placed.files, *bench)) | render("esp-idf", placed)

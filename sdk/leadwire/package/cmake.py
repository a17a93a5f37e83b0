"""CMake: a target for add_subdirectory, and a config package for find_package after an install."""

from __future__ import annotations

from .contents import Contents
from .layout import in_folders
from .render import render

ARCHIVE = "{name}-{version}-cmake.zip"


def layout(contents: Contents) -> dict[str, bytes]:
    placed = in_folders(contents)
    return dict(placed.files) | render("cmake", placed)

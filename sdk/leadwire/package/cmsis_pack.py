"""CMSIS-Pack: a software component with a user code template; as an archive it is `<vendor>.<name>.<version>.pack`."""

from __future__ import annotations

from .contents import Contents
from .layout import in_folders
from .render import render

ARCHIVE = "{vendor}.{name}.{version}.pack"
AT_ROOT = True
"""The description lies at the root of the archive, as the specification wants it."""


def layout(contents: Contents) -> dict[str, bytes]:
    placed = in_folders(contents)
    files = render("cmsis-pack", placed)
    description = files.pop("package.pdsc")
    return dict(placed.files) | files | {f"{contents.publisher.vendor}.{contents.name}.pdsc": description}

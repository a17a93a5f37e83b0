"""Zephyr: a module (zephyr/module.yml) with Kconfig, and a sample application."""

from __future__ import annotations

from .contents import Contents
from .layout import in_folders
from .render import render

ARCHIVE = "{name}-{version}-zephyr.zip"


def layout(contents: Contents) -> dict[str, bytes]:
    placed = in_folders(contents)
    bench = placed.bench.files if placed.bench is not None else ()
    return dict((*placed.files, *bench)) | render("zephyr", placed)

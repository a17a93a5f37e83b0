"""PlatformIO: a library with library.json, for every platform and framework."""

from __future__ import annotations

import json

from .contents import Contents
from .layout import flat
from .render import render

ARCHIVE = "{name}-{version}-platformio.zip"


def layout(contents: Contents) -> dict[str, bytes]:
    placed = flat(contents, "src")
    return dict(placed.files) | render("platformio", placed) | {"library.json": _manifest(contents)}


def _manifest(contents: Contents) -> bytes:
    """library.json. A key whose value is not known is left out, as the schema wants it."""
    publisher = contents.publisher
    manifest: dict[str, object] = {
        "name": contents.name,
        "version": publisher.version,
        "description": f"leadwire model: {contents.title}",
        "keywords": ["ecg", "tinyml", "int8", "neural network"],
        "license": "Apache-2.0",
        "authors": [{"name": publisher.vendor}],
        "headers": contents.header,
        "frameworks": "*",
        "platforms": "*",
        "build": {"srcDir": "src", "includeDir": "src", "libArchive": True},
        "examples": [{"name": "hello", "base": "examples/hello", "files": ["platformio.ini", "src/main.cpp"]}],
    }
    if publisher.url:
        manifest["homepage"] = publisher.url
    if contents.backend == "tflm":
        manifest["build"] = {
            "srcDir": "src",
            "includeDir": "src",
            "libArchive": True,
            "flags": ["-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS", "-fno-exceptions"],
        }
    return (json.dumps(manifest, indent=2) + "\n").encode("ascii")

"""Templates of firmware_templates/packages: one folder per ecosystem, laid out as the package will be.

`__name__` in a path becomes `leadwire_<id>`; the suffix `.j2` is dropped; a template that renders to nothing makes no
file. Folders named bench are for packages with the bench firmware. Filters quote text for the format at hand.
"""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from leadwire.resources import FIRMWARE_TEMPLATES

from .contents import NO_URL, Contents

TEMPLATES = FIRMWARE_TEMPLATES / "packages"


def render(ecosystem: str, contents: Contents) -> dict[str, bytes]:
    """Every template of an ecosystem's folder, rendered."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"json": _json, "xml": _xml}
    variables = {"package": contents, "url": contents.publisher.url or NO_URL}
    folder = TEMPLATES / ecosystem
    rendered = {}
    for path in sorted(folder.rglob("*.j2")):
        if contents.bench is None and "bench" in path.relative_to(folder).parts:
            continue
        name = path.relative_to(folder).as_posix().removesuffix(".j2").replace("__name__", contents.name)
        template = environment.get_template(path.relative_to(TEMPLATES).as_posix())
        text = template.render(variables)
        if text.strip():
            rendered[name] = text.encode("utf-8")
    return rendered


def facade(contents: Contents) -> bytes:
    """The header of the model's own name, for trees that hold more than one model.h."""
    return (
        f"/* {contents.header}: the model '{contents.plain}', by a name that no other package has. */\n"
        f"#ifndef {contents.name.upper()}_H\n#define {contents.name.upper()}_H\n\n"
        f'#include "model.h"\n\n#endif /* {contents.name.upper()}_H */\n'
    ).encode()


def licence() -> bytes:
    return (TEMPLATES / "LICENSE").read_bytes()


def _json(value: object) -> str:
    """A JSON value; as YAML it is the same value."""
    return json.dumps(value)


def _xml(text: str) -> str:
    return escape(text, {'"': "&quot;", "'": "&apos;"})

"""The templates of pages: strict, escaping, with the filters that write figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import numbers, sides
from .sections import FOLDER

_FILTERS: tuple[Callable[..., Any], ...] = (
    numbers.count,
    numbers.size,
    numbers.decimal,
    numbers.si,
    numbers.percent,
    numbers.probability,
    numbers.points,
    numbers.interval,
    numbers.signed_interval,
    numbers.fraction,
    numbers.runtime,
    numbers.digest,
    numbers.instructions,
    sides.sides,
    sides.judged_beats,
    sides.partial,
)


def template_environment(*folders: Path) -> Environment:
    """Templates of `folders`, then of the report's own."""
    environment = Environment(
        loader=FileSystemLoader([*folders, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({function.__name__: function for function in _FILTERS})
    return environment


def render_plain(template: Path, **values: object) -> bytes:
    """A page that extends `plain.html.j2`, the report's frame without sections and scripts, as UTF-8 HTML."""
    text = template_environment(template.parent).get_template(template.name).render(**values)
    return text.encode("utf-8", "xmlcharrefreplace")

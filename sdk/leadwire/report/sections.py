"""The sections of the report: files `validation/report/NN-name.html.j2`, in the order of their numbers.

Each opens with a comment that says what it is about:

    {#
    title: Accuracy
    needs: validation, quantized          names of `Evidence`, the only ones the section can read
    requirements: LW-VAL-001, LW-VAL-002  ids of validation/requirements.toml that it answers
    #}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from leadwire.resources import VALIDATION

FOLDER = VALIDATION / "report"
_HEADER = re.compile(r"\A\{#\n(?P<fields>(?:[a-z]+: .*\n)+)#\}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """`anchor` is the file's name without number and ending."""

    file: str
    anchor: str
    title: str
    needs: tuple[str, ...]
    requirements: tuple[str, ...]


def load_sections(folder: Path = FOLDER) -> tuple[Section, ...]:
    """All sections in reading order; ValueError for a file without its header."""
    return tuple(_section(path) for path in sorted(folder.glob("[0-9][0-9]-*.html.j2")))


def _section(path: Path) -> Section:
    header = _HEADER.match(path.read_text(encoding="utf-8"))
    fields = dict(line.split(": ", 1) for line in header["fields"].splitlines()) if header else {}
    if set(fields) != {"title", "needs", "requirements"}:
        raise ValueError(f"{path.name} must open with a comment that gives title, needs and requirements")
    return Section(
        file=path.name,
        anchor=path.name[3:].removesuffix(".html.j2"),
        title=fields["title"].strip(),
        needs=_names(fields["needs"]),
        requirements=_names(fields["requirements"]),
    )


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())

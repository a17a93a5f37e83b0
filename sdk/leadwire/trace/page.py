"""The matrix as one HTML page without scripts or outside resources; every value is escaped."""

from __future__ import annotations

from leadwire.resources import VALIDATION

from .matrix import Matrix

FOLDER = VALIDATION / "trace"


def to_html(matrix: Matrix) -> bytes:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    tests = len({(test.file, test.test) for row in matrix.rows for test in row.tests})
    page = environment.get_template("matrix.html.j2").render(matrix=matrix, tests=tests)
    return page.encode("utf-8", "xmlcharrefreplace")

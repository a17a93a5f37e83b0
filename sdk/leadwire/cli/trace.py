"""The verb about requirements: trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadwire.errors import BadInputError, TraceError

from .app import Json, app, end, print_line, show


@app.command()
def trace(
    requirements: Annotated[
        Path | None, typer.Argument(help="A requirements.toml of a device; default: leadwire's own requirements.")
    ] = None,
    results: Annotated[
        list[Path] | None, typer.Option("--results", "-r", help="JUnit file with test results; may be repeated.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="Evidence bundle that the tests are about; it is verified.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Public key (PEM) of the bundle's trusted issuer.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for trace.html, .csv, .reqif, .junit.xml.")] = None,
    template: Annotated[
        Path | None, typer.Option("--template", help="Write a requirements file to begin with, and do nothing else.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Trace hazards to requirements, report sections, tests, results and digests.

    Exit code 7 where something is orphaned, unknown, stale, failed or not verified.
    """
    from leadwire.report.sections import load_sections
    from leadwire.trace import export
    from leadwire.views import trace as views
    from leadwire.workspace import source_date

    if template is not None:
        if requirements or results or evidence or out:
            raise BadInputError("--template does nothing else", hint="leave the other arguments out")
        export.write_template(template)
        print_line({"written": str(template)}, as_json)
        return
    if key is not None and evidence is None:
        raise BadInputError("--key is of a bundle", hint="add --evidence BUNDLE")
    claims = [(section.anchor, section.requirements) for section in load_sections()]
    traced = export.trace(
        requirements, results or [], claims, out=out, evidence=evidence, key=key, created=source_date()
    )
    show(traced, as_json, views.traced)
    if traced.findings:
        end(TraceError(traced.title, [f"{one.kind} {one.subject}: {one.sentence}" for one in traced.findings]))

"""The verb that compares two bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadwire.errors import BadInputError, ValidationError

from .app import Json, app, end, show


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The bundle of the version that is compared with.")],
    new: Annotated[Path, typer.Argument(help="The bundle of the changed version.")],
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Change control plan (TOML): what may change, and how far.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="The signer's public key (PEM) of both, got from the signer.")
    ] = None,
    page: Annotated[Path | None, typer.Option("--page", help="Write the assessment as an HTML page.")] = None,
    as_json: Json = False,
) -> None:
    """Compare two evidence bundles: what changed, figures on the same beats, resources; judged by a plan."""
    from leadwire import change as stage
    from leadwire.views import change as views
    from leadwire.workspace import write_atomically

    found = stage.compare_bundles(old, new, stage.load_plan(plan) if plan else None, key)
    if page is not None:
        try:
            write_atomically(page, stage.render_page(found))
        except OSError as error:
            raise BadInputError(f"'{page}' cannot be written: {error.strerror}") from error
    show(found, as_json, views.assessment)
    if found.verdict in ("outside", "inconclusive"):
        end(ValidationError(found.verdict, found.reasons, hint="a change outside its plan needs a new submission"))

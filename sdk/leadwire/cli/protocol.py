"""The verbs of protocols: freeze one before the run, and see how it stands to what was frozen."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import Json, app, show

protocol = typer.Typer(help="Protocols: freeze one before the run, or see whether it was changed.")
app.add_typer(protocol, name="protocol", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(help="A protocol file (.toml), or the id of a built-in one.")]


@protocol.command()
def freeze(
    reference: Reference,
    reason: Annotated[str, typer.Option("--reason", help="Why a protocol that was frozen is amended.")] = "",
    as_json: Json = False,
) -> None:
    """Write the protocol's digest into a lock file beside it. A run against another digest cannot pass."""
    from leadwire.pipeline.freeze import freeze_protocol
    from leadwire.views import protocol as views

    show(freeze_protocol(reference, reason), as_json, views.frozen)


@protocol.command("show")
def show_one(reference: Reference, as_json: Json = False) -> None:
    """Whether a protocol is frozen, changed since, or was never frozen."""
    from leadwire.pipeline.freeze import show_protocol
    from leadwire.views import protocol as views

    show(show_protocol(reference), as_json, views.frozen)

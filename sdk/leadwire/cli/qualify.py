"""The verb that qualifies this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadwire.errors import BadInputError, ValidationError

from .app import Json, app, end, show, watcher


@app.command()
def qualify(
    key: Annotated[
        Path | None, typer.Option("--key", help="Private key to sign with; with --verify the signer's public key.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the record.")] = Path("qualification"),
    by: Annotated[str, typer.Option("--by", help="Who performs the qualification and answers for it.")] = "",
    only: Annotated[
        str | None,
        typer.Option("--only", help="Ids of checks, with commas between: a partial record; default: all."),
    ] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", help="Check the record in this folder instead.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Run installation and operational checks with known answers here, and sign the record (IQ/OQ)."""
    from leadwire import qualify as stage
    from leadwire.views import qualify as views

    if verify is not None:
        show(stage.read_record(verify, key), as_json, views.read)
        return
    if key is None:
        raise BadInputError(
            "a qualification record is signed",
            hint="give --key KEY.pem; 'openssl genpkey -algorithm ed25519 -out KEY.pem' makes one",
        )
    wanted = None if only is None else tuple(word.strip().upper() for word in only.split(",") if word.strip())
    with watcher() as progress:
        written = stage.qualify_installation(output, key, by=by, only=wanted, watcher=progress)
    show(written, as_json, views.written)
    if written.record.verdict == "fail":
        failed = tuple(f"{check.id} {check.title}" for check in written.record.checks if check.result == "fail")
        end(ValidationError("fail", failed, hint=f"read {written.page}"))

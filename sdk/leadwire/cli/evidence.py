"""The verbs about evidence: verify and sign."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from .app import Json, app, show

BundleFile = Annotated[Path, typer.Argument(help="The evidence bundle (.leadwire-evidence.zip).")]
IssuerKey = Annotated[Path | None, typer.Option("--key", help="The issuer's public key (PEM), got from the issuer.")]


@app.command()
def verify(
    bundle: BundleFile,
    key: IssuerKey = None,
    reviewer: Annotated[
        list[Path] | None, typer.Option("--reviewer", help="Public key (PEM) of a person who must have signed.")
    ] = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Derive every statistic again from the raw predictions, and list them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every byte of an evidence bundle against its signed statements, and its figures against its predictions."""
    from leadwire.evidence.bundle import verify_bundle
    from leadwire.views import evidence as views

    show(verify_bundle(bundle, key, reviewers=tuple(reviewer or ()), recompute=recompute), as_json, views.verified)


@app.command()
def sign(
    bundle: BundleFile,
    name: Annotated[str, typer.Option("--as", help="Printed name of the person who signs.")],
    meaning: Annotated[str, typer.Option("--meaning", help="review, approval, responsibility or authorship.")],
    signing_key: Annotated[
        Path | None,
        typer.Option("--signing-key", help="The person's private key (PEM); default: in LEADWIRE_SIGNING_KEY."),
    ] = None,
    key: IssuerKey = None,
    out: Annotated[Path | None, typer.Option("--out", help="Another file instead of signing in place.")] = None,
    as_json: Json = False,
) -> None:
    """Sign an evidence bundle as a second person: name, date and meaning, as 21 CFR 11 asks. It is verified first."""
    from leadwire.evidence.bundle import sign_bundle
    from leadwire.views import evidence as views
    from leadwire.workspace import source_date

    now = source_date() or datetime.now(UTC)
    signed = sign_bundle(bundle, signing_key, name=name, meaning=meaning, signed_on=now, public_key=key, out=out)
    show(signed, as_json, views.verified)

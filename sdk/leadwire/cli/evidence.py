"""The verbs about evidence: verify, sign, and audit verify."""

from __future__ import annotations

from contextlib import ExitStack
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
    from leadwire.evidence.audit import log_beside
    from leadwire.evidence.audited import audited
    from leadwire.evidence.bundle import sign_bundle
    from leadwire.views import evidence as views
    from leadwire.workspace import file_digest, source_date

    now, log = source_date() or datetime.now(UTC), log_beside(bundle)
    with ExitStack() as stack:
        before = file_digest(bundle) if bundle.is_file() else ""
        facts = {"verb": "sign", "bundle": bundle.name, "bundle_sha256": before, "name": name, "meaning": meaning}
        run = None if log is None else stack.enter_context(audited(log, facts))
        signed = sign_bundle(bundle, signing_key, name=name, meaning=meaning, signed_on=now, public_key=key, out=out)
        if run is not None:
            run.note("end", bundle_sha256=signed.digest)
    show(signed, as_json, views.verified)


audit = typer.Typer(help="The audit log of runs: append-only and hash-chained, failures included.")
app.add_typer(audit, name="audit", no_args_is_help=True)


@audit.command("verify")
def verify_audit(
    log: Annotated[Path, typer.Argument(help="The log, or the output folder whose .leadwire holds it.")],
    bundle: Annotated[
        list[Path] | None, typer.Option("--bundle", help="A bundle whose run the log must hold; may be repeated.")
    ] = None,
    head: Annotated[str, typer.Option("--head", help="The head that an earlier look showed.")] = "",
    key: IssuerKey = None,
    as_json: Json = False,
) -> None:
    """Find a line of the audit log that was edited, removed, moved or put in, and lines that a bundle says are gone.

    Whoever alters the end together with its head file is found out by --bundle or --head: keep them elsewhere.
    """
    from leadwire.evidence.audit import log_path, verify_log
    from leadwire.evidence.bundle import verify_bundle
    from leadwire.views import evidence as views

    anchors = tuple((path.name, verify_bundle(path, key).invocation) for path in bundle or [])
    show(verify_log(log_path(log) if log.is_dir() else log, anchors, head), as_json, views.audited)

"""Stage `report`: page and PDF for people, evidence.json for programs, and the signed bundle that carries them."""

from __future__ import annotations

from pathlib import Path

from leadwire.evidence.bundle import Bundle, write_bundle
from leadwire.evidence.keys import fingerprint, load_private_key, public_pem
from leadwire.evidence.record import Attachments, Evidence

from .page import render_page
from .pdf import render_pdf


def write_report(
    evidence: Evidence, attachments: Attachments, out: Path, key: Path | None, invocation: str = ""
) -> Bundle:
    """Write report.html, report.pdf, evidence.json and `<name>.leadwire-evidence.zip` into `out`, signed with `key`.

    `key` is the file of a private key, None: the one in the environment; `invocation` the hash of the run's line in the
    audit log. A failed or inconclusive verdict is written like any other. EvidenceError (8)
    where the records do not join; BadInputError (2) for a key, name or folder that cannot be used.
    """
    signer = fingerprint(public_pem(load_private_key(key)))
    page = render_page(evidence, signer)
    printed = render_pdf(page, evidence)
    return write_bundle(evidence, attachments, page, printed=printed, out=out, key=key, invocation=invocation)

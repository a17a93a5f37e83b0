"""Stage `report`: the HTML page for people, evidence.json for programs, and the signed bundle that carries both."""

from __future__ import annotations

from pathlib import Path

from leadwire.evidence.bundle import Bundle, write_bundle
from leadwire.evidence.keys import fingerprint, load_private_key, public_pem
from leadwire.evidence.record import Attachments, Evidence

from .page import render_page


def write_report(
    evidence: Evidence, attachments: Attachments, out: Path, key: Path | None, invocation: str = ""
) -> Bundle:
    """Write report.html, evidence.json and `<name>.leadwire-evidence.zip` into `out`, signed with the private `key`
    (None: the one in the environment). `invocation` is the hash of the run's line in the audit log.

    A failed or inconclusive verdict is written like any other. EvidenceError (8) where the records do not join;
    BadInputError (2) for a key, name or folder that cannot be used.
    """
    signer = fingerprint(public_pem(load_private_key(key)))
    return write_bundle(evidence, attachments, render_page(evidence, signer), out=out, key=key, invocation=invocation)

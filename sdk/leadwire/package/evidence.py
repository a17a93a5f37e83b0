"""The evidence a package refers to: a verified bundle about this very model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import Verdict
from leadwire.errors import EvidenceError
from leadwire.evidence.bundle import verify_bundle

_MODEL_FILE = "model.tflite"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceReference:
    """`digest` is the SHA-256 of the bundle file, `signer` the fingerprint of its key; the verdict is the bundle's own.

    `authenticated`: the signer is one the packager named as trusted.
    """

    name: str
    digest: str
    signer: str
    authenticated: bool
    board_id: str
    verdict: Verdict


def refer_to(bundle: Path, model_digest: str, key: Path | None = None) -> EvidenceReference:
    """Verify a bundle and refer to it; EvidenceError (8) where it does not verify or is about another model."""
    verified = verify_bundle(bundle, key)
    about = dict(verified.files)[_MODEL_FILE]
    if about != model_digest:
        raise EvidenceError(
            bundle,
            f"it is about model {about[:12]}, the package holds model {model_digest[:12]}",
            hint="give the bundle that was made with this .tflite file",
        )
    return EvidenceReference(
        name=verified.name,
        digest=verified.digest,
        signer=verified.signer,
        authenticated=verified.authenticated,
        board_id=verified.board_id,
        verdict=verified.verdict,
    )

"""Who vouches for what: an in-toto v1 statement in a DSSE envelope, signed with Ed25519.

Statement: in-toto attestation framework, `https://in-toto.io/Statement/v1`; its subjects are all files of the bundle.
Predicate: `https://in-toto.io/attestation/test-result/v0.1`. An inconclusive result is FAILED: it never passes.
Envelope: DSSE v1.0, signature over PAE = "DSSEv1 " + len(type) + " " + type + " " + len(payload) + " " + payload.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadwire.errors import EvidenceError

from .keys import fingerprint, public_pem, verify_signature
from .record import Evidence

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
_CONFIGURATION = ("protocol.toml", "calibration.csv")


def make_statement(evidence: Evidence, digests: Mapping[str, str]) -> dict[str, Any]:
    """`digests`: SHA-256 in hex by file name, every file of the bundle except the envelope itself."""
    checks = tests(evidence)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": "PASSED" if evidence.verdict == "pass" else "FAILED",
            "configuration": [{"name": name, "digest": {"sha256": digests[name]}} for name in _CONFIGURATION],
            "passedTests": [name for name, passed in checks if passed],
            "warnedTests": [stamp.word for stamp in evidence.stamps],
            "failedTests": [name for name, passed in checks if not passed],
        },
    }


def tests(evidence: Evidence) -> list[tuple[str, bool]]:
    """What was judged, by name: each budget checkpoint, whether the last one proves it, each endpoint, and the
    validation as a whole (host and device, records and the minimum of data beside the endpoints)."""
    budgets = [(f"budget/{item.basis}", not any(line.over for line in item.lines)) for item in evidence.budgets]
    budgets.append(("budget/proven", bool(evidence.budgets) and evidence.budgets[-1].fits))
    endpoints = [(f"endpoint/{item.endpoint}", item.verdict == "pass") for item in evidence.validation.endpoints]
    return [*budgets, *endpoints, ("validation", evidence.validation.verdict == "pass")]


def sign_statement(statement: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """The envelope's bytes. Ed25519 is deterministic: the same statement and key give the same bytes."""
    payload = _json(statement)
    signature = key.sign(_pae(payload))
    return _envelope(payload, signature, fingerprint(public_pem(key)))


def open_envelope(data: bytes, pem: bytes, *, source: Path | str) -> dict[str, Any]:
    """The statement of an envelope signed by the key `pem`; EvidenceError (8) otherwise."""
    payload, signature, key_id = _parts(data, source)
    if key_id != fingerprint(pem):
        raise EvidenceError(source, f"signed by key {key_id[:80]}, not by {fingerprint(pem)}")
    if not verify_signature(pem, signature, _pae(payload)):
        raise EvidenceError(source, "the signature does not match the statement")
    try:
        statement = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(source, "the signed statement is not JSON") from error
    if not isinstance(statement, dict) or statement.get("_type") != STATEMENT_TYPE:
        raise EvidenceError(source, "the signed payload is not an in-toto v1 statement")
    if statement.get("predicateType") != PREDICATE_TYPE:
        raise EvidenceError(source, f"the statement is of another kind: {str(statement.get('predicateType'))[:120]}")
    return statement


def _parts(data: bytes, source: Path | str) -> tuple[bytes, bytes, str]:
    """Payload, signature and key id of an envelope in the only form that `_envelope` writes."""
    try:
        envelope = json.loads(data)
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = envelope["signatures"]
        if not signatures:
            raise EvidenceError(source, "not signed")
        signature, key_id = base64.b64decode(signatures[0]["sig"], validate=True), signatures[0]["keyid"]
        canonical = isinstance(key_id, str) and _envelope(payload, signature, key_id) == data
    except (ValueError, TypeError, LookupError, RecursionError, binascii.Error) as error:
        raise EvidenceError(source, "the envelope is not a DSSE envelope") from error
    if not canonical:
        raise EvidenceError(source, "the envelope was written again or has another number of signatures than one")
    return payload, signature, key_id


def _envelope(payload: bytes, signature: bytes, key_id: str) -> bytes:
    return _json(
        {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode("ascii")}],
        }
    )


def _pae(payload: bytes) -> bytes:
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n").encode()

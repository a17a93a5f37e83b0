"""An in-toto v1 statement in a DSSE envelope, signed with one Ed25519 key.

Statement: in-toto attestation framework, `https://in-toto.io/Statement/v1`. Envelope: DSSE v1.0, signature over
PAE = "DSSEv1 " + len(type) + " " + type + " " + len(payload) + " " + payload. An envelope has one form only: other
bytes that say the same are refused, so that no byte of it can change unseen.
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

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def statement_of(predicate_type: str, predicate: dict[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """`digests`: SHA-256 in hex of the subjects, by file name."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests)],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def subjects(statement: Mapping[str, object]) -> dict[str, str]:
    """SHA-256 by name; anything that is not a list of subjects vouches for nothing."""
    value = statement.get("subject")
    try:
        return {str(item["name"]): str(item["digest"]["sha256"]) for item in value} if isinstance(value, list) else {}
    except (TypeError, LookupError):
        return {}


def sign_statement(statement: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """The envelope's bytes. Ed25519 is deterministic: the same statement and key give the same bytes."""
    payload = _json(statement)
    signature = key.sign(_pae(payload))
    return _envelope(payload, signature, fingerprint(public_pem(key)))


def open_envelope(data: bytes, pem: bytes, predicate_type: str, *, source: Path | str) -> dict[str, Any]:
    """The statement of an envelope signed by the key `pem`; EvidenceError (8) otherwise."""
    payload, signature, key_id = _parts(data, source)
    if key_id != fingerprint(pem):
        raise EvidenceError(source, f"signed by key {key_id[:80]}, not by {fingerprint(pem)}")
    if not verify_signature(pem, signature, _pae(payload)):
        raise EvidenceError(source, "the signature does not match the statement")
    try:
        statement = json.loads(payload)
        canonical = isinstance(statement, dict) and _json(statement) == payload
    except (ValueError, RecursionError) as error:
        raise EvidenceError(source, "the signed statement is not JSON") from error
    if not canonical or statement.get("_type") != STATEMENT_TYPE:
        raise EvidenceError(source, "the signed payload is not an in-toto v1 statement in leadwire's form")
    if statement.get("predicateType") != predicate_type:
        raise EvidenceError(source, f"the statement is of another kind: {str(statement.get('predicateType'))[:120]}")
    return dict(statement)


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

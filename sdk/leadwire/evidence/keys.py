"""Ed25519 keys (RFC 8032) as PEM files: PKCS #8 private, SubjectPublicKeyInfo public. The only door to `cryptography`.

A key says who vouches for a bundle only to a reader who got its fingerprint another way.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError, FileMissingError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_KEY_BYTES = 16 * 1024
ENVIRONMENT = "LEADWIRE_SIGNING_KEY"


def generate_key(path: Path) -> str:
    """Write a new private key, readable by its owner alone (mode 0600), and return its fingerprint.

    BadInputError where the file exists: a key is never overwritten.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if path.exists():
        raise BadInputError(f"key file '{path}' exists and is not overwritten", hint="use it, or name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadInputError(f"key file '{path}' cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return fingerprint(public_pem(key))


def load_private_key(path: Path | None) -> Ed25519PrivateKey:
    """The key of a file, or with None of the environment variable LEADWIRE_SIGNING_KEY, which holds the PEM itself.

    FileMissingError, or BadInputError for anything but an unencrypted Ed25519 private key in PEM.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem, name = (_read(path, "signing key"), f"signing key '{path}'") if path else _from_environment()
    hint = "make one with 'openssl genpkey -algorithm ed25519 -out key.pem', or set signing.key = \"generate\""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInputError(f"{name} is not an unencrypted private key in PEM", hint=hint) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInputError(f"{name} is not an Ed25519 key", hint=hint)
    return key


def _from_environment() -> tuple[bytes, str]:
    pem = os.environ.get(ENVIRONMENT, "")
    if not pem:
        raise BadInputError(f"{ENVIRONMENT} is not set", hint="put the private key's PEM text into it, or name a file")
    return pem.encode("utf-8", "surrogateescape"), f"signing key in {ENVIRONMENT}"


def load_public_key(path: Path) -> bytes:
    """The public key of a PEM file (public, or private: its public half) in canonical PEM."""
    pem = _read(path, "public key")
    return public_pem(load_private_key(path)) if b"PRIVATE KEY" in pem else canonical_pem(pem, str(path))


def canonical_pem(pem: bytes, source: str) -> bytes:
    """The same Ed25519 public key in the one form that `public_pem` writes; BadInputError where it is none."""
    return _public_bytes(_public_key(pem, source))


def public_pem(key: Ed25519PrivateKey) -> bytes:
    return _public_bytes(key.public_key())


def fingerprint(pem: bytes) -> str:
    """SHA-256 of the public key's DER form, in hex: `openssl pkey -pubin -outform DER | sha256sum`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return sha256_hex(_public_key(pem, "public key").public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def verify_signature(pem: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        _public_key(pem, "public key").verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _public_bytes(key: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _public_key(pem: bytes, source: str) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInputError(f"'{source}' is not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadInputError(f"'{source}' is not an Ed25519 key")
    return key


def _read(path: Path, role: str) -> bytes:
    if not path.is_file():
        raise FileMissingError(path, role=role)
    if path.stat().st_size > MAX_KEY_BYTES:
        raise BadInputError(f"{role} '{path}' is larger than any key ({MAX_KEY_BYTES} bytes)")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{role} '{path}' cannot be read: {error.strerror}") from error

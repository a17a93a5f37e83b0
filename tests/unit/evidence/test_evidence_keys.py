"""Keys: made once, readable by their owner alone, refused with a reason when they are something else."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from leadwire.errors import BadInputError, FileMissingError
from leadwire.evidence.keys import fingerprint, generate_key, load_private_key, load_public_key, public_pem


def test_a_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key.pem"
    made = generate_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(BadInputError, match="not overwritten"):
        generate_key(path)
    assert path.read_bytes() == before
    assert fingerprint(public_pem(load_private_key(path))) == made
    assert load_public_key(path) == public_pem(load_private_key(path))


def test_openssl_agrees_on_the_fingerprint(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER"], check=True, capture_output=True
    ).stdout
    assert fingerprint(load_public_key(public)) == hashlib.sha256(der).hexdigest()
    assert load_public_key(public) == load_public_key(private)


def rsa_private() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def encrypted() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


def test_other_keys_are_refused_by_name(tmp_path: Path) -> None:
    cases = (
        (b"", "not an unencrypted private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an unencrypted private key"),
        (encrypted(), "not an unencrypted private key"),
        (rsa_private(), "not an Ed25519 key"),
        (b"x" * 20_000, "larger than any key"),
    )
    for number, (pem, message) in enumerate(cases):
        path = tmp_path / f"{number}.pem"
        path.write_bytes(pem)
        with pytest.raises(BadInputError, match=message):
            load_private_key(path)
    (tmp_path / "public.pem").write_bytes(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    with pytest.raises(BadInputError, match="not a public key"):
        load_public_key(tmp_path / "public.pem")
    with pytest.raises(FileMissingError, match="public key"):
        load_public_key(tmp_path / "none.pem")
    with pytest.raises(BadInputError, match="cannot be written"):
        generate_key(tmp_path / "0.pem" / "below.pem")

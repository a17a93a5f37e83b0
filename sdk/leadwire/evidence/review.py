"""A second person's signature: who, when and what it means, bound to every byte that was signed before.

21 CFR 11.50 asks a signature for the printed name, date and time, and meaning (review, approval, responsibility or
authorship), 11.70 that it cannot be moved to another record: subjects are all files of the bundle, the issuer's
envelopes and earlier reviews included. leadwire makes the record; who may sign is the quality system's business.

`reviews/N.pem` is the key of review N, `reviews/N.dsse.json` its in-toto statement with the predicate below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError, EvidenceError, LeadwireError

from .envelope import open_envelope, sign_statement, statement_of, subjects
from .keys import canonical_pem, fingerprint, public_pem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREDICATE_TYPE = "urn:leadwire:review:1"
MAX_REVIEWS = 8
Meaning = Literal["review", "approval", "responsibility", "authorship"]
_FILE = re.compile(r"reviews/(?P<number>[1-9])\.(?:pem|dsse\.json)")
_SIGNED_ON = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """`key` is the fingerprint of the reviewer's key; `authenticated`: it is one that the reader trusts."""

    name: str
    signed_on: str
    meaning: str
    key: str
    authenticated: bool


def is_review(name: str) -> bool:
    return name.startswith("reviews/")


def add_review(
    files: Mapping[str, bytes], key: Ed25519PrivateKey, *, name: str, meaning: str, signed_on: datetime
) -> dict[str, bytes]:
    """The files with one review more. BadInputError (2) for a name or meaning that 21 CFR 11.50 would not take, the
    issuer's own key, a key that has signed already, or more than eight reviews."""
    if not 1 <= len(name.strip()) <= 200 or not name.isprintable():
        raise BadInputError("the reviewer's name is empty, longer than 200 characters or has characters without print")
    if meaning not in get_args(Meaning):
        raise BadInputError(f"meaning '{meaning}' is none of 21 CFR 11.50", hint=f"use {', '.join(get_args(Meaning))}")
    number = 1 + sum(map(is_review, files)) // 2
    if number > MAX_REVIEWS:
        raise BadInputError(f"the bundle has {MAX_REVIEWS} reviews already")
    pem = public_pem(key)
    if pem in (files["signer.pem"], *(files[f"reviews/{before}.pem"] for before in range(1, number))):
        raise BadInputError("this key has signed the bundle already", hint="a second signature is another person's")
    signed = {**files, f"reviews/{number}.pem": pem}
    predicate = {"name": name.strip(), "signedOn": f"{signed_on:%Y-%m-%dT%H:%M:%SZ}", "meaning": meaning}
    statement = statement_of(PREDICATE_TYPE, predicate, {each: sha256_hex(data) for each, data in signed.items()})
    return {**signed, f"reviews/{number}.dsse.json": sign_statement(statement, key)}


def read_reviews(files: Mapping[str, bytes], trusted: tuple[bytes, ...], *, source: Path | str) -> tuple[Review, ...]:
    """The reviews of a bundle, each over exactly the files that came before it; EvidenceError (8) otherwise.

    `trusted` are reviewers' public keys in canonical PEM; each must have signed.
    """
    count = sum(map(is_review, files)) // 2
    expected = {f"reviews/{number}.{end}" for number in range(1, count + 1) for end in ("pem", "dsse.json")}
    if strays := sorted(set(filter(is_review, files)) - expected):
        raise EvidenceError(source, f"'{strays[0]}' belongs to no review, or a review before it is missing")
    keys = [files["signer.pem"]]
    found = []
    for number in range(1, count + 1):
        pem = files[f"reviews/{number}.pem"]
        if pem in keys:
            raise EvidenceError(source, f"review {number} is signed by a key that has signed before")
        keys.append(pem)
        found.append(_read(number, files, pem in trusted, source))
    for pem in trusted:
        if pem not in keys[1:]:
            raise EvidenceError(source, f"no review by the trusted key {fingerprint(pem)}")
    return tuple(found)


def _read(number: int, files: Mapping[str, bytes], authenticated: bool, source: Path | str) -> Review:
    pem = files[f"reviews/{number}.pem"]
    try:
        canonical = canonical_pem(pem, f"reviews/{number}.pem")
    except LeadwireError as error:
        raise EvidenceError(source, error.message) from error
    if canonical != pem:
        raise EvidenceError(source, f"'reviews/{number}.pem' is not in leadwire's own form")
    statement = open_envelope(files[f"reviews/{number}.dsse.json"], pem, PREDICATE_TYPE, source=source)
    before = {
        name: sha256_hex(data)
        for name, data in files.items()
        if not (at := _FILE.fullmatch(name)) or int(at["number"]) < number or name == f"reviews/{number}.pem"
    }
    if subjects(statement) != before:
        raise EvidenceError(source, f"review {number} was signed over other files than those of the bundle")
    predicate: Any = statement.get("predicate")
    texts = tuple(predicate.get(field) for field in ("name", "signedOn", "meaning")) if _is_signed(predicate) else ()
    if len(texts) != 3:
        raise EvidenceError(source, f"review {number} does not say who signed, when and what it means")
    name, signed_on, meaning = texts
    return Review(name=name, signed_on=signed_on, meaning=meaning, key=fingerprint(pem), authenticated=authenticated)


def _is_signed(predicate: object) -> bool:
    return (
        isinstance(predicate, dict)
        and set(predicate) == {"name", "signedOn", "meaning"}
        and isinstance(predicate["name"], str)
        and 1 <= len(predicate["name"]) <= 200
        and predicate["name"].isprintable()
        and predicate["meaning"] in get_args(Meaning)
        and isinstance(predicate["signedOn"], str)
        and _SIGNED_ON.fullmatch(predicate["signedOn"]) is not None
    )

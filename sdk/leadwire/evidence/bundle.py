"""The signed bundle `<name>.leadwire-evidence.zip`: write it, sign it a second time, verify one that came from outside.

Beside the files of `contents` it holds

manifest.sha256       digests of the files of `contents`, as `sha256sum --check` reads them
signer.pem  statement.dsse.json  provenance.dsse.json     who vouches for what was found and how it was made
reviews/N.pem  reviews/N.dsse.json                        persons who signed afterwards (see `review`)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leadwire.artifacts import Verdict, sha256_hex
from leadwire.errors import BadInputError, EvidenceError, LeadwireError
from leadwire.workspace import write_atomically

from . import provenance, statement
from .archive import pack, unpack
from .contents import (
    CONTENT,
    DOCUMENT,
    ENVELOPE,
    MANIFEST,
    PREDICTIONS,
    PRINTED,
    PROTOCOL,
    PROVENANCE,
    REPORT,
    SIGNER,
    check_content,
    content_of,
    digests_of,
    gather,
    manifest_of,
    protocol_of,
    read_content,
    read_file,
)
from .derived import DerivedFigure, derive
from .envelope import open_envelope, sign_statement, subjects
from .keys import canonical_pem, fingerprint, load_private_key, load_public_key, public_pem
from .predictions import read_predictions
from .record import Attachments, Evidence
from .review import Review, add_review, read_reviews

SUFFIX = ".leadwire-evidence.zip"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle just written. `digest` is the SHA-256 of the file, `signer` the key's fingerprint."""

    path: Path
    digest: str
    report: Path
    document: Path
    signer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """A bundle in which every byte is vouched for by `signer` and every figure that can be derived again agrees.

    `digest` is the SHA-256 of the bundle, `files` those of its files. `authenticated` is False where no trusted key was
    given: then anybody may have made it, and `trust` says so. `verdict` and `reasons` are the evidence's own: a bundle
    of a failed validation verifies like any other. `invocation` is the hash of the run's line in the issuer's audit
    log, empty where none was kept. `derived` are the statistics that were derived again, where that was asked for.
    """

    path: Path
    digest: str
    files: tuple[tuple[str, str], ...]
    signer: str
    authenticated: bool
    trust: str
    name: str
    board_id: str
    verdict: Verdict
    reasons: tuple[str, ...]
    stamps: tuple[str, ...]
    reviews: tuple[Review, ...]
    invocation: str
    derived: tuple[DerivedFigure, ...] = ()


def write_bundle(
    evidence: Evidence,
    attachments: Attachments,
    report: bytes,
    *,
    printed: bytes,
    out: Path,
    key: Path | None,
    invocation: str = "",
) -> Bundle:
    """Write report.html, report.pdf (`printed`), evidence.json and the bundle into the folder `out`.

    `key` is a private key in PEM, None: the one in the environment (see `keys`); `invocation` the hash of the run's
    line in the audit log. EvidenceError (8) where the records do not join or a file is not the one they name;
    BadInputError (2) for a name, key or folder that cannot be used.
    """
    if not _NAME.fullmatch(evidence.name):
        raise BadInputError(f"'{evidence.name}' cannot be part of a file name", hint="use letters, digits, '-' and '_'")
    private_key = load_private_key(key)
    pem = public_pem(private_key)
    files = gather(evidence, attachments, {REPORT: report, PRINTED: printed})
    check_content(evidence, files, source=evidence.name)
    files[MANIFEST] = manifest_of(files)
    files[SIGNER] = pem
    digests = digests_of(files)
    files[ENVELOPE] = sign_statement(statement.make_statement(evidence, digests), private_key)
    files[PROVENANCE] = sign_statement(provenance.make_provenance(evidence, digests, invocation), private_key)
    data = _packed(files, evidence.name)
    path = out / f"{evidence.name}{SUFFIX}"
    for name in (REPORT, PRINTED, DOCUMENT):
        _write(out / name, files[name])
    _write(path, data)
    return Bundle(
        path=path, digest=sha256_hex(data), report=out / REPORT, document=out / DOCUMENT, signer=fingerprint(pem)
    )


def sign_bundle(
    path: Path,
    key: Path | None,
    *,
    name: str,
    meaning: str,
    signed_on: datetime,
    public_key: Path | None = None,
    out: Path | None = None,
) -> VerifiedBundle:
    """Add a person's signature to a bundle, which is verified first; written over it, or to `out`.

    `signed_on` is in UTC. Errors of `verify_bundle` and `review.add_review`.
    """
    verify_bundle(path, public_key)
    files = unpack(read_file(path, "evidence bundle"), source=path)
    target = out or path
    _write(
        target,
        _packed(add_review(files, load_private_key(key), name=name, meaning=meaning, signed_on=signed_on), str(path)),
    )
    return verify_bundle(target, public_key)


def verify_bundle(
    path: Path, public_key: Path | None = None, *, reviewers: tuple[Path, ...] = (), recompute: bool = False
) -> VerifiedBundle:
    """Check a bundle from outside; `public_key` is the PEM file of a signer whom the reader trusts, `reviewers` those
    of persons who must have signed. With `recompute` every statistic is derived again (see `derived`), not only counts,
    endpoints and verdicts.

    EvidenceError (8) for any changed, missing or added byte, another signer, or figures and verdicts that do not follow
    from predictions and protocol. FileMissingError or BadInputError (2) where bundle or key cannot be read at all.
    """
    trusted = load_public_key(public_key) if public_key else None
    trusted_reviewers = tuple(map(load_public_key, reviewers))
    data = read_file(path, "evidence bundle")
    files = unpack(data, source=path)
    missing = sorted({*CONTENT, MANIFEST, SIGNER, ENVELOPE, PROVENANCE} - files.keys())
    if missing:
        raise EvidenceError(path, f"{', '.join(missing)} missing" + (" (not signed)" if ENVELOPE in missing else ""))
    try:
        pem = canonical_pem(files[SIGNER], SIGNER)
    except LeadwireError as error:
        raise EvidenceError(path, error.message) from error
    if trusted is not None and pem != trusted:
        raise EvidenceError(
            path,
            f"signed by key {fingerprint(pem)}, not by the trusted key {fingerprint(trusted)}",
            hint="ask the issuer which key they sign with; do not take it from the bundle",
        )
    evidence, invocation = _check_signed(files, pem, source=path)
    return VerifiedBundle(
        path=path,
        digest=sha256_hex(data),
        files=tuple(sorted(digests_of(files).items())),
        signer=fingerprint(pem),
        authenticated=trusted is not None,
        trust=_trust(fingerprint(pem), authenticated=trusted is not None),
        name=evidence.name,
        board_id=evidence.board.id,
        verdict=evidence.verdict,
        reasons=evidence.reasons,
        stamps=tuple(stamp.word for stamp in evidence.stamps),
        reviews=read_reviews(files, trusted_reviewers, source=path),
        invocation=invocation,
        derived=_derive(evidence, files, source=path) if recompute else (),
    )


def _trust(signer: str, *, authenticated: bool) -> str:
    if authenticated:
        return f"signed by the trusted key {signer}"
    return (
        f"unaltered since it was signed by key {signer}, which came with the bundle: "
        "the signer is NOT authenticated; compare the fingerprint with the issuer's, or give their public key"
    )


def _check_signed(files: Mapping[str, bytes], pem: bytes, *, source: Path) -> tuple[Evidence, str]:
    """The evidence of a bundle whose statements name exactly its files and say what the evidence says; and the run."""
    signed = {**content_of(files), MANIFEST: files[MANIFEST], SIGNER: files[SIGNER]}
    result = open_envelope(files[ENVELOPE], pem, statement.PREDICATE_TYPE, source=source)
    made = open_envelope(files[PROVENANCE], pem, provenance.PREDICATE_TYPE, source=source)
    named, digests = subjects(result), digests_of(signed)
    for name in sorted(named.keys() | digests.keys()):
        if name not in digests:
            raise EvidenceError(source, f"'{name}' is signed for and missing")
        if name not in named:
            raise EvidenceError(source, f"'{name}' is not signed for")
        if named[name] != digests[name]:
            raise EvidenceError(source, f"'{name}' was changed: SHA-256 {digests[name]}, signed for {named[name]}")
    evidence = read_content(files, source=source)
    if statement.make_statement(evidence, digests) != result:
        raise EvidenceError(source, "the signed statement says something else than evidence.json")
    invocation = provenance.invocation_of(made)
    if provenance.make_provenance(evidence, digests, invocation) != made:
        raise EvidenceError(source, "the signed provenance says something else than evidence.json")
    return evidence, invocation


def _derive(evidence: Evidence, files: Mapping[str, bytes], *, source: Path) -> tuple[DerivedFigure, ...]:
    """All statistics, each as stated; EvidenceError (8) where one is another when derived again."""
    validation = evidence.validation
    table = read_predictions(files[PREDICTIONS], validation.labels, source=source)
    figures = derive(validation, protocol_of(files[PROTOCOL], source), table)
    if wrong := [figure for figure in figures if not figure.agrees]:
        said = "; ".join("{0} is {2}, not {1}".format(one.what, *one.texts) for one in wrong[:4])
        raise EvidenceError(source, f"{len(wrong)} of {len(figures)} statistics do not follow: {said}")
    return figures


def _packed(files: Mapping[str, bytes], name: str) -> bytes:
    try:
        return pack(files)
    except ValueError as error:
        raise BadInputError(f"evidence '{name}' cannot be bundled: {error}") from error


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise BadInputError(f"'{path}' cannot be written: {error.strerror}") from error

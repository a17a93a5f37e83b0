"""The signed bundle `<name>.leadwire-evidence.zip`: write it, and verify one that came from outside.

report.html  report.pdf  evidence.json  evidence.schema.json     what was found, for people and for programs
model.tflite  firmware.elf  protocol.toml  calibration.csv  predictions.csv     what it was found with
manifest.sha256     digests of the files above, as `sha256sum --check` reads them
signer.pem  statement.dsse.json     who vouches for every file here (see `statement`)
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import Verdict, sha256_hex
from leadwire.errors import BadInputError, ConfigError, EvidenceError, FileMissingError, LeadwireError
from leadwire.protocols import Protocol, load_protocol
from leadwire.workspace import write_atomically

from .archive import MAX_BUNDLE_BYTES, pack, unpack
from .document import FIRMWARE_FILE, MODEL_FILE, read_document, schema_text, write_document
from .judgement import disagreements
from .keys import canonical_pem, fingerprint, load_private_key, load_public_key, public_pem
from .predictions import read_predictions, write_predictions
from .record import Attachments, Evidence, chain_breaks
from .statement import make_statement, open_envelope, sign_statement

SUFFIX = ".leadwire-evidence.zip"
REPORT, PRINTED, DOCUMENT, SCHEMA = "report.html", "report.pdf", "evidence.json", "evidence.schema.json"
PROTOCOL, CALIBRATION, PREDICTIONS = "protocol.toml", "calibration.csv", "predictions.csv"
MANIFEST, SIGNER, ENVELOPE = "manifest.sha256", "signer.pem", "statement.dsse.json"
CONTENT = (REPORT, PRINTED, DOCUMENT, SCHEMA, MODEL_FILE, FIRMWARE_FILE, PROTOCOL, CALIBRATION, PREDICTIONS)
_LISTED = 8
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
    of a failed validation verifies like any other.
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


def write_bundle(
    evidence: Evidence, attachments: Attachments, report: bytes, *, printed: bytes, out: Path, key: Path
) -> Bundle:
    """Write report.html, report.pdf (`printed`), evidence.json and the bundle into the folder `out`; `key` is a private
    key in PEM.

    EvidenceError (8) where the records do not join or a file is not the one they name; BadInputError (2) for a name,
    key or folder that cannot be used.
    """
    if not _NAME.fullmatch(evidence.name):
        raise BadInputError(f"'{evidence.name}' cannot be part of a file name", hint="use letters, digits, '-' and '_'")
    private_key = load_private_key(key)
    pem = public_pem(private_key)
    files = {
        REPORT: report,
        PRINTED: printed,
        DOCUMENT: write_document(evidence),
        SCHEMA: schema_text().encode(),
        MODEL_FILE: _read(evidence.quantized.path, "model"),
        FIRMWARE_FILE: _read(evidence.image.elf, "firmware image"),
        PROTOCOL: _read(attachments.protocol, "protocol"),
        CALIBRATION: _calibration(evidence),
        PREDICTIONS: write_predictions(attachments, evidence.validation.labels),
    }
    _check_content(evidence, files, source=evidence.name)
    files[MANIFEST] = _manifest(files)
    files[SIGNER] = pem
    files[ENVELOPE] = sign_statement(make_statement(evidence, _digests(files)), private_key)
    try:
        data = pack(files)
    except ValueError as error:
        raise BadInputError(f"evidence '{evidence.name}' cannot be bundled: {error}") from error
    path = out / f"{evidence.name}{SUFFIX}"
    for name in (REPORT, PRINTED, DOCUMENT):
        _write(out / name, files[name])
    _write(path, data)
    return Bundle(
        path=path, digest=sha256_hex(data), report=out / REPORT, document=out / DOCUMENT, signer=fingerprint(pem)
    )


def verify_bundle(path: Path, public_key: Path | None = None) -> VerifiedBundle:
    """Check a bundle from outside; `public_key` is the PEM file of a signer whom the reader trusts.

    EvidenceError (8) for any changed, missing or added byte, another signer, or figures and verdicts that do not follow
    from predictions and protocol. FileMissingError or BadInputError (2) where bundle or key cannot be read at all.
    """
    trusted = load_public_key(public_key) if public_key else None
    data = _read(path, "evidence bundle")
    files = unpack(data, source=path)
    missing = sorted({*CONTENT, MANIFEST, SIGNER, ENVELOPE} - files.keys())
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
    statement = open_envelope(files[ENVELOPE], pem, source=path)
    evidence = _check_signed(statement, files, source=path)
    return VerifiedBundle(
        path=path,
        digest=sha256_hex(data),
        files=tuple(sorted(_digests(files).items())),
        signer=fingerprint(pem),
        authenticated=trusted is not None,
        trust=_trust(fingerprint(pem), authenticated=trusted is not None),
        name=evidence.name,
        board_id=evidence.board.id,
        verdict=evidence.verdict,
        reasons=evidence.reasons,
        stamps=tuple(stamp.word for stamp in evidence.stamps),
    )


def _trust(signer: str, *, authenticated: bool) -> str:
    if authenticated:
        return f"signed by the trusted key {signer}"
    return (
        f"unaltered since it was signed by key {signer}, which came with the bundle: "
        "the signer is NOT authenticated; compare the fingerprint with the issuer's, or give their public key"
    )


def _check_signed(statement: Mapping[str, object], files: Mapping[str, bytes], *, source: Path) -> Evidence:
    """The evidence of a bundle whose statement names exactly its files and says what the evidence says."""
    signed = {name: data for name, data in files.items() if name != ENVELOPE}
    named = _subjects(statement.get("subject"))
    for name in sorted(named.keys() | signed.keys()):
        if name not in signed:
            raise EvidenceError(source, f"'{name}' is signed for and missing")
        if name not in named:
            raise EvidenceError(source, f"'{name}' is not signed for")
        if named[name] != sha256_hex(signed[name]):
            found = sha256_hex(signed[name])
            raise EvidenceError(source, f"'{name}' was changed: SHA-256 {found}, signed for {named[name]}")
    if signed[MANIFEST] != _manifest({name: signed[name] for name in CONTENT}):
        raise EvidenceError(source, f"'{MANIFEST}' does not list the files of the bundle")
    evidence = read_document(files[DOCUMENT], source=source)
    _check_content(evidence, files, source=source)
    if make_statement(evidence, _digests(signed)) != statement:
        raise EvidenceError(source, "the signed statement says something else than evidence.json")
    return evidence


def _subjects(value: object) -> dict[str, str]:
    """SHA-256 by name; anything that is not a list of subjects vouches for nothing."""
    try:
        return {str(item["name"]): str(item["digest"]["sha256"]) for item in value} if isinstance(value, list) else {}
    except (TypeError, LookupError):
        return {}


def _check_content(evidence: Evidence, files: Mapping[str, bytes], *, source: Path | str) -> None:
    """The evidence chain joins, the files are the ones it names, figures and verdicts follow from them."""
    named = (
        (MODEL_FILE, evidence.quantized.digest),
        (FIRMWARE_FILE, evidence.image.digest),
        (PROTOCOL, evidence.validation.protocol_digest),
    )
    wrong = list(chain_breaks(evidence))
    wrong += [
        f"'{name}' is not the file the records name" for name, digest in named if sha256_hex(files[name]) != digest
    ]
    if files[CALIBRATION] != _calibration(evidence):
        wrong.append(f"'{CALIBRATION}' is not the calibration set of the model")
    if not wrong:
        table = read_predictions(files[PREDICTIONS], evidence.validation.labels, source=source)
        wrong += disagreements(evidence.validation, _protocol(files[PROTOCOL], source), table)
    if wrong:
        more = f"; and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise EvidenceError(
            source, "; ".join(wrong[:_LISTED]) + more, hint="run again from the first stage that differs"
        )


def _protocol(data: bytes, source: Path | str) -> Protocol:
    """The protocol of a bundle, by the parser that read it before the run."""
    with tempfile.TemporaryDirectory(prefix="leadwire-") as folder:
        path = Path(folder) / PROTOCOL
        path.write_bytes(data)
        try:
            return load_protocol(path)
        except ConfigError as error:
            raise EvidenceError(source, f"'{PROTOCOL}' is no protocol: {'; '.join(error.mistakes)}") from error


def _calibration(evidence: Evidence) -> bytes:
    lines = (f"{position},{index}\n" for position, index in enumerate(evidence.quantized.calibration.indices))
    return "".join(["position,index\n", *lines]).encode()


def _manifest(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{sha256_hex(files[name])}  {name}\n" for name in sorted(files)).encode()


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256_hex(data) for name, data in files.items()}


def _read(path: Path, role: str) -> bytes:
    if not path.is_file():
        raise FileMissingError(path, role=role)
    if path.stat().st_size > MAX_BUNDLE_BYTES:
        raise BadInputError(f"{role} '{path}' is larger than {MAX_BUNDLE_BYTES} bytes")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{role} '{path}' cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise BadInputError(f"'{path}' cannot be written: {error.strerror}") from error

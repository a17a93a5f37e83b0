"""The record of a qualification: qualification.json for programs, qualification.html for people, and a signed statement
over both (in-toto test-result in a DSSE envelope, as evidence bundles carry it)."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from leadwire import __version__
from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError, EvidenceError, FileMissingError
from leadwire.evidence.envelope import open_envelope, sign_statement, statement_of, subjects
from leadwire.evidence.keys import canonical_pem, fingerprint, load_private_key, load_public_key, public_pem
from leadwire.evidence.statement import PREDICATE_TYPE
from leadwire.report.templates import render_plain
from leadwire.workspace import write_atomically

from .check import FOLDER, CheckResult

DOCUMENT, PAGE, SIGNER, ENVELOPE = (
    "qualification.json",
    "qualification.html",
    "qualification.pem",
    "qualification.dsse.json",
)
_LARGEST = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class QualificationRecord:
    """`performed` is an ISO 8601 time (UTC), `by` the person who answers for it, `host` the machine's name."""

    format: Literal["leadwire-qualification/1"] = "leadwire-qualification/1"
    leadwire_version: str
    performed: str
    by: str
    host: str
    platform: str
    checks: tuple[CheckResult, ...]

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        return "fail" if not self.checks or any(check.result == "fail" for check in self.checks) else "pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRecord:
    record: QualificationRecord
    document: Path
    page: Path
    envelope: Path
    signer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """A record whose files are those that were signed for. `authenticated` False: by a key that came with it."""

    verdict: str
    performed: str
    by: str
    host: str
    leadwire_version: str
    failed: tuple[str, ...]
    signer: str
    authenticated: bool


def make_record(checks: Sequence[CheckResult], *, by: str, performed: str) -> QualificationRecord:
    return QualificationRecord(
        leadwire_version=__version__,
        performed=performed,
        by=by,
        host=platform.node(),
        platform=f"{platform.system()} {platform.release()}, {platform.machine()}, Python {platform.python_version()}",
        checks=tuple(checks),
    )


def write_record(record: QualificationRecord, out: Path, key: Path) -> WrittenRecord:
    """The files of the record in the folder `out`, signed with the private key in the file `key`.

    BadInputError (2) where key or folder cannot be used.
    """
    private = load_private_key(key)
    pem = public_pem(private)
    files = {
        DOCUMENT: _document(record),
        PAGE: render_plain(FOLDER / "record.html.j2", record=record, signer=fingerprint(pem)),
        SIGNER: pem,
    }
    files[ENVELOPE] = sign_statement(
        _statement(record, {name: sha256_hex(data) for name, data in files.items()}), private
    )
    try:
        for name, data in files.items():
            write_atomically(out / name, data)
    except OSError as error:
        raise BadInputError(f"'{out}' cannot be written: {error.strerror}", hint="choose another --output") from error
    return WrittenRecord(
        record=record, document=out / DOCUMENT, page=out / PAGE, envelope=out / ENVELOPE, signer=fingerprint(pem)
    )


def read_record(folder: Path, public_key: Path | None = None) -> ReadRecord:
    """Check a record: signature, the digests of its files, and that the statement says what the document says.

    EvidenceError (8) where any of them differs; FileMissingError (2) where a file is missing.
    """
    files = {name: _read(folder / name) for name in (DOCUMENT, PAGE, SIGNER, ENVELOPE)}
    trusted = load_public_key(public_key) if public_key else None
    pem = canonical_pem(files[SIGNER], SIGNER)
    if trusted is not None and pem != trusted:
        raise EvidenceError(folder, f"signed by key {fingerprint(pem)}, not by the trusted key {fingerprint(trusted)}")
    statement = open_envelope(files[ENVELOPE], pem, PREDICATE_TYPE, source=folder)
    stated = subjects(statement)
    for name in (DOCUMENT, PAGE, SIGNER):
        if stated.get(name) != sha256_hex(files[name]):
            raise EvidenceError(folder, f"'{name}' is not the file that was signed for")
    try:
        document = json.loads(files[DOCUMENT])
        results = {check["id"]: check["result"] for check in document["checks"]}
        failed = tuple(name for name, result in results.items() if result == "fail")
        read = ReadRecord(
            verdict="fail" if failed or not results else "pass",
            performed=str(document["performed"]),
            by=str(document["by"]),
            host=str(document["host"]),
            leadwire_version=str(document["leadwire_version"]),
            failed=failed,
            signer=fingerprint(pem),
            authenticated=trusted is not None,
        )
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise EvidenceError(folder, f"'{DOCUMENT}' is no qualification record") from error
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict) or tuple(predicate.get("failedTests") or ()) != failed:
        raise EvidenceError(folder, "the signed statement says something else than the record")
    return read


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileMissingError(path, role="qualification record")
    if path.stat().st_size > _LARGEST:
        raise BadInputError(f"'{path}' is larger than {_LARGEST} bytes")
    return path.read_bytes()


def _document(record: QualificationRecord) -> bytes:
    body = {
        "format": record.format,
        "leadwire_version": record.leadwire_version,
        "performed": record.performed,
        "by": record.by,
        "host": record.host,
        "platform": record.platform,
        "verdict": record.verdict,
        "checks": [
            {
                "id": check.id,
                "kind": check.kind,
                "title": check.title,
                "requirements": list(check.requirements),
                "result": check.result,
                "findings": [
                    {"what": one.what, "expected": one.expected, "found": one.found, "result": one.result}
                    for one in check.findings
                ],
            }
            for check in record.checks
        ],
    }
    return (json.dumps(body, indent=1, ensure_ascii=True) + "\n").encode()


def _statement(record: QualificationRecord, digests: dict[str, str]) -> dict[str, Any]:
    predicate = {
        "result": "PASSED" if record.verdict == "pass" else "FAILED",
        "configuration": [],
        "passedTests": [check.id for check in record.checks if check.result == "pass"],
        "warnedTests": [check.id for check in record.checks if check.result == "note"],
        "failedTests": [check.id for check in record.checks if check.result == "fail"],
    }
    return statement_of(PREDICATE_TYPE, predicate, digests)

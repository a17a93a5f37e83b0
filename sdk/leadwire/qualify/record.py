"""The record of a qualification: qualification.json for programs, qualification.html for people, and a signed statement
over both (in-toto test-result in a DSSE envelope, as evidence bundles carry it)."""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Mapping, Sequence
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
Verdict = Literal["pass", "partial", "fail"]
"""partial: what ran passed, and some checks of this leadwire were not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualificationRecord:
    """`performed` is an ISO 8601 time (UTC), `by` the person who answers for it, `host` the machine's name.

    `not_run` are the ids of the checks that were left out."""

    format: Literal["leadwire-qualification/1"] = "leadwire-qualification/1"
    leadwire_version: str
    performed: str
    by: str
    host: str
    platform: str
    checks: tuple[CheckResult, ...]
    not_run: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        return _verdict([check.result for check in self.checks], self.not_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRecord:
    record: QualificationRecord
    document: Path
    page: Path
    envelope: Path
    signer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """A record whose files are those that were signed for. `authenticated` False: by a key that came with it.

    `ran` and `not_run` are ids of checks, `failed` those of `ran` that did."""

    verdict: Verdict
    performed: str
    by: str
    host: str
    leadwire_version: str
    ran: tuple[str, ...]
    not_run: tuple[str, ...]
    failed: tuple[str, ...]
    signer: str
    authenticated: bool


def make_record(
    checks: Sequence[CheckResult], *, by: str, performed: str, not_run: Sequence[str] = ()
) -> QualificationRecord:
    return QualificationRecord(
        leadwire_version=__version__,
        performed=performed,
        by=by,
        host=platform.node(),
        platform=f"{platform.system()} {platform.release()}, {platform.machine()}, Python {platform.python_version()}",
        checks=tuple(checks),
        not_run=tuple(not_run),
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
        raise unwritable(out, error) from error
    return WrittenRecord(
        record=record, document=out / DOCUMENT, page=out / PAGE, envelope=out / ENVELOPE, signer=fingerprint(pem)
    )


def unwritable(out: Path, error: OSError) -> BadInputError:
    return BadInputError(f"'{out}' cannot be written: {error.strerror}", hint="choose another --output")


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
        results = {str(check["id"]): str(check["result"]) for check in document["checks"]}
        not_run = tuple(map(str, document["not_run"]))
        read = ReadRecord(
            verdict=_verdict(results.values(), not_run),
            performed=str(document["performed"]),
            by=str(document["by"]),
            host=str(document["host"]),
            leadwire_version=str(document["leadwire_version"]),
            ran=tuple(results),
            not_run=not_run,
            failed=_of("fail", results),
            signer=fingerprint(pem),
            authenticated=trusted is not None,
        )
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise EvidenceError(folder, f"'{DOCUMENT}' is no qualification record") from error
    if statement.get("predicate") != _predicate(results, read.verdict):
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
        "not_run": list(record.not_run),
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
    predicate = _predicate({check.id: check.result for check in record.checks}, record.verdict)
    return statement_of(PREDICATE_TYPE, predicate, digests)


def _predicate(results: Mapping[str, str], verdict: Verdict) -> dict[str, Any]:
    """in-toto's test-result: a partial record is a warning, for it is no pass. `results` by the check's id."""
    return {
        "result": {"pass": "PASSED", "partial": "WARNED", "fail": "FAILED"}[verdict],
        "configuration": [],
        "passedTests": list(_of("pass", results)),
        "warnedTests": list(_of("note", results)),
        "failedTests": list(_of("fail", results)),
    }


def _of(wanted: str, results: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name, result in results.items() if result == wanted)


def _verdict(results: Collection[str], not_run: Collection[str]) -> Verdict:
    """A record of nothing has failed."""
    if not results or "fail" in results:
        return "fail"
    return "partial" if not_run else "pass"

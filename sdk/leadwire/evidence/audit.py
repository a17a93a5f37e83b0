"""The audit log: an append-only, hash-chained record of runs, failed and interrupted ones included (21 CFR 11.10(e)).

One line of JSON for each event, in one form only. `previous` is the SHA-256 of the line before it (64 zeros in the
first), so a line that is edited, removed, moved or put in breaks the chain at the next one. The last line has no next
one: its digest stands in `audit.jsonl.head`. Who alters both is found out by what was handed out: a bundle's provenance
names the line of its run (`invocationId`), and any line before it through the chain. So a log can be rewritten unseen
only from the last run on whose bundle somebody else holds.

A line is written under a lock, whole and through to the disk. What a crash leaves of one stays in the file; the next
line says so (`torn`), with its SHA-256.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError, EvidenceError, FileMissingError
from leadwire.workspace import write_atomically

FILE = "audit.jsonl"
VARIABLE = "LEADWIRE_AUDIT_LOG"
FIRST = "0" * 64
MAX_BYTES = 256 << 20
_KEYS = {"event", "facts", "number", "previous", "time", "user"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `digest` is its SHA-256, which the next line names; `run` that of the line that opened its run."""

    number: int
    time: str
    user: str
    event: str
    run: str
    facts: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """A log whose chain is whole. `head` is the digest of its last line: whoever keeps it can tell later whether lines
    were taken from the end. `runs` are those of projects and rigs, and signatures. `torn` counts lines that a
    crash cut. `unfinished` are runs that began and have no end: killed, or still running."""

    path: Path
    entries: int
    runs: int
    failed: int
    torn: int
    unfinished: tuple[str, ...]
    head: str
    anchored: tuple[str, ...]


def log_path(folder: Path) -> Path:
    """Where runs into an output folder are recorded: LEADWIRE_AUDIT_LOG, or the folder's .leadwire/audit.jsonl."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).expanduser() if chosen else folder / ".leadwire" / FILE


def log_beside(path: Path) -> Path | None:
    """The log that what is done to a file is recorded in: LEADWIRE_AUDIT_LOG, or that of the file's own folder where
    leadwire works in it; None elsewhere."""
    chosen = log_path(path.parent)
    return chosen if os.environ.get(VARIABLE) or chosen.parent.is_dir() else None


def append(path: Path, event: str, facts: dict[str, Any]) -> str:
    """Add a line and return its digest; BadInputError (2) where the log cannot be written or its end is no line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _lock(descriptor)
            number, previous, torn = _end(descriptor, path)
            if torn:
                os.write(descriptor, b"\n")
                number, previous = _write(descriptor, number, previous, "torn", {"sha256": sha256_hex(torn)})
            digest = _write(descriptor, number, previous, event, facts)[1]
            write_atomically(_head_path(path), f"{digest}\n".encode())
            return digest
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BadInputError(
            f"the audit log '{path}' cannot be written: {error.strerror}",
            hint=f"a run is recorded or not done; set {VARIABLE} to a file that can be written",
        ) from error


def _head_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")


def _write(descriptor: int, number: int, previous: str, event: str, facts: dict[str, Any]) -> tuple[int, str]:
    line = _line(
        {
            "event": event,
            "facts": facts,
            "number": number,
            "previous": previous,
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "user": _user(),
        }
    )
    os.write(descriptor, line + b"\n")
    os.fsync(descriptor)
    return number + 1, sha256_hex(line)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode("ascii")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _lock(descriptor: int) -> None:
    """Until the file is closed, however the process ends."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _end(descriptor: int, path: Path) -> tuple[int, str, bytes]:
    """Number and predecessor of the next line, and what a crash left of the last one."""
    size = os.fstat(descriptor).st_size
    if size > MAX_BYTES:
        raise BadInputError(f"the audit log '{path}' is larger than {MAX_BYTES} bytes", hint="keep it, begin another")
    os.lseek(descriptor, 0, os.SEEK_SET)
    data = b""
    while chunk := os.read(descriptor, 1 << 20):
        data += chunk
    *lines, torn = data.split(b"\n")
    for line in reversed(lines):
        if (entry := _parsed(line)) is not None:
            return entry["number"] + 1, sha256_hex(line), torn
    if lines:
        raise BadInputError(f"'{path}' is no audit log", hint=f"set {VARIABLE} to another file")
    return 0, FIRST, torn


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line in the only form that `append` writes, None for any other bytes."""
    try:
        value = json.loads(line)
        known = isinstance(value, dict) and set(value) == _KEYS and _line(value) == line
    except (ValueError, TypeError, RecursionError):
        return None
    typed = known and isinstance(value["number"], int) and isinstance(value["facts"], dict)
    texts = known and all(isinstance(value[key], str) for key in ("event", "previous", "time", "user"))
    return dict(value) if typed and texts else None


def read_log(path: Path) -> Iterator[Entry]:
    """The entries of a log from the first on; EvidenceError (8) at the first line that breaks the chain."""
    if not path.is_file():
        raise FileMissingError(path, role="audit log")
    if path.stat().st_size > MAX_BYTES:
        raise BadInputError(f"audit log '{path}' is larger than {MAX_BYTES} bytes")
    *lines, rest = path.read_bytes().split(b"\n")
    previous, number, torn = FIRST, 0, b""
    for place, line in enumerate([*lines, *([rest] if rest else [])], start=1):
        entry = _parsed(line) if place <= len(lines) else None
        if entry is None:
            if torn:
                raise _broken(path, place - 1, "was altered")
            torn = line or b"\n"
            continue
        if torn and (entry["event"] != "torn" or entry["facts"].get("sha256") != sha256_hex(torn)):
            raise _broken(path, place - 1, "was altered")
        if (entry["number"], entry["previous"]) != (number, previous):
            found = f"entry {entry['number']} stands where entry {number} must"
            why = found if entry["number"] != number else "the line before it was altered"
            raise _broken(path, place, f"does not follow: {why}")
        torn, number, previous = b"", number + 1, sha256_hex(line)
        run = entry["facts"].get("run")
        yield Entry(
            number=entry["number"],
            time=entry["time"],
            user=entry["user"],
            event=entry["event"],
            run=run if isinstance(run, str) else previous if entry["event"] == "begin" else "",
            facts=entry["facts"],
            digest=previous,
        )
    if torn:
        raise _broken(path, len(lines) + bool(rest), "was cut or altered: by a crash, or by somebody")


def _broken(path: Path, place: int, what: str) -> EvidenceError:
    return EvidenceError(path, f"line {place} {what}", hint="compare with a copy; the lines before it are sound")


def verify_log(path: Path, anchors: tuple[tuple[str, str], ...] = (), head: str = "") -> AuditReport:
    """Check a log's chain and its end: that it holds the run of each bundle in `anchors` (name, hash of the run's
    line), the line `head` of an earlier look, and the line of its own head file. EvidenceError (8) otherwise.
    """
    entries = list(read_log(path))
    digests = [entry.digest for entry in entries]
    begun = {entry.digest for entry in entries if entry.event == "begin"}
    for name, run in anchors:
        if run not in begun:
            raise EvidenceError(
                path,
                f"the run that made '{name}' is not in it: lines at its end were taken or altered",
                hint="compare with a copy; where the bundle was made elsewhere, give the log of that folder",
            )
    kept = _head_path(path)
    last = kept.read_text(encoding="ascii", errors="replace").strip()[:64] if kept.is_file() else ""
    if not last and entries:
        raise EvidenceError(
            path,
            f"'{kept.name}' is missing beside it: its last line cannot be checked",
            hint="bring the file back from a copy of the log's folder",
        )
    for known in filter(None, (head, last)):
        if known not in digests:
            raise EvidenceError(
                path,
                f"it holds no line {known[:16]}: lines at its end were taken or altered",
                hint="compare with a copy; lines up to the run of a bundle that it still holds (--bundle) are sound",
            )
    if last and len(digests) - digests.index(last) > 2:
        raise EvidenceError(
            path,
            "lines were added after its head without leadwire",
            hint=f"compare with a copy; lines up to the head {last[:16]} are sound",
        )
    ended = {entry.run for entry in entries if entry.event in ("end", "fail", "interrupted")}
    open_ = [entry for entry in entries if entry.digest in begun - ended]
    return AuditReport(
        path=path,
        entries=len(entries),
        runs=len(begun),
        failed=sum(entry.event in ("fail", "interrupted") for entry in entries),
        torn=sum(entry.event == "torn" for entry in entries),
        unfinished=tuple(f"{one.time} {one.facts.get('project') or one.facts.get('verb', '')}" for one in open_),
        head=digests[-1] if digests else FIRST,
        anchored=tuple(name for name, _ in anchors),
    )

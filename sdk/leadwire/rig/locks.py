"""Locks of ports and probes between rig runs on one machine: gone as soon as nobody who holds them lives.

A lock is `flock` on a file in a folder that all users share. It belongs to the open file and is handed on to the
process that works on the board, so it is free when both have ended, however they ended. The text says who holds it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leadwire.errors import BadInputError

VARIABLE = "LEADWIRE_LOCKS"
_LONGEST_NOTE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Held:
    """`descriptor` keeps the lock; hand it on with `pass_fds`."""

    key: str
    descriptor: int

    def release(self) -> None:
        os.close(self.descriptor)


class TakenError(Exception):
    """Somebody else has the lock; `holder` says who, as far as the file tells."""

    def __init__(self, key: str, holder: str) -> None:
        super().__init__(f"{key} is held by {holder}")
        self.key = key
        self.holder = holder


def folder() -> Path:
    """Where the lock files lie: $LEADWIRE_LOCKS, or a folder for all users in the temporary folder."""
    path = Path(os.environ.get(VARIABLE) or Path(tempfile.gettempdir()) / "leadwire-locks")
    try:
        path.mkdir(mode=0o777, exist_ok=True)
        if path.stat().st_uid == os.getuid():
            path.chmod(0o1777)
    except OSError as error:
        raise BadInputError(
            f"the folder of locks '{path}' cannot be used: {error.strerror}", hint=f"set {VARIABLE} to another folder"
        ) from None
    return path


def take(keys: Sequence[str], owner: str) -> tuple[Held, ...]:
    """All of these locks or, with TakenError, none."""
    held: list[Held] = []
    try:
        for key in sorted(set(keys)):
            held.append(_take(key, owner))
    except BaseException:
        release(held)
        raise
    return tuple(held)


def release(held: Sequence[Held]) -> None:
    for one in held:
        one.release()


def holder(key: str) -> str:
    """Who holds this lock now, '' where nobody does. Asking does not take it from anybody."""
    try:
        release([_take(key, "")])
    except TakenError as error:
        return error.holder
    return ""


def _take(key: str, owner: str) -> Held:
    import fcntl

    path = folder() / _file_name(key)
    try:
        descriptor = _open(path)
    except OSError as error:
        raise BadInputError(
            f"lock file '{path}' cannot be opened: {error.strerror}",
            hint=f"remove it, or set {VARIABLE} to another folder",
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        note = _read(descriptor)
        os.close(descriptor)
        if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            raise BadInputError(f"lock file '{path}' cannot be locked: {error.strerror}") from None
        raise TakenError(key, note) from None
    if owner:
        note_bytes = json.dumps({"key": key, "owner": owner, "pid": os.getpid(), "since": int(time.time())}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note_bytes, 0)
        if os.fstat(descriptor).st_uid == os.getuid():
            os.fchmod(descriptor, 0o666)
    return Held(key, descriptor)


def _open(path: Path) -> int:
    """Opened first, made only where it is not: in a folder for all users, Linux lets nobody 'make' another's file."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT, 0o666)


def _file_name(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", key)[-80:] + "-" + hashlib.sha256(key.encode()).hexdigest()[:12]


def _read(descriptor: int) -> str:
    try:
        note = json.loads(os.pread(descriptor, _LONGEST_NOTE_BYTES, 0))
        since = time.strftime("%H:%M:%S", time.localtime(int(note["since"])))
        return f"{note['owner']} (process {int(note['pid'])}, since {since})"
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return "another program"

"""Freezing a protocol: writing its lock, and what a run finds of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import Amendment, ProtocolState
from leadwire.protocols import load_protocol, protocol_path
from leadwire.protocols.lock import Lock, frozen_anew, lock_path, lock_text, read_lock, state_of
from leadwire.workspace import file_digest, write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenProtocol:
    """A protocol and its lock file; `state` is 'frozen' after freezing."""

    name: str
    protocol: Path
    lock: Path
    digest: str
    state: str
    amendments: tuple[Amendment, ...]


def freeze_protocol(reference: str, reason: str = "") -> FrozenProtocol:
    """Write `<stem>.lock` beside a protocol file. ConfigError for a file with mistakes; BadInputError where another
    digest was frozen before and no reason is given."""
    path = protocol_path(reference)
    protocol, target = load_protocol(path), lock_path(path)
    lock = frozen_anew(protocol.name, protocol.digest, read_lock(target), reason)
    write_atomically(target, lock_text(lock).encode())
    return show_protocol(reference)


def show_protocol(reference: str) -> FrozenProtocol:
    """How a protocol file stands to its lock."""
    path = protocol_path(reference)
    protocol = load_protocol(path)
    state = state_of(protocol.digest, read_lock(lock_path(path)))
    return FrozenProtocol(
        name=protocol.name,
        protocol=path,
        lock=lock_path(path),
        digest=protocol.digest,
        state=state.state,
        amendments=state.amendments,
    )


def state_before_run(protocol: Path, output: Path) -> ProtocolState:
    """Frozen by its lock file; without one, by the first run into this output folder: that run freezes it there for the
    later ones, so that margins do not move between looks at the figures."""
    digest = file_digest(protocol)
    lock = read_lock(lock_path(protocol))
    if lock is not None:
        return state_of(digest, lock)
    kept = output / ".leadwire" / "protocol.lock"
    earlier = read_lock(kept)
    if earlier is None:
        write_atomically(kept, lock_text(Lock(name=protocol.stem[:48], digest=digest)).encode())
    elif earlier.digest != digest:
        return state_of(digest, earlier)
    return ProtocolState(state="unfrozen")

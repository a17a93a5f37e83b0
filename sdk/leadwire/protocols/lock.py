"""A protocol is frozen by a lock file beside it, `<stem>.lock`, that holds its digest: TOML, made by
`leadwire protocol freeze`.

Kept under version control, it shows that endpoints and margins were there before the figures. A changed protocol is
frozen again only with a reason, and what was frozen before stays in the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from leadwire.artifacts import Amendment, ProtocolState
from leadwire.errors import BadInputError
from leadwire.strict import load_toml

_HEADER = """\
# Made by `leadwire protocol freeze`; do not edit. A run against a protocol with another digest cannot pass.
"""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """`digest` is the SHA-256 of the protocol file's bytes, `amendments` what was frozen before it, oldest first."""

    name: Annotated[str, Field(max_length=48)]
    digest: Digest
    amendments: Annotated[tuple[Amendment, ...], Field(max_length=1000)] = ()


def lock_path(protocol: Path) -> Path:
    return protocol.with_suffix(".lock")


def read_lock(path: Path) -> Lock | None:
    """The lock of a file, None where there is no file; ConfigError with all its mistakes."""
    return load_toml(Lock, path, "lock of the protocol") if path.exists() else None


def lock_text(lock: Lock) -> str:
    lines = [_HEADER, f"name = {json.dumps(lock.name)}\n", f"digest = {json.dumps(lock.digest)}\n"]
    for one in lock.amendments:
        reason = json.dumps(one.reason, ensure_ascii=False)
        lines.append(f"\n[[amendments]]\ndigest = {json.dumps(one.digest)}\nreason = {reason}\n")
    return "".join(lines)


def frozen_anew(name: str, digest: str, old: Lock | None, reason: str) -> Lock:
    """The lock that freezes `digest`; BadInputError where another one was frozen and no reason is given."""
    if old is None or old.digest == digest:
        return Lock(name=name, digest=digest, amendments=() if old is None else old.amendments)
    if not reason.strip():
        raise BadInputError(
            f"protocol '{name}' was frozen with digest {old.digest[:16]} and has {digest[:16]} now",
            hint="take the change back, or say why the frozen protocol is amended: --reason '...'",
        )
    amended = Amendment(digest=old.digest, reason=" ".join(reason.split()))
    return Lock(name=name, digest=digest, amendments=(*old.amendments, amended))


def state_of(digest: str, lock: Lock | None) -> ProtocolState:
    """How a run with the protocol of `digest` stands to what was frozen."""
    if lock is None:
        return ProtocolState(state="unfrozen")
    state = ProtocolState(state="frozen", frozen_digest=lock.digest, amendments=lock.amendments)
    return (
        state
        if lock.digest == digest
        else ProtocolState(state="changed", frozen_digest=lock.digest, amendments=lock.amendments)
    )

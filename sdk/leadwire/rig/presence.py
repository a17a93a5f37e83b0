"""What of a rig is there: found, free, and the board that the rig file means. Nothing is written to any board."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from leadwire.emulator.qemu import qemu_version
from leadwire.errors import DeviceError, LeadwireError, WrongBoardError

from . import locks
from .file import Rig, RigBoard, canonical_port
from .identity import Identity, ask, check, locate

_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """`ready`: it is there, free, and nothing contradicts the rig file. `silent`: no bench firmware answers, so only
    the adapter was checked; the flash tool may know more. `absent`, `wrong`, `busy`: it cannot run now."""

    name: str
    board_id: str
    state: Literal["ready", "silent", "absent", "wrong", "busy"]
    port: str
    identity: Identity
    note: str = ""

    @property
    def usable(self) -> bool:
        return self.state in ("ready", "silent")


def look(rig: Rig, boards: tuple[RigBoard, ...]) -> tuple[Presence, ...]:
    """All boards, several at a time: a silent port takes two seconds."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return tuple(pool.map(_look, boards))


def _look(board: RigBoard) -> Presence:
    if not board.entry.plugged:
        return _startable(board)
    try:
        place = locate(board)
    except WrongBoardError as error:
        return _presence(board, "wrong", "", error.message)
    except LeadwireError as error:
        return _presence(board, "absent", "", error.message)
    for key in {*board.stable_keys(), f"port {canonical_port(place.port)}"}:
        if holder := locks.holder(key):
            return _presence(board, "busy", place.port, f"held by {holder}")
    try:
        info = ask(place.port, board.board.link.baud)
        identity = check(board, place, info)
    except WrongBoardError as error:
        return _presence(board, "wrong", place.port, error.message)
    except DeviceError as error:
        return _presence(board, "absent", place.port, error.message)
    if info is None:
        return _presence(board, "silent", place.port, "no bench firmware answers", identity)
    return _presence(board, "ready", place.port, f"runs {info.firmware_version}, {info.model_name}", identity)


def _startable(board: RigBoard) -> Presence:
    """An emulated board that the rig run starts itself."""
    emulation = board.board.emulation
    if emulation is not None and emulation.engine == "qemu":
        try:
            return _presence(board, "ready", "", f"started when needed, QEMU {qemu_version()}")
        except LeadwireError as error:
            return _presence(board, "absent", "", error.message)
    return _presence(board, "ready", "", "started when needed, built-in emulator")


def _presence(
    board: RigBoard,
    state: Literal["ready", "silent", "absent", "wrong", "busy"],
    port: str,
    note: str,
    identity: Identity | None = None,
) -> Presence:
    return Presence(
        name=board.name,
        board_id=board.board.id,
        state=state,
        port=port,
        identity=identity or Identity(port=port),
        note=note,
    )

"""`leadwire rig enroll`: who is plugged in, as entries for a rig file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from leadwire.board import Board, list_boards, load_board
from leadwire.device.port import usb_ports
from leadwire.errors import BadInputError, ConfigError, PortError
from leadwire.workspace import write_atomically

from .file import canonical_port, load_rig
from .identity import Identity, Place, ask, identity_of

_BAUD = 115_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """`entry` is the text for a rig file; `candidates` are boards with this USB id where nothing says which it is."""

    name: str
    board_id: str
    identity: Identity
    candidates: tuple[str, ...]
    entry: str
    note: str = ""


def look_around(*, port: str = "", board: str = "", name: str = "") -> tuple[Enrolled, ...]:
    """The boards on all USB serial ports, or the one on `port`, each asked who it is. `board` says which kind it is,
    `name` what it is called; BadInputError where they would hold for several, PortError where `port` does not open, or
    nothing says which board is behind it."""
    known = {canonical_port(one.device): one for one in usb_ports()}
    if port:
        places = [Place(port=port, adapter=known.get(canonical_port(port)))]
    else:
        places = [Place(port=one.device, adapter=one) for one in known.values()]
    if (board or name) and len(places) > 1:
        raise BadInputError(
            f"{len(places)} boards are plugged in: --board and --name are for one",
            hint=f"add --port, one of {', '.join(place.port for place in places)}",
        )
    chosen = load_board(board) if board else None
    found = tuple(_enrolled(place, chosen, name, named=bool(port)) for place in places)
    if port and not found[0].board_id:
        raise PortError(
            port,
            "no bench firmware answers that says which board this is",
            hint=f"say it with --board ({', '.join(found[0].candidates) or 'leadwire boards lists them'}), or flash it "
            "first: 'leadwire flash MODEL.tflite'",
        )
    return found


def _enrolled(place: Place, chosen: Board | None, name: str, *, named: bool) -> Enrolled:
    note = ""
    try:
        info = ask(place.port, chosen.link.baud if chosen else _BAUD)
    except PortError as error:
        if named:
            raise
        info, note = None, error.message
    identity = identity_of(place, info)
    candidates = () if chosen or info else _by_usb_id(place)
    board_id = chosen.id if chosen else info.board_id if info else candidates[0] if len(candidates) == 1 else ""
    if info is None and not note:
        note = "no bench firmware answers: unique_id is not known; flash it once and enrol it again"
    called = name or _name(board_id or "board", identity)
    return Enrolled(
        name=called,
        board_id=board_id,
        identity=replace(identity, board_id=identity.board_id or board_id),
        candidates=candidates,
        entry=_entry(called, board_id, candidates, identity),
        note=note,
    )


def _by_usb_id(place: Place) -> tuple[str, ...]:
    """Boards whose file has the adapter's USB vendor and product id."""
    adapter = place.adapter
    if adapter is None:
        return ()
    wanted = (adapter.vendor_id, adapter.product_id)
    boards = (load_board(id_) for id_ in list_boards())
    return tuple(board.id for board in boards if any((usb.vid, usb.pid) == wanted for usb in board.usb))


def _name(board_id: str, identity: Identity) -> str:
    mark = (identity.unique_id or identity.usb_serial or identity.usb_location)[-6:].lower()
    return f"{board_id}-{''.join(c for c in mark if c.isalnum())}".rstrip("-")


def _entry(name: str, board_id: str, candidates: tuple[str, ...], identity: Identity) -> str:
    lines = ["[[board]]", f"name = {json.dumps(name)}"]
    if board_id:
        lines.append(f"board = {json.dumps(board_id)}")
    else:
        lines.append(f'board = ""               # one of: {", ".join(candidates) or "leadwire boards"}')
    fields = {"usb_serial": identity.usb_serial, "usb_location": identity.usb_location}
    if not any(fields.values()):
        fields = {"port": identity.port}
    fields["unique_id"] = identity.unique_id
    lines += [f"{key} = {json.dumps(value)}" for key, value in fields.items() if value]
    return "\n".join(lines) + "\n"


def write_entries(path: Path, found: tuple[Enrolled, ...]) -> tuple[str, ...]:
    """Append the entries to a rig file, or begin one. Names written; ConfigError, with the file as it was, where the
    whole would hold a mistake (a board that is in it already is one)."""
    unclear = [one for one in found if not one.board_id]
    if unclear:
        raise BadInputError(
            f"what kind of board is on '{unclear[0].identity.port}' is not known", hint="add --port and --board"
        )
    if not found:
        raise BadInputError("nothing is plugged in that could be enrolled", hint="name its port with --port")
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    text = before + ("\n" if before else "") + "\n".join(one.entry for one in found)
    trial = path.with_name(f".{path.name}.trial.toml")
    write_atomically(trial, text.encode())
    try:
        load_rig(trial)
    except ConfigError as error:
        raise ConfigError(path, error.mistakes, hint="it was left as it was; give the board another --name") from None
    finally:
        trial.unlink(missing_ok=True)
    write_atomically(path, text.encode())
    return tuple(one.name for one in found)

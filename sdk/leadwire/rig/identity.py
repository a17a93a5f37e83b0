"""The identity lock: is what is plugged in there the board that the rig file means? Asked before anything is written.

Two witnesses: the USB adapter (serial number, location), which the operating system tells, and the bench firmware that
may already run, which tells board and unique id. What the flash tool itself can read (a debug probe, a ROM boot loader)
is checked by `flash_image` in addition, also before writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import DeviceInfo
from leadwire.device.client import DeviceClient
from leadwire.device.port import UsbPort, usb_ports
from leadwire.errors import DeviceError, PortError, WrongBoardError

from .file import RigBoard, canonical_port

ASK_SECONDS = 1.5
"""How long firmware is given to say who it is: there may be none, or another."""
_ASK_ATTEMPTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a board is plugged in; `adapter` None where its port is no USB one."""

    port: str
    adapter: UsbPort | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What is known of a board; '' where nothing tells. Digests and build are those of the firmware that answered."""

    port: str = ""
    usb_serial: str = ""
    usb_location: str = ""
    probe_serial: str = ""
    board_id: str = ""
    unique_id: str = ""
    firmware_version: str = ""
    build_id: str = ""
    model_digest: str = ""


def locate(board: RigBoard) -> Place:
    """Where the board is plugged in. PortError where it is not, WrongBoardError where its adapter is another one."""
    entry = board.entry
    if "://" in entry.port:
        return Place(port=entry.port)
    plugged = usb_ports()
    if entry.port:
        adapter = next((one for one in plugged if canonical_port(one.device) == canonical_port(entry.port)), None)
        if not Path(entry.port).exists() and not entry.port.startswith("COM"):
            raise PortError(entry.port, f"is not there; rig board '{entry.name}' is not plugged in or not powered")
        if entry.usb_serial and (adapter is None or adapter.serial != entry.usb_serial):
            found = adapter.serial if adapter else ""
            raise WrongBoardError(entry.port, "usb_serial", found, entry.usb_serial, name=entry.name)
        if entry.usb_location and (adapter is None or not _is_at(adapter, entry.usb_location)):
            found = adapter.location if adapter else ""
            raise WrongBoardError(entry.port, "usb_location", found, entry.usb_location, name=entry.name)
        return Place(port=entry.port, adapter=adapter)
    return _by_adapter(board, plugged)


def _by_adapter(board: RigBoard, plugged: tuple[UsbPort, ...]) -> Place:
    entry = board.entry
    by_serial = [one for one in plugged if not entry.usb_serial or one.serial == entry.usb_serial]
    found = [one for one in by_serial if not entry.usb_location or _is_at(one, entry.usb_location)]
    wanted = " at ".join(part for part in (entry.usb_serial, entry.usb_location) if part)
    if len(found) == 1:
        return Place(port=found[0].device, adapter=found[0])
    if found:
        raise PortError(
            f"USB {wanted}",
            f"has {len(found)} serial ports: {', '.join(one.device for one in found)}",
            hint=f"give usb_location of one of them ({', '.join(one.location for one in found)})",
        )
    if entry.usb_serial and entry.usb_location:
        there = next((one for one in plugged if _is_at(one, entry.usb_location)), None)
        if there is not None:
            raise WrongBoardError(there.device, "usb_serial", there.serial, entry.usb_serial, name=entry.name)
        if by_serial:
            other = by_serial[0]
            raise WrongBoardError(other.device, "usb_location", other.location, entry.usb_location, name=entry.name)
    present = ", ".join(f"{one.serial or '?'} at {one.location or '?'}" for one in plugged) or "none"
    raise PortError(
        f"USB {wanted}", f"rig board '{entry.name}' is not plugged in", hint=f"USB serial ports here: {present}"
    )


def _is_at(adapter: UsbPort, location: str) -> bool:
    """'1-1.4' is the device plugged in there, '1-1.4:1.2' one of its interfaces."""
    return location in (adapter.location, adapter.location.partition(":")[0])


def ask(port: str, baud: int) -> DeviceInfo | None:
    """What the bench firmware on a port says of itself, None where none answers; PortError where it does not open."""
    try:
        with DeviceClient(port, baud, timeout_s=ASK_SECONDS, attempts=_ASK_ATTEMPTS) as client:
            return client.describe()
    except PortError:
        raise
    except DeviceError:
        return None


def check(board: RigBoard, place: Place, info: DeviceInfo | None) -> Identity:
    """Who is there. WrongBoardError where the firmware that answers gives another unique id than the entry's; without
    one in the rig file, where it was built for another kind of board."""
    entry = board.entry
    if info is not None:
        if entry.unique_id and info.unique_id != entry.unique_id.lower():
            raise WrongBoardError(place.port, "unique id", info.unique_id, entry.unique_id.lower(), name=entry.name)
        if not entry.unique_id and info.board_id != board.board.id:
            raise WrongBoardError(place.port, "board", info.board_id, board.board.id, name=entry.name)
    return identity_of(place, info, entry.probe_serial)


def identity_of(place: Place, info: DeviceInfo | None, probe_serial: str = "") -> Identity:
    adapter = place.adapter
    return Identity(
        port=place.port,
        usb_serial=adapter.serial if adapter else "",
        usb_location=adapter.location if adapter else "",
        probe_serial=probe_serial,
        board_id=info.board_id if info else "",
        unique_id=info.unique_id if info else "",
        firmware_version=info.firmware_version if info else "",
        build_id=info.build_id if info else "",
        model_digest=info.model_digest if info else "",
    )

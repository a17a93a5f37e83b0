"""One port and the board behind it, from the outside in: the port, the rate, who answers, whether every byte arrives.

Each finding has a code; the table of them is in docs/manual/doctor.md. A look ends at the first finding that makes the
next look pointless, and never takes longer than a minute.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import DeviceInfo
from leadwire.board import Board
from leadwire.device.client import DeviceClient
from leadwire.device.port import list_ports
from leadwire.device.target import Target
from leadwire.errors import DeviceError, DeviceRefusedError, LeadwireError, PortError
from leadwire.flash import tool

from .check import Check

BAUDS = (115200, 57600, 38400, 19200, 9600, 230400, 460800, 921600, 1000000)
"""Rates that are tried, most usual first."""

_ANSWER_S = 0.25
_BOOT_S = 2.0
_ECHO_BYTES = (8, 32, 96, 200, 400)
_ECHOES_OF_EACH = 8
_LINE_OVERHEAD = 4 / 3
_TROUBLED = ("watchdog", "fault")
_SELF_TEST_FAILED = "its start ended with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What should be there: a board, a model (SHA-256), a build id; None or empty where anything will do."""

    board: Board | None = None
    model_digest: str = ""
    build_id: str = ""


def diagnose_port(port: str, expected: Expected) -> tuple[Check, ...]:
    """All findings, in the order of the looks."""
    return tuple(_looks(port, expected))


def _looks(port: str, expected: Expected) -> Iterator[Check]:
    if expected.board is not None:
        yield _flash_tool(expected.board, port)
    opened = _can_be_opened(port)
    yield opened
    if not opened.ok:
        return
    wished = expected.board.link.baud if expected.board is not None else BAUDS[0]
    try:
        answered, rate, info, reset_cause = _who_answers(port, wished)
        yield answered
        if info is None:
            return
        yield from _identity(info, expected)
        if reset_cause in _TROUBLED:
            yield Check(
                name="last start",
                ok=False,
                code="restarted-by-" + reset_cause,
                found=f"the board last started because of a {reset_cause}",
                remedy="the firmware hung or crashed: note what ran last, and look at power if it comes again",
            )
        yield _bytes_arrive(port, rate)
    except PortError as error:
        yield Check(
            name="port",
            ok=False,
            code="port-vanished",
            found=error.message,
            remedy="check cable and hub; a board that resets its USB is gone for a moment: try again",
        )


# ---------------------------------------------------------------------------------------------- the computer's side


def _flash_tool(board: Board, port: str) -> Check:
    name = f"flash tool {board.flash_tool}"
    try:
        module = tool.load(Target(board=board, port=port))
    except LeadwireError as error:
        return Check(name=name, ok=False, code="tool-unusable", found=error.message, remedy=error.hint)
    program, package = getattr(module, "PROGRAM", ""), getattr(module, "PACKAGE", "")
    missing = (program and shutil.which(program) is None) or (package and importlib.util.find_spec(package) is None)
    if missing:
        return Check(
            name=name,
            ok=False,
            code="tool-missing",
            found=f"'{program or package}', which flashes {board.id}, is not installed",
            remedy=module.INSTALL,
        )
    return Check(name=name, ok=True, found=shutil.which(program) or package or "comes with leadwire")


def _can_be_opened(port: str) -> Check:
    def bad(code: str, found: str, remedy: str) -> Check:
        return Check(name="port", ok=False, code=code, found=found, remedy=remedy)

    if "://" not in port and os.name == "posix":
        try:
            os.close(os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                return bad("port-permission", f"'{port}' may not be opened by {_user()}", _permission_remedy(port))
            if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
                ports = ", ".join(list_ports()) or "none"
                remedy = f"plug the board in, with a cable that carries data; ports that there are: {ports}"
                return bad("port-missing", f"there is no '{port}'", remedy)
            if error.errno != errno.EBUSY:
                return bad("port-unusable", f"'{port}': {error.strerror}", "name a serial port")
    try:
        with DeviceClient(port, BAUDS[0]):
            return Check(name="port", ok=True, found=f"'{port}' opens")
    except PortError as error:
        if "lock" in error.message or "busy" in error.message:
            holders = ", ".join(_holders(port)) or "another program"
            return bad("port-busy", f"'{port}' is held by {holders}", "end that program, or choose another port")
        return bad("port-unusable", error.message, error.hint)


def _user() -> str:
    with contextlib.suppress(KeyError, OSError):
        return f"user '{getpass.getuser()}'"
    return f"user {os.geteuid()}"


def _permission_remedy(port: str) -> str:
    import grp

    with contextlib.suppress(KeyError, OSError):
        group = grp.getgrgid(Path(port).stat().st_gid).gr_name
        return f"join the group that may: 'sudo usermod -aG {group} $USER', then log out and in again"
    return "give yourself the right to read and write it"


def _holders(port: str) -> list[str]:
    """Processes that have the port open, as far as /proc tells this user."""
    place, found = str(Path(port).resolve()), []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if any(str(one.readlink()) == place for one in (process / "fd").iterdir()):
                found.append(f"'{(process / 'comm').read_text().strip()}' (process {process.name})")
    return sorted(found)


# ---------------------------------------------------------------------------------------------- the board's side


def _who_answers(port: str, wished: int) -> tuple[Check, int, DeviceInfo | None, str]:
    """The finding, the rate, what the board said and why it last started; None and empty where nothing answers."""
    heard = 0
    for baud in (wished, *(one for one in BAUDS if one != wished)):
        with DeviceClient(port, baud, timeout_s=_ANSWER_S, run_timeout_s=_ANSWER_S) as client:
            try:
                info = client.describe(boot_timeout_s=_BOOT_S if baud == wished else 0.0)
            except PortError:
                raise
            except DeviceRefusedError:
                return _foreign(baud), baud, None, ""
            except DeviceError:
                heard += client.carried_bytes[1]
                continue
            return _rate(baud, wished), baud, info, client.reset_cause
    return _nobody(heard), wished, None, ""


def _rate(baud: int, wished: int) -> Check:
    if baud == wished:
        return Check(name="rate", ok=True, found=f"{baud} baud")
    return Check(
        name="rate",
        ok=False,
        code="baud-wrong",
        found=f"the board talks at {baud} baud, not at {wished}",
        remedy=f"set [link] baud = {baud} in the board file, or flash firmware built for {wished}",
    )


def _foreign(baud: int) -> Check:
    return Check(
        name="firmware",
        ok=False,
        code="firmware-foreign",
        found=f"an MCUmgr server answers at {baud} baud, but it is not the bench firmware",
        remedy="flash the bench firmware: 'leadwire flash MODEL.tflite --board ID --port PORT'",
    )


def _nobody(heard_bytes: int) -> Check:
    if heard_bytes:
        return Check(
            name="firmware",
            ok=False,
            code="garbage",
            found=f"{heard_bytes} bytes came at {len(BAUDS)} rates, no answer among them",
            remedy="another firmware talks here, or ground or level is wrong: check wires, flash the bench firmware",
        )
    return Check(
        name="firmware",
        ok=False,
        code="silent",
        found=f"nothing answers at {', '.join(map(str, BAUDS))} baud",
        remedy="check power, TX and RX (crossed?) and that the bench firmware was flashed; press reset",
    )


def _identity(info: DeviceInfo, expected: Expected) -> Iterator[Check]:
    board = "" if expected.board is None else expected.board.id
    wrong = False
    for what, found, wanted, shown, remedy in (
        (
            "board", info.board_id, board, None,
            "choose the port of the right board ('leadwire rig check'), or flash this one",
        ),
        (
            "model", info.model_digest, expected.model_digest, 16,
            "flash the firmware of this model: 'leadwire flash MODEL.tflite'",
        ),
        ("firmware", info.build_id, expected.build_id, 16, "flash the image again: 'leadwire flash'"),
    ):  # fmt: skip
        if wanted and found != wanted:
            wrong = True
            said = f"the {what} is {_quoted(found, shown)}, expected {_quoted(wanted, shown)}"
            yield Check(name=what, ok=False, code=f"{what}-wrong", found=said, remedy=remedy)
    if not wrong:
        said = f"{info.model_name} on {info.board_id}, {info.firmware_version}, build {info.build_id[:12]}"
        yield Check(name="identity", ok=True, found=said)


def _quoted(text: str, digits: int | None) -> str:
    """A digest by its first `digits`; None: a name, whole."""
    return f"'{text}'" if digits is None or len(text) <= digits else f"'{text[:digits]}...'"


def _bytes_arrive(port: str, baud: int) -> Check:
    """Echoes of several sizes, each asked for once: what does not come back whole has lost or changed a byte."""
    lost = total = line_bytes = 0
    with DeviceClient(port, baud, timeout_s=_ANSWER_S, run_timeout_s=_ANSWER_S, attempts=1) as client:
        for size in _ECHO_BYTES:
            text = "".join(chr(33 + i % 90) for i in range(size))
            for _ in range(_ECHOES_OF_EACH):
                total += 1
                line_bytes += int(2 * (size + 24) * _LINE_OVERHEAD)
                try:
                    lost += client.echo(text) != text
                except PortError:
                    raise
                except DeviceError:
                    lost += 1
    if not lost:
        return Check(name="bytes", ok=True, found=f"{total} echoes of 8 to 400 bytes came back whole")
    return Check(
        name="bytes",
        ok=False,
        code="bytes-lost",
        found=f"{lost} of {total} echoes did not come back whole: about {lost / line_bytes * 1000:.2g} bytes in "
        "1,000 are lost or changed",
        remedy="shorter cable, common ground, lower rate, another USB hub; runs over it are repaired, and slower",
    )

"""Stage flash: bring an image onto the one board that is meant, and make sure that this board runs this image.

Before writing: the chip's unique id is read by the flash tool where the tool can, else asked of the firmware that runs.
A board that is not the expected one is not written. After writing: what the flash holds is read back where the tool
can, and the firmware is asked for board, model, build and unique id.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board
from leadwire.device.running import Flashed, RunningBoard
from leadwire.device.target import Target
from leadwire.errors import (
    BadInputError,
    DeviceError,
    DeviceRefusedError,
    DeviceSilentError,
    FileMissingError,
    FrameError,
    PortError,
    WrongBoardError,
    WrongDeviceError,
)

if TYPE_CHECKING:
    from .tool import Job, Started

_REAPPEAR_SECONDS = 15.0
_ASK_SECONDS = 0.7
"""How long the firmware that runs before flashing is given to say who it is: there may be none."""


def flash_image(image: FirmwareImage, target: Target) -> RunningBoard:
    """The board, running and checked by `describe`; leave it as a context manager.

    BadInputError when the image was built for another board or is not the file that was built, WrongBoardError when
    another chip is at the target's place (it is not written) or the board says it runs something else, DeviceError when
    it cannot be programmed or has crashed. On any error nothing is left running.
    """
    from . import tool

    _check_image(image, target.board)
    with ExitStack() as on_error, TemporaryDirectory(prefix="leadwire-flash-") as folder:
        target = _find_port(target)
        module = tool.load(target)
        job = tool.Job(image=image, target=target, folder=Path(folder))
        real = not hasattr(module, "start")
        contents_digest = job.contents.digest() if real else ""  # an image for other memory ends here
        known_by = _check_identity(module, job) if real else ""
        started = tool.write(module, job)
        on_error.callback(started.stop)
        held = _check_contents(module, job) if real else ""
        tool.run(module, job)
        if getattr(module, "REAPPEARS", False):
            _await_port(target)
        unique_id = _check_firmware(image, target, started) if started.talks else ""
        on_error.pop_all()
    return RunningBoard(
        board=target.board,
        image=image,
        port=started.port,
        counter_reads=started.counter_reads,
        count_instructions=started.count_instructions,
        activity=started.activity,
        stop=started.stop,
        flashed=Flashed(
            tool=target.flash_tool,
            known_by=known_by,
            unique_id=unique_id,
            contents_digest=contents_digest,
            read_back_digest=held,
        ),
    )


def _find_port(target: Target) -> Target:
    """The target with the serial port that is plugged in at its USB location."""
    from leadwire.device.port import ports_at

    if not target.usb_location:
        return target
    found = ports_at(target.usb_location)
    if not target.port and len(found) > 1:
        raise BadInputError(
            f"USB location {target.usb_location} has {len(found)} serial ports: {', '.join(found)}",
            hint="say with --port which of them is the link",
        )
    if target.port and target.port not in found:
        raise WrongBoardError(target.port, "USB location", f"none of {', '.join(found)}", target.usb_location)
    return target.at(target.port or found[0])


def _check_identity(module: ModuleType, job: Job) -> str:
    """By what the board is known to be the expected one: 'tool', 'firmware', 'probe', 'usb', or '' where nothing was
    expected. WrongBoardError where it is another, DeviceError where nothing can tell."""
    from . import tool

    target = job.target
    if getattr(module, "BOOT_LOADER", False):
        _restart(target)
    if not target.unique_id:
        return "probe" if target.probe_serial else "usb" if target.usb_location else ""
    found, known_by = tool.identify(module, job), "tool"
    if found is None:
        found, known_by = _ask(target), "firmware"
    if found is not None:
        if found != target.unique_id:
            raise WrongBoardError(target.boot_port, "unique id", found, target.unique_id)
        return known_by
    if target.probe_serial or target.usb_location:
        return "probe" if target.probe_serial else "usb"
    raise DeviceError(
        f"board '{target.board.id}' at '{target.boot_port}' was not written: it is expected to be "
        f"{target.unique_id}, and neither flash tool '{target.flash_tool}' nor the firmware on it says who it is",
        hint="select it by probe serial or USB location, or flash it once without expecting a unique id",
    )


def _ask(target: Target) -> str | None:
    """The unique id by the firmware that runs, None where nothing answers."""
    from leadwire.device.client import DeviceClient

    try:
        with DeviceClient(target.port, target.board.link.baud, timeout_s=_ASK_SECONDS, attempts=1) as client:
            return client.describe().unique_id or None
    except DeviceError:
        return None


def _restart(target: Target) -> None:
    """Where firmware answers on the port, make it leave it to the boot loader; WrongBoardError, and no restart, where
    it says that it is another board."""
    from leadwire.device.client import DeviceClient

    try:
        with DeviceClient(target.port, target.board.link.baud, timeout_s=_ASK_SECONDS, attempts=2) as client:
            found = client.describe().unique_id
            if not target.unique_id or found in ("", target.unique_id):
                client.reset()
                return
    except (DeviceSilentError, FrameError, DeviceRefusedError):
        return  # a boot loader, or other firmware, which its own reset pin must stop
    raise WrongBoardError(target.port, "unique id", found, target.unique_id)


def _check_contents(module: ModuleType, job: Job) -> str:
    """Digest of what the flash holds where the image lies, '' where the tool cannot read it back. DeviceError where it
    is not the image."""
    from . import tool

    contents = job.contents
    if hasattr(module, "check"):
        module.check(job)
        return contents.digest()
    held = tool.read_back(module, job)
    if held is None:
        return ""
    wanted, found = contents.digest(), contents.digest(held)
    if wanted == found:
        return found
    data = contents.data
    places = [i for i in range(len(data)) if held[i : i + 1] != data[i : i + 1]]
    raise DeviceError(
        f"board '{job.board.id}' does not hold the image after flashing: {len(places)} of {len(data)} B differ, "
        f"the first at {contents.address + places[0] if places else contents.address:#010x}",
        hint="flash again; if it stays, the flash is worn or protected",
    )


def _await_port(target: Target) -> None:
    """Wait for the serial port of a board that has left the USB; a port that stays away shows when it is opened."""
    from leadwire.device.port import Port

    deadline = time.monotonic() + _REAPPEAR_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_ASK_SECONDS)
        try:
            Port(target.port, target.board.link.baud, write_timeout_s=_ASK_SECONDS).close()
        except PortError:
            continue
        return


def _check_firmware(image: FirmwareImage, target: Target, started: Started) -> str:
    """The unique id that the running firmware gives."""
    from leadwire.device.client import DeviceClient
    from leadwire.device.mlperf_client import MlperfClient, link_baud

    talk = DeviceClient if image.personality == "bench" else MlperfClient
    try:
        with talk(started.port, link_baud(image, target.board.link.baud)) as client:
            found = client.expect(image).unique_id
    except DeviceError:
        started.check()
        raise
    if target.unique_id and found != target.unique_id:
        raise WrongDeviceError(started.port, "unique id", found or "none", target.unique_id)
    return found


def _check_image(image: FirmwareImage, board: Board) -> None:
    if image.board_id != board.id:
        raise BadInputError(
            f"the image was built for board '{image.board_id}', not for '{board.id}'",
            hint="build it again for this board",
        )
    if not image.elf.is_file():
        raise FileMissingError(image.elf, role="firmware image")
    digest = hashlib.sha256(image.elf.read_bytes()).hexdigest()
    if digest != image.digest:
        raise BadInputError(
            f"firmware image '{image.elf}' is not the file that was built: digest {digest[:16]}..., "
            f"expected {image.digest[:16]}...",
            hint="build it again",
        )

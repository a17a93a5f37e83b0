"""UF2: the board shows itself as a drive, a file is copied onto it, the board restarts with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import MappingProxyType

from leadwire.errors import BadInputError, DeviceError

from .contents import uf2
from .tool import Job

INSTALL = "comes with leadwire"
ARGUMENTS = {
    "drive": "folder where the board's drive is mounted, default: the only one that has an INFO_UF2.TXT",
    "family": "family id of the chip, default by the board's MCU",
}
REAPPEARS = True
_FAMILIES = MappingProxyType({"RP2040": 0xE48BFF56, "RP2350": 0xE48BFF59, "NRF52840": 0xADA52840, "SAMD51": 0x55114460})
"""First letters of an MCU's name: its id (Microsoft, uf2families.json; RP2350 as ARM-S)."""
_MOUNTS = ("/media/*/*", "/run/media/*/*", "/media/*", "/Volumes/*")
_NOTE = "INFO_UF2.TXT"


def write(job: Job) -> None:
    """DeviceError where there is no drive, or not exactly one, or it does not take the file."""
    drive = _drive(job.argument("drive"))
    data = uf2.blocks(job.contents.address, job.contents.data, _family(job))
    try:
        descriptor = os.open(drive / "leadwire.uf2", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if data or drive.exists():  # else the board has restarted, and its drive is gone with it
            raise DeviceError(
                f"drive '{drive}' did not take the image: {error.strerror}", hint="unplug the board, plug it in again"
            ) from None


def _family(job: Job) -> int:
    text, mcu = job.argument("family"), job.board.mcu.upper()
    known = next((number for name, number in _FAMILIES.items() if mcu.startswith(name)), None)
    try:
        family = int(text, 0) if text else known
    except ValueError:
        family = None
    if family is None:
        raise BadInputError(
            f"flash tool 'uf2' knows no family id for MCU '{job.board.mcu}'",
            hint='[flash.uf2] family = "0x..." in the board file',
        )
    return family


def _drive(given: str) -> Path:
    if given:
        found = [Path(given)] if (Path(given) / _NOTE).is_file() else []
    else:
        roots = [Path("/")] if sys.platform != "win32" else []
        found = sorted(
            {path.parent for root in roots for place in _MOUNTS for path in root.glob(f"{place[1:]}/{_NOTE}")}
        )
    if len(found) != 1:
        raise DeviceError(
            f"there are {len(found)} drives of boards that take UF2 files"
            if not given
            else f"'{given}' is no such drive",
            hint="press the board's boot button while plugging it in; of several drives name one: "
            '[flash.uf2] drive = "..."',
        )
    return found[0]

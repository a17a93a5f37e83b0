"""esptool: the boot loader in ROM of Espressif's chips, over the serial port or USB.

The flash of these chips is behind a cache: `offset` says where in it the image begins, and the image must be one that
the chip's boot loader starts, as ESP-IDF makes it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from leadwire.artifacts import FlashFile

from .tool import Job

PACKAGE = "esptool"
INSTALL = "pip install 'leadwire[flash]'"
ARGUMENTS = {
    "chip": "chip as esptool names it, default: what answers",
    "offset": "where in the flash the image begins, default 0x10000: ESP-IDF's first application",
    "baud": "baud rate, default 460800",
}


def argv(job: Job) -> tuple[str, ...]:
    """The user's own files where there are any, each at its offset; esptool leaves them as they are (`keep`)."""
    placed = [(f"{file.offset_bytes:#x}", str(file.path.resolve())) for file in _placed(job)]
    parts = placed or [(job.argument("offset", "0x10000"), str(job.file("bin")))]
    return _command(job, "no-reset", "write-flash", *(word for part in parts for word in part))


def identify_argv(job: Job, _dump: Path) -> tuple[str, ...]:
    return _command(job, "no-reset", "read-mac")


def unique_id(output: str, _dump: Path) -> bytes | None:
    """The factory's MAC address; of the eight bytes of an EUI-64 those of the MAC-48."""
    found = re.search(r"MAC:\s*((?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2})\b(?![:-])", output)
    return bytes.fromhex(re.sub("[:-]", "", found[1])) if found else None


def read_argv(job: Job, dump: Path) -> tuple[str, ...]:
    contents = job.contents
    offset = f"{contents.address:#x}" if _placed(job) else job.argument("offset", "0x10000")
    return _command(job, "no-reset", "read-flash", offset, str(contents.size_bytes), str(dump))


def _placed(job: Job) -> tuple[FlashFile, ...]:
    return tuple(file for file in job.image.flash_files if file.offset_bytes is not None)


def run_argv(job: Job) -> tuple[str, ...]:
    return _command(job, "hard-reset", "chip-id")


def _command(job: Job, after: str, verb: str, *what: str) -> tuple[str, ...]:
    options = ("--chip", job.argument("chip", "auto"), "--port", job.target.boot_port)
    baud = job.argument("baud", "460800")
    return (sys.executable, "-P", "-m", "esptool", *options, "--baud", baud, "--after", after, verb, *what)

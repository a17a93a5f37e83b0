"""picotool: RP2040 and RP2350 in BOOTSEL mode over USB, or running firmware that lets itself be put there."""

from __future__ import annotations

import re
from pathlib import Path

from .tool import Job

PROGRAM = "picotool"
INSTALL = "picotool (github.com/raspberrypi/picotool, Releases)"
ARGUMENTS: dict[str, str] = {}
REAPPEARS = True


def argv(job: Job) -> tuple[str, ...]:
    return _command(job, "load", "--verify", str(job.file("elf")))


def identify_argv(job: Job, _dump: Path) -> tuple[str, ...]:
    return _command(job, "info", "--device")


def unique_id(output: str, _dump: Path) -> bytes | None:
    """The flash's number on an RP2040, the chip's on an RP2350: 64 bits, as the SDK's pico_unique_id gives them."""
    found = re.search(r"(?:flash id|chipid):\s*(?:0x)?([0-9a-fA-F]{16})\b", output)
    return bytes.fromhex(found[1]) if found else None


def read_argv(job: Job, dump: Path) -> tuple[str, ...]:
    first = job.contents.address
    last = first + job.contents.size_bytes
    return _command(job, "save", "--range", f"{first:#010x}", f"{last:#010x}", str(dump))


def run_argv(job: Job) -> tuple[str, ...]:
    return _command(job, "reboot")


def _command(job: Job, verb: str, *what: str) -> tuple[str, ...]:
    probe = job.target.probe_serial
    return (PROGRAM, verb, *what, *(("--ser", probe) if probe else ()))

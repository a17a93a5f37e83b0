"""probe-rs: CMSIS-DAP, ST-Link and J-Link probes, and the USB debug port of Espressif's chips. It verifies itself.

The probe's serial number is given with its USB ids, as 'probe-rs list' shows it: 0483:374b:066DFF...
"""

from __future__ import annotations

import re
from pathlib import Path

from .chips import unique_id_place
from .tool import Job

PROGRAM = "probe-rs"
INSTALL = "see probe.rs, 'Installation': one program without further parts"
ARGUMENTS = {
    "chip": "chip as 'probe-rs chip list' names it",
    "protocol": "swd or jtag, default probe-rs's",
}
REQUIRED = ("chip",)


def argv(job: Job) -> tuple[str, ...]:
    return _command(job, "download", "--verify", str(job.file("elf")))


def identify_argv(job: Job, _dump: Path) -> tuple[str, ...] | None:
    place = unique_id_place(job.board.mcu)
    return None if place is None else _read(job, *place)


def read_argv(job: Job, _dump: Path) -> tuple[str, ...]:
    return _read(job, job.contents.address, job.contents.size_bytes)


def dumped(output: str, _dump: Path) -> bytes:
    """Bytes as two hexadecimal digits each."""
    return bytes.fromhex("".join(re.findall(r"\b[0-9a-fA-F]{2}\b", output)))


def run_argv(job: Job) -> tuple[str, ...]:
    return _command(job, "reset")


def _read(job: Job, address: int, size: int) -> tuple[str, ...]:
    return _command(job, "read", "b8", f"{address:#010x}", str(size))


def _command(job: Job, verb: str, *what: str) -> tuple[str, ...]:
    probe, protocol = job.target.probe_serial, job.argument("protocol")
    options = (*(("--probe", probe) if probe else ()), *(("--protocol", protocol) if protocol else ()))
    return (PROGRAM, verb, "--non-interactive", "--chip", job.argument("chip"), *options, *what)

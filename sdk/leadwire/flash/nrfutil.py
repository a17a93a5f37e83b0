"""nRF Util with its command 'device': Nordic's kits. It verifies itself."""

from __future__ import annotations

from pathlib import Path

from .chips import unique_id_place
from .contents import intel_hex
from .tool import Job

PROGRAM = "nrfutil"
INSTALL = "nRF Util (nordicsemi.com), then: nrfutil install device"
ARGUMENTS = {
    "core": "Application or Network, for chips with several; default nRF Util's",
}


def argv(job: Job) -> tuple[str, ...]:
    options = "chip_erase_mode=ERASE_RANGES_TOUCHED_BY_FIRMWARE,verify=VERIFY_READ,reset=RESET_NONE"
    return _command(job, "program", "--firmware", str(job.file("hex")), "--options", options)


def identify_argv(job: Job, dump: Path) -> tuple[str, ...] | None:
    place = unique_id_place(job.board.mcu)
    return None if place is None else _read(job, dump, *place, "--direct")


def read_argv(job: Job, dump: Path) -> tuple[str, ...]:
    return _read(job, dump, job.contents.address, job.contents.size_bytes)


def dumped(_output: str, dump: Path) -> bytes:
    return intel_hex.data(dump.with_suffix(".hex").read_text(encoding="ascii", errors="replace"))


def run_argv(job: Job) -> tuple[str, ...]:
    return _command(job, "reset")


def _read(job: Job, dump: Path, address: int, size: int, *more: str) -> tuple[str, ...]:
    where = ("--address", f"{address:#010x}", "--bytes", str(size), "--width", "8")
    return _command(job, "read", *where, *more, "--to-file", str(dump.with_suffix(".hex")))


def _command(job: Job, verb: str, *what: str) -> tuple[str, ...]:
    probe, core = job.target.probe_serial, job.argument("core")
    options = (*(("--serial-number", probe) if probe else ()), *(("--core", core) if core else ()))
    return (PROGRAM, "device", verb, *options, *what)

"""pyOCD: CMSIS-DAP, ST-Link and J-Link probes."""

from __future__ import annotations

import sys
from pathlib import Path

from .chips import unique_id_place
from .tool import Job

PACKAGE = "pyocd"
INSTALL = "pip install 'leadwire[flash]'"
ARGUMENTS = {
    "target": "target type as 'pyocd list --targets' names it",
    "frequency": "clock of the debug port, as 1M; default pyOCD's",
}
REQUIRED = ("target",)


def argv(job: Job) -> tuple[str, ...]:
    return _command(job, "load", "--erase", "sector", "--format", "elf", str(job.file("elf")))


def identify_argv(job: Job, dump: Path) -> tuple[str, ...] | None:
    place = unique_id_place(job.board.mcu)
    return None if place is None else _command(job, "commander", "-c", _read(dump, *place))


def read_argv(job: Job, dump: Path) -> tuple[str, ...]:
    return _command(job, "commander", "-c", "halt", "-c", _read(dump, job.contents.address, job.contents.size_bytes))


def run_argv(job: Job) -> tuple[str, ...]:
    return _command(job, "reset")


def _read(dump: Path, address: int, size: int) -> str:
    return f"savemem {address:#010x} {size} '{dump}'"


def _command(job: Job, verb: str, *what: str) -> tuple[str, ...]:
    probe, frequency = job.target.probe_serial, job.argument("frequency")
    options = ("--no-wait", "--no-config", "--target", job.argument("target"))
    more = (*(("--uid", probe) if probe else ()), *(("--frequency", frequency) if frequency else ()))
    return (sys.executable, "-P", "-m", "pyocd", verb, *options, *more, *what)

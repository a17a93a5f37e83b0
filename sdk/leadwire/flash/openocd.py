"""OpenOCD: any debug probe that it has a configuration for."""

from __future__ import annotations

from pathlib import Path

from .chips import unique_id_place
from .tool import Job

PROGRAM = "openocd"
INSTALL = "apt install openocd (or your system's package of that name)"
ARGUMENTS = {
    "config": "configuration file of the board, as 'board/st_nucleo_f4.cfg', or several with spaces between",
    "command": "command before 'init', as 'adapter speed 1000'",
}
REQUIRED = ("config",)


def argv(job: Job) -> tuple[str, ...]:
    return _session(job, "reset init", f"flash write_image erase {_quoted(job.file('elf'))}")


def identify_argv(job: Job, dump: Path) -> tuple[str, ...] | None:
    place = unique_id_place(job.board.mcu)
    return None if place is None else _session(job, "halt", _read(dump, *place), "resume")


def read_argv(job: Job, dump: Path) -> tuple[str, ...]:
    return _session(job, "reset halt", _read(dump, job.contents.address, job.contents.size_bytes))


def run_argv(job: Job) -> tuple[str, ...]:
    return _session(job, "reset run")


def _read(dump: Path, address: int, size: int) -> str:
    return f"dump_image {_quoted(dump)} {address:#010x} {size}"


def _session(job: Job, *commands: str) -> tuple[str, ...]:
    probe, before = job.target.probe_serial, job.argument("command")
    first = (*((f"adapter serial {probe}",) if probe else ()), *((before,) if before else ()), "init")
    files = (word for file in job.argument("config").split() for word in ("-f", file))
    return (PROGRAM, *files, *(word for one in (*first, *commands, "exit") for word in ("-c", one)))


def _quoted(path: Path) -> str:
    """As one word of Tcl."""
    return "{" + str(path) + "}"

"""J-Link Commander: SEGGER's probes, and the on-board ones of many kits. It verifies itself."""

from __future__ import annotations

import sys
from pathlib import Path

from .chips import unique_id_place
from .tool import Job

INSTALL = "SEGGER's J-Link software pack (segger.com, Downloads)"
ARGUMENTS = {
    "device": "device as SEGGER names it",
    "interface": "SWD or JTAG, default SWD",
    "speed": "clock of the debug port in kHz, default 4000",
}
REQUIRED = ("device",)
PROGRAM = "JLink" if sys.platform == "win32" else "JLinkExe"


def argv(job: Job) -> tuple[str, ...]:
    return _session(job, "write", "r", f'loadfile "{job.file("hex")}"')


def identify_argv(job: Job, dump: Path) -> tuple[str, ...] | None:
    place = unique_id_place(job.board.mcu)
    return None if place is None else _session(job, "identify", "h", _read(dump, *place), "g")


def read_argv(job: Job, dump: Path) -> tuple[str, ...]:
    return _session(job, "read", "r", _read(dump, job.contents.address, job.contents.size_bytes))


def run_argv(job: Job) -> tuple[str, ...]:
    return _session(job, "run", "r", "g")


def _read(dump: Path, address: int, size: int) -> str:
    return f'savebin "{dump}", {address:#x}, {size:#x}'


def _session(job: Job, name: str, *commands: str) -> tuple[str, ...]:
    script = job.folder / f"{name}.jlink"
    script.write_text("".join(f"{command}\n" for command in (*commands, "exit")), encoding="utf-8")
    probe = job.target.probe_serial
    interface, speed = job.argument("interface", "SWD"), job.argument("speed", "4000")
    return (
        *(PROGRAM, "-NoGui", "1", "-ExitOnError", "1", "-AutoConnect", "1"),
        *(("-SelectEmuBySN", probe) if probe else ()),
        *("-Device", job.argument("device"), "-If", interface, "-Speed", speed, "-CommandFile", str(script)),
    )

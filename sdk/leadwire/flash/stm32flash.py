"""stm32flash, the program: an STM32's own boot loader over its USART (ST AN3155).

The boot loader must run: BOOT0 high and a reset, by `entry` where DTR and RTS are wired to it.
"""

from __future__ import annotations

from pathlib import Path

from .chips import unique_id_place
from .tool import Job

PROGRAM = "stm32flash"
INSTALL = "apt install stm32flash (or your system's package of that name)"
ARGUMENTS = {
    "mode": "bits, parity and stop bits, default 8e1 as the boot loader in ROM wants it; pseudo-terminals need 8n1",
    "baud": "baud rate, default 115200",
    "entry": "sequence of stm32flash's option -i that enters and leaves the boot loader",
}
BOOT_LOADER = True


def argv(job: Job) -> tuple[str, ...]:
    contents = job.contents
    return (*_command(job, "-w", str(job.file("bin"))), "-v", "-S", f"{contents.address:#x}", job.target.boot_port)


def identify_argv(job: Job, dump: Path) -> tuple[str, ...] | None:
    place = unique_id_place(job.board.mcu)
    return None if place is None else _read(job, dump, *place)


def read_argv(job: Job, dump: Path) -> tuple[str, ...]:
    return _read(job, dump, job.contents.address, job.contents.size_bytes)


def run_argv(job: Job) -> tuple[str, ...]:
    return (*_command(job, "-g", f"{job.contents.address:#x}"), job.target.boot_port)


def _read(job: Job, dump: Path, address: int, size: int) -> tuple[str, ...]:
    return (*_command(job, "-r", str(dump)), "-S", f"{address:#x}:{size}", job.target.boot_port)


def _command(job: Job, *what: str) -> tuple[str, ...]:
    entry = job.argument("entry")
    options = ("-m", job.argument("mode", "8e1"), "-b", job.argument("baud", "115200"))
    return (PROGRAM, *options, *(("-i", entry) if entry else ()), *what)

"""BOSSA's bossac: the SAM-BA boot loader of Arduino's boards, over their USB serial port. It verifies itself."""

from __future__ import annotations

from .tool import Job

PROGRAM = "bossac"
INSTALL = "apt install bossa-cli, or the bossac that comes with Arduino's IDE"
ARGUMENTS = {
    "offset": "where the image begins, behind what the boot loader keeps: 0x2000 on an Arduino Zero; default 0x0",
    "touch": "yes: open the port at 1200 baud first, upon which Arduino's firmware leaves it to the boot loader",
}
REAPPEARS = True


def argv(job: Job) -> tuple[str, ...]:
    touch = ("--arduino-erase",) if job.argument("touch") == "yes" else ()
    offset = job.argument("offset", "0x0")
    what = ("--erase", "--write", "--verify", f"--offset={offset}", "--reset", str(job.file("bin")))
    return (PROGRAM, f"--port={job.target.boot_port}", *touch, *what)

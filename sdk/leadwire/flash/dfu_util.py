"""dfu-util: USB device firmware upgrade; with addresses (ST's DfuSe) where the board file gives none of its own."""

from __future__ import annotations

from .tool import Job

PROGRAM = "dfu-util"
INSTALL = "apt install dfu-util (or your system's package of that name)"
ARGUMENTS = {
    "device": "USB vendor and product, as 0483:df11",
    "alt": "alternate setting: the memory, by number or name, default 0",
    "address": "where the image goes, default its address; none for boot loaders that know it themselves",
}
REAPPEARS = True


def argv(job: Job) -> tuple[str, ...]:
    device, probe = job.argument("device"), job.target.probe_serial
    address = job.argument("address", f"{job.contents.address:#x}")
    return (
        *(PROGRAM, "--alt", job.argument("alt", "0")),
        *(("--device", device) if device else ()),
        *(("--serial", probe) if probe else ()),
        *(("--reset",) if address == "none" else ("--dfuse-address", f"{address}:leave")),
        *("--download", str(job.file("bin"))),
    )

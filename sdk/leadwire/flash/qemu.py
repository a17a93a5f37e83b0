"""QEMU's machines: 'flashing' starts QEMU with the image."""

from __future__ import annotations

from leadwire.emulator.qemu import QemuBoard

from .tool import Job, Started


def start(job: Job) -> Started:
    """With a port, the machine that runs there already ('leadwire emulate') is taken."""
    if job.target.port:
        return Started(port=job.target.port)
    machine = QemuBoard(job.image.elf, job.board)
    return Started(port=machine.port, stop=machine.stop, check=machine.check)

"""QEMU's machines: 'flashing' starts QEMU with the image."""

from __future__ import annotations

from leadwire.board import MemoryRegion
from leadwire.emulator.qemu import QemuBoard, qemu_version
from leadwire.errors import DeviceError

from .tool import Job, Started

_FROM_VERSION = {("netduinoplus2", "ccm"): 8}
"""Memory regions of machines that QEMU maps only from this version on."""


def start(job: Job) -> Started:
    """With a port, the machine that runs there already ('leadwire emulate') is taken."""
    if job.target.port:
        return Started(port=job.target.port)
    _check_memory(job)
    machine = QemuBoard(job.image.elf, job.board)
    return Started(port=machine.port, stop=machine.stop, check=machine.check)


def _check_memory(job: Job) -> None:
    """DeviceError where the image uses memory that this version of QEMU does not have: it would fault in silence."""
    machine = job.board.emulation.machine if job.board.emulation is not None else ""
    for region in job.board.memory:
        first = _FROM_VERSION.get((machine, region.name))
        if first is not None and any(_in(region, one.address) for one in job.image.sections):
            version = qemu_version()
            if int(version.partition(".")[0]) < first:
                raise DeviceError(
                    f"the image uses '{region.name}' at {region.origin:#010x}, which QEMU {version} does not have",
                    hint=f"QEMU {first}.0 or newer, board 'virtual-stm32f405', or fast_memory off",
                )


def _in(region: MemoryRegion, address: int) -> bool:
    return region.origin <= address < region.end

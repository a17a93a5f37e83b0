"""QEMU's machines: 'flashing' starts QEMU with the image."""

from __future__ import annotations

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board
from leadwire.emulator.qemu import QemuBoard

from .tool import Started


def start(image: FirmwareImage, board: Board, port: str) -> Started:
    """With `port`, the machine that runs there already ('leadwire emulate') is taken."""
    if port:
        return Started(port=port)
    machine = QemuBoard(image.elf, board)
    return Started(port=machine.port, stop=machine.stop, check=machine.check)

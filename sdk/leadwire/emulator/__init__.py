"""Boards without hardware: a virtual STM32F405 on Unicorn (`emulated_board`), and QEMU's machines (`qemu`).

Each runs as its own process with a serial port that pyserial opens. Nothing here loads Unicorn in the caller's process:
`python -m leadwire.emulator` is the emulator, the two classes start, steer and stop one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from leadwire.board import Board
from leadwire.errors import BadInputError

from .emulated_board import Chip, EmulatedBoard
from .qemu import QemuBoard

__all__ = ["Chip", "EmulatedBoard", "QemuBoard", "run_until_interrupted"]

_CHECK_SECONDS = 0.5


def run_until_interrupted(elf: Path, board: Board, started: Callable[[str], None], chip: Chip | None = None) -> None:
    """Run `elf` on an emulated board until Ctrl-C; `started` is told the port. DeviceError when the firmware dies,
    BadInputError where QEMU would have to be told of the chip."""
    on_qemu = board.emulation is not None and board.emulation.engine == "qemu"
    if on_qemu and chip is not None and chip.arguments:
        raise BadInputError(f"board '{board.id}' keeps no flash and has no boot loader", hint="use 'virtual-stm32f405'")
    with QemuBoard(elf, board) if on_qemu else EmulatedBoard(elf, board, chip) as running:
        started(running.port)
        try:
            while True:
                time.sleep(_CHECK_SECONDS)
                running.check()
        except KeyboardInterrupt:
            return

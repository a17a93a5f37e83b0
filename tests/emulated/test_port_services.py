"""Each port on its emulator: watchdog, cause of the last reset, what a fault ends in; behind a main() of the tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import serial
from tests.unit.build.conftest import tiny_project  # noqa: F401

from leadwire.artifacts import FirmwareImage
from leadwire.board import load_board
from leadwire.build import build_image
from leadwire.emulator import EmulatedBoard
from leadwire.emulator.qemu import QemuBoard

SERVICES = (Path(__file__).parent / "ports" / "services.c").read_text()
UNKNOWN, SOFTWARE, WATCHDOG, FAULT = "0", "1", "2", "4"
PORTS = [
    "virtual-stm32f405",
    *(
        pytest.param(board, marks=pytest.mark.qemu)
        for board in (
            "qemu-stm32f405", "qemu-mps2-an386", "qemu-mps2-an505", "qemu-mps3-an547", "qemu-lm3s6965evb",
            "qemu-stm32vldiscovery", "qemu-microbit",
        )
    ),
    pytest.param("qemu-riscv32-virt", marks=pytest.mark.qemu_riscv),
]  # fmt: skip
NO_WATCHDOG = {"qemu-stm32f405", "qemu-stm32vldiscovery", "qemu-microbit", "qemu-riscv32-virt"}
"""On QEMU; all but the RISC-V machine have one on silicon."""
NO_FAULT_HANDLER = {"virtual-stm32f405"}
"""The built-in emulator reports a fault itself instead of entering the handler."""
NO_STACK_LIMIT = {"virtual-stm32f405", "qemu-mps2-an386"}
"""Below the stack of the last, QEMU has a device that swallows what is written."""


class Services:
    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def start(self) -> None:
        """What it said at its first start was perhaps before the port was open: from a restart on."""
        self._port.timeout = 1
        said = b""
        for _ in range(10):
            self.ask("r")
            said = self._port.read_until(f"c{SOFTWARE}\n".encode())
            self.ask("z")  # a second restart would lose it
            said += self._port.read_until(b"dz\n")
            if said.endswith(b"dz\n"):
                break
        assert said.endswith(b"dz\n"), f"only {said!r}"
        self._port.timeout = 10

    def ask(self, letter: str) -> None:
        self._port.write(letter.encode())

    def said(self) -> str:
        line = self._port.read_until(b"\n")
        assert line.endswith(b"\n"), f"only {line!r}"
        return line.decode()[:-1]


@pytest.mark.parametrize("board_id", PORTS)
def test_watchdog_reset_cause_and_fault(tiny_project: Callable[..., Any], tmp_path: Path, board_id: str) -> None:  # noqa: F811
    board = load_board(board_id)
    image: FirmwareImage = build_image(tiny_project(board, extra={"app/main.c": SERVICES}), board, out=tmp_path)
    started = (EmulatedBoard if board_id == "virtual-stm32f405" else QemuBoard)(image.elf, board)
    if isinstance(started, EmulatedBoard):
        started.count_instructions(False)  # time is the host's
    try:
        with serial.serial_for_url(started.port, timeout=10) as port:
            services = Services(port)
            services.start()
            services.ask("m")
            assert services.said() == "dm"
            if board_id not in NO_FAULT_HANDLER:
                services.ask("f")
                assert services.said() == "c" + FAULT
                services.ask("r")
                assert services.said() == "c" + SOFTWARE
            if board_id not in NO_STACK_LIMIT:
                services.ask("s")
                assert services.said() == "c" + FAULT
            services.ask("w")
            watched = board_id not in NO_WATCHDOG
            assert services.said() == ("w1" if watched else "w0")
            assert services.said() == "dw"
            time.sleep(1.0)  # fed while it sleeps, three times as long as it would wait
            services.ask("x")
            assert services.said() == "dx"
            if watched:
                services.ask("h")
                assert services.said() == "c" + WATCHDOG
            services.ask("r")
            assert services.said() == "c" + SOFTWARE
    finally:
        started.stop()

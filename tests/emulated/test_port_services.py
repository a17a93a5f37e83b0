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
from leadwire.device.target import Target
from leadwire.flash import tool

SERVICES = (Path(__file__).parent / "ports" / "services.c").read_text()
UNKNOWN, SOFTWARE, WATCHDOG, FAULT = "0", "1", "2", "4"
PORTS = [
    "virtual-stm32f405",
    pytest.param("qemu-stm32f405", marks=pytest.mark.qemu),
    pytest.param("qemu-mps2-an386", marks=pytest.mark.qemu),
]
NO_WATCHDOG = {"qemu-stm32f405"}
NO_FAULT_HANDLER = {"virtual-stm32f405"}
"""The built-in emulator reports a fault itself instead of entering the handler."""


class Services:
    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def start(self) -> None:
        """What it said at its first start was perhaps before the port was open: from a restart on."""
        self._port.timeout = 1
        for _ in range(10):
            self.ask("r")
            if ("c" + SOFTWARE).encode() in self._port.read_until(SOFTWARE.encode() + b"\n"):
                break
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
    target = Target(board=board)
    started = tool.write(tool.load(target), tool.Job(image=image, target=target, folder=tmp_path))
    if started.count_instructions is not None:
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

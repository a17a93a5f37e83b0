"""The linked firmware on QEMU's STM32F405 and MPS2: port code, self-test, counters and reset, over a socket."""

from __future__ import annotations

import socket
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.firmware.conftest import A, B, tiny_model

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board, load_board
from leadwire.build import build_image
from leadwire.device.client import DeviceClient

DATA = bytes((i * 37 + 11) & 0xFF for i in range(A + B))
QEMU_BOARDS = [
    pytest.param("qemu-stm32f405", "zig", marks=pytest.mark.qemu),
    pytest.param("qemu-stm32f405", "arm-none-eabi-gcc", marks=[pytest.mark.qemu, pytest.mark.arm_gcc]),
    pytest.param("qemu-mps2-an386", "zig", marks=pytest.mark.qemu),
]


@contextmanager
def emulated(board: Board, image: FirmwareImage) -> Iterator[DeviceClient]:
    assert board.emulation is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["qemu-system-arm", "-M", board.emulation.machine, "-kernel", str(image.elf), "-display", "none",
         "-monitor", "none", "-icount", "shift=0,sleep=on",
         "-serial", f"tcp:127.0.0.1:{port},server=on,wait=on,nodelay=on"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 20
        while True:
            try:
                client = DeviceClient(f"socket://127.0.0.1:{port}", board.link.baud, timeout_s=10.0).__enter__()
                break
            except Exception:
                if time.monotonic() > end or process.poll() is not None:
                    raise
                time.sleep(0.1)
        with client:
            yield client
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("board_id", "toolchain"), QEMU_BOARDS)
def test_the_image_runs_counts_and_resets(
    tiny_project: Callable[..., Any], tmp_path: Path, board_id: str, toolchain: Any
) -> None:
    board = load_board(board_id)
    image = build_image(tiny_project(board), board, toolchain=toolchain, out=tmp_path)
    with emulated(board, image) as client:
        device = client.describe()
        assert (device.board_id, device.build_id, device.model_name) == (board_id, image.build_id, "tiny")
        assert device.cycle_counter == ("tim2" if "stm32" in board_id else "timer0")
        assert device.clock_hz == (1_000_000_000 if "stm32" in board_id else 25_000_000)
        assert client.self_test().ok
        expected = tiny_model(DATA)
        first = client.infer(1, DATA)
        assert first.output == expected
        again = client.infer(2, DATA)
        assert abs(again.cycles - first.cycles) <= (0 if "stm32" in board_id else 1)
        assert 200 < again.stack_bytes <= image.stack.bytes
        assert len(client.profile(3, DATA)) == 3
        status = client.status()
        assert (status.runs, status.io_crc) == (2, zlib.crc32((DATA + expected) * 2))
        client.reset()
        time.sleep(0.3)
        assert client.status().runs == 0
        assert client.infer(1, DATA).output == expected

"""The linked firmware of both compilers on QEMU: self-test, counters and reset, over a socket."""

from __future__ import annotations

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
from leadwire.emulator.qemu import QemuBoard

DATA = bytes((i * 37 + 11) & 0xFF for i in range(A + B))
QEMU_BOARDS = [
    pytest.param("qemu-stm32f405", "zig", marks=pytest.mark.qemu),
    *(
        pytest.param(board, "arm-none-eabi-gcc", marks=[pytest.mark.qemu, pytest.mark.arm_gcc])
        for board in ("qemu-stm32f405", "qemu-mps2-an385", "qemu-mps2-an505", "qemu-mps3-an547", "qemu-microbit")
    ),
]


@contextmanager
def emulated(board: Board, image: FirmwareImage) -> Iterator[DeviceClient]:
    with (
        QemuBoard(image.elf, board, transport="tcp") as running,
        DeviceClient(running.port, board.link.baud, timeout_s=10.0) as client,
    ):
        yield client


@pytest.mark.parametrize(("board_id", "toolchain"), QEMU_BOARDS)
def test_the_image_runs_counts_and_resets(
    tiny_project: Callable[..., Any], tmp_path: Path, board_id: str, toolchain: Any
) -> None:
    board = load_board(board_id)
    image = build_image(tiny_project(board), board, toolchain=toolchain, out=tmp_path)
    with emulated(board, image) as client:
        device = client.describe()
        assert (device.board_id, device.build_id, device.model_name) == (board_id, image.build_id, "tiny")
        assert client.self_test().ok
        expected = tiny_model(DATA)
        first = client.infer(1, DATA)
        assert first.output == expected
        again = client.infer(2, DATA)
        assert abs(again.cycles - first.cycles) <= (0 if device.clock_hz == 1_000_000_000 else 1)
        assert 200 < again.stack_bytes <= image.stack.bytes
        assert len(client.profile(3, DATA)) == 3
        status = client.status()
        assert (status.runs, status.io_crc) == (2, zlib.crc32((DATA + expected) * 2))
        client.reset()
        time.sleep(0.3)
        assert client.status().runs == 0
        assert client.infer(1, DATA).output == expected

"""Small firmware for the emulated boards, compiled once per session with the toolchain the product uses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial

from leadwire.board import Board, load_board
from leadwire.emulator import EmulatedBoard

SOURCES = Path(__file__).parent / "firmware"
Compile = Callable[..., Path]
Start = Callable[[Path], EmulatedBoard]


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """`firmware("echo", "NAME=1")`: the ELF of firmware/echo.c with these macros."""
    folder = tmp_path_factory.mktemp("firmware")
    cache = os.environ.get("LEADWIRE_CACHE") or str(Path.home() / ".cache" / "leadwire" / "zig")

    def build(name: str, *macros: str) -> Path:
        elf = folder / ("-".join((name, *macros)).replace("=", "_") + ".elf")
        if not elf.exists():
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "ziglang",
                    "cc",
                    "-target",
                    "thumb-freestanding-eabihf",
                    "-mcpu=cortex_m4+vfp4d16sp",
                    "-std=gnu11",
                    "-O2",
                    "-ffreestanding",
                    "-fno-sanitize=all",
                    "-g0",
                    "-nostdlib",
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-Wl,--build-id=none",
                    f"-I{SOURCES}",
                    *(f"-D{macro}" for macro in macros),
                    "-T",
                    str(SOURCES / "stm32f405.ld"),
                    "-o",
                    str(elf),
                    str(SOURCES / "startup.c"),
                    str(SOURCES / f"{name}.c"),
                ],
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
            )
        return elf

    return build


@pytest.fixture(scope="session")
def virtual_board() -> Board:
    return load_board("virtual-stm32f405")


@pytest.fixture
def start(virtual_board: Board) -> Iterator[Start]:
    """Start an ELF on the virtual board; stopped at the end of the test."""
    running: list[EmulatedBoard] = []

    def run(elf: Path) -> EmulatedBoard:
        running.append(EmulatedBoard(elf, virtual_board))
        return running[-1]

    yield run
    for board in running:
        board.stop()


@pytest.fixture
def listen() -> Callable[[str, int], list[str]]:
    """`listen(port, lines)`: so many lines from the port; fails after 20 s."""

    def read(port: str, lines: int) -> list[str]:
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY)  # not pyserial, which drops what came before it opened the port
        os.set_blocking(fd, False)
        said = b""
        deadline = time.monotonic() + 20
        try:
            while said.count(b"\n") < lines and time.monotonic() < deadline:
                try:
                    said += os.read(fd, 4096)
                except BlockingIOError:
                    time.sleep(0.01)
        finally:
            os.close(fd)
        assert said.count(b"\n") >= lines, f"only {said!r}"
        return said.decode("ascii").split("\n")[:lines]

    return read


@pytest.fixture
def open_port() -> Iterator[Callable[[str], serial.Serial]]:
    opened: list[serial.Serial] = []

    def connect(port: str) -> serial.Serial:
        opened.append(serial.serial_for_url(port, baudrate=115200, timeout=5))
        return opened[-1]

    yield connect
    for port in opened:
        port.close()

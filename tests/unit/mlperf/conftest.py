"""The firmware's MLPerf Tiny protocol compiled for this machine: as a library, and as a process under sanitizers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leadwire.resources import FIRMWARE_TEMPLATES

HERE = Path(__file__).resolve().parent
MLPERF = FIRMWARE_TEMPLATES / "mlperf"
FLAGS = [
    "-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror",
    '-DLW_BOARD_ID="test-board"', f"-DLW_BUILD_ID={','.join(map(str, range(16)))}",
    *(f"-I{folder}" for folder in (HERE, MLPERF, FIRMWARE_TEMPLATES / "app", FIRMWARE_TEMPLATES / "runtime")),
]  # fmt: skip
FLOAT32 = ("-DLW_MLPERF_INPUT=2", "-DLW_MLPERF_RESULT=1")
UINT8 = ("-DLW_MLPERF_INPUT=1", '-DLW_MLPERF_MODEL="ic01"')
ENERGY = ("-DLW_MLPERF_ENERGY=1",)


def compile_c(output: Path, *flags: str) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, which is not installed")
    sources = [HERE / "harness.c", *(MLPERF / f"{part}.c" for part in ("session", "sample", "text"))]
    subprocess.run(["gcc", *FLAGS, *flags, *map(str, sources), "-o", str(output)], check=True)
    return output


class Device:
    """The protocol behind a byte interface."""

    def __init__(self, library: Path) -> None:
        self.c: Any = ctypes.CDLL(str(library))
        self.sent = ctypes.create_string_buffer(1 << 20)
        self.c.test_take.restype = self.c.test_decimal.restype = ctypes.c_size_t
        self.c.test_marker.restype = ctypes.c_bool
        self.greeting = self.boot()

    def boot(self, *, start: int = 0, cycles_a_run: int = 7, status: int = 0) -> bytes:
        self.c.test_boot(*map(ctypes.c_uint32, (start, cycles_a_run, status)))
        return self.take()

    def take(self) -> bytes:
        length = self.c.test_take(self.sent)
        return ctypes.string_at(self.sent, length)

    def send(self, data: bytes) -> bytes:
        self.c.test_receive(data, ctypes.c_size_t(len(data)))
        return self.take()

    def ask(self, command: str) -> list[str]:
        """The lines that answer a command, without the closing m-ready, which must be there."""
        said = self.send(command.encode("latin-1") + b"%").decode("latin-1")
        assert said.endswith("m-ready\r\n")
        return said.removesuffix("m-ready\r\n").split("\r\n")[:-1]

    def load(self, sample: bytes) -> None:
        assert self.ask(f"db load {len(sample)}") == [f"m-[Expecting {len(sample)} bytes]"]
        for start in range(0, len(sample), 31):
            last = self.ask("db " + sample[start : start + 31].hex())
        assert last == ["m-load-done"]

    def decimal(self, value: float) -> str:
        text = ctypes.create_string_buffer(320)
        length = self.c.test_decimal(ctypes.c_double(value), text)
        assert len(text.value) == length
        return text.value.decode()

    def quantize(self, sample: bytes) -> bytes:
        quantized = ctypes.create_string_buffer(6)
        self.c.test_quantize(sample, quantized)
        return quantized.raw


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Device]:
    """`device(*flags)`: freshly started, compiled once for each set of flags."""
    built: dict[tuple[str, ...], Path] = {}

    def build(*flags: str) -> Device:
        if flags not in built:
            built[flags] = compile_c(
                tmp_path_factory.mktemp("mlperf") / "device.so",
                "-shared", "-fPIC", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", *flags,
            )  # fmt: skip
        return Device(built[flags])

    return build

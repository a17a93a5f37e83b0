"""The firmware's C compiled for this machine around the tiny model: as a library, and as a process under sanitizers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest

from leadwire.device.framing import FrameDecoder, encode
from leadwire.resources import FIRMWARE_TEMPLATES

HERE = Path(__file__).resolve().parent
TINY = HERE.parent / "build" / "tiny_model" / "model"
APP = FIRMWARE_TEMPLATES / "app"
PARTS = ("bench", "cbor", "cell", "correct", "crc", "frame", "smp", "stack", "stream")
SOURCES = [HERE / "harness.c", TINY / "model.c", *(APP / f"{part}.c" for part in PARTS)]
FLAGS = [
    "-std=c99",
    "-O1",
    "-Wall",
    "-Wextra",
    "-DLW_WITH_OPERATOR_TABLE=1",
    '-DLW_BOARD_ID="test-board"',
    f"-DLW_BUILD_ID={','.join(map(str, range(16)))}",
    *(f"-I{folder}" for folder in (APP, FIRMWARE_TEMPLATES / "runtime", TINY)),
]

A, B, Y, Z = 6, 1500, 2, 2000
WEIGHTS = (1, -2, 3, -4, 5, -6)


def tiny_model(data: bytes) -> bytes:
    """The tiny model of tests/unit/build again, in Python."""
    a, b = data[:A], data[A:]
    u = [(3 * (a[i] + b[i]) + WEIGHTS[i]) % 256 for i in range(A)]
    return bytes(u[:Y]) + bytes((u[k % A] + b[k % B]) % 256 for k in range(Z))


def compile_c(output: Path, *flags: str) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, which is not installed")
    subprocess.run(["gcc", *FLAGS, *flags, *map(str, SOURCES), "-o", str(output)], check=True)
    return output


class Firmware:
    """The link code behind a byte interface, with small request functions on top."""

    def __init__(self, library: Path) -> None:
        self.c: Any = ctypes.CDLL(str(library))
        for name in ("take", "decode", "encode"):
            getattr(self.c, f"test_{name}").restype = ctypes.c_size_t
        self.c.test_receive.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
        self.sequence = 0
        self.boot()

    def boot(self) -> None:
        self.c.test_boot()

    def send(self, data: bytes) -> bytes:
        """Received bytes in, sent bytes out."""
        self.c.test_receive(data, len(data))
        sent = ctypes.create_string_buffer(1 << 20)
        length = self.c.test_take(sent)
        return sent.raw[:length]

    def answer(self, message: bytes) -> bytes | None:
        """The SMP response to an SMP message, None where there is none."""
        messages = FrameDecoder().feed(self.send(encode(message)))
        assert len(messages) <= 1
        return bytes(messages[0]) if messages else None

    def ask(self, op: int, group: int, command: int, payload: object, *, version: int = 1) -> dict[str, Any]:
        """The CBOR map that answers a request; the header is checked."""
        self.sequence = (self.sequence + 1) % 256
        body = payload if isinstance(payload, bytes) else cbor2.dumps(payload)
        head = bytes([op | version << 3, 0]) + len(body).to_bytes(2, "big") + group.to_bytes(2, "big")
        found = self.answer(head + bytes([self.sequence, command]) + body)
        assert found is not None
        assert found[0] == op + 1 | version << 3
        assert found[1] == 0
        assert int.from_bytes(found[2:4], "big") == len(found) - 8
        assert found[4:8] == group.to_bytes(2, "big") + bytes([self.sequence, command])
        decoded = cbor2.loads(found[8:])
        assert isinstance(decoded, dict)
        return decoded

    def infer(self, sequence: int, offset: int, data: bytes, **more: object) -> dict[str, Any]:
        return self.ask(2, 64, 1, {"seq": sequence, "off": offset, "data": data, **more})

    def sample(self, sequence: int, data: bytes, **more: object) -> dict[str, Any]:
        """All slices of a sample; the last answer."""
        for offset in range(0, len(data), 700):
            last = self.infer(sequence, offset, data[offset : offset + 700], **more)
        return last


@pytest.fixture(scope="session")
def firmware_library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles the library once for each set of flags."""
    built: dict[tuple[str, ...], Path] = {}

    def build(*flags: str) -> Path:
        if flags not in built:
            output = tmp_path_factory.mktemp("firmware") / "firmware.so"
            built[flags] = compile_c(
                output, "-shared", "-fPIC", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", *flags
            )
        return built[flags]

    return build


@pytest.fixture
def firmware(firmware_library: Callable[..., Path]) -> Firmware:
    return Firmware(firmware_library())

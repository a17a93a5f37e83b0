"""QEMU's machines as boards: the second emulator, and so the witness of the built-in one.

`-icount shift=n` makes one executed instruction 2^n nanoseconds of virtual time, so that a timer of the emulated
machine counts instructions (QEMU documentation, "TCG Instruction Counting"): n follows a board's
`ns_per_instruction`.
With `sleep=on` a sleeping machine's time is the host's; with off it would jump to the next timer, and a watchdog would
bite a board that waits for its host.
"""

from __future__ import annotations

import math
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

from leadwire.board import Board
from leadwire.errors import BadInputError, DeviceError, FileMissingError

PROGRAM = "qemu-system-arm"
RISCV_PROGRAM = "qemu-system-riscv32"
_MOST_SHIFT = 10
_HINT = (
    "install QEMU (Debian, Ubuntu: apt-get install qemu-system-arm, for RISC-V qemu-system-misc), or use board "
    "'virtual-stm32f405'"
)
_REDIRECTED = re.compile(rb"char device redirected to (/dev/\S+) \(label serial0\)")
_LISTENING = re.compile(rb"waiting for connection on: disconnected:tcp:([\d.]+:\d+)")
_START_SECONDS = 20.0
_STOP_SECONDS = 2.0


def qemu_version(name: str = PROGRAM) -> str:
    """'7.2.22'; DeviceError where this QEMU is not installed or does not answer."""
    program = _installed(name)
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DeviceError(f"'{program}' does not start: {error}", hint=_HINT) from error
    found = re.search(r"version (\S+)", answer)
    if found is None:
        raise DeviceError(f"'{program}' does not tell its version", hint=_HINT)
    return found.group(1)


class QemuBoard:
    """A running QEMU machine; a context manager that stops it. `port` is its first serial port.

    `transport` 'pty' gives a pseudo-terminal, 'tcp' a `socket://` address of pyserial, on which the machine only starts
    when a client has connected, so that nothing it says at boot is lost. The pseudo-terminal is held open here, because
    QEMU drops what the board sends while nobody has it open.
    """

    def __init__(self, elf: Path, board: Board, *, transport: Literal["pty", "tcp"] = "pty") -> None:
        """FileMissingError, BadInputError for a board that is not QEMU's, DeviceError when QEMU is missing or ends."""
        if board.emulation is None or board.emulation.engine != "qemu":
            raise BadInputError(f"board '{board.id}' is not one QEMU runs")
        if not elf.is_file():
            raise FileMissingError(elf, role="firmware image")
        self._program = RISCV_PROGRAM if board.core.startswith("rv32") else PROGRAM
        program = _installed(self._program)
        firmware = ("-bios", "none") if self._program == RISCV_PROGRAM else ()
        self._received = b""
        self._far: int | None = None
        serial = "pty" if transport == "pty" else f"tcp:127.0.0.1:{_free_port()},server=on,wait=on,nodelay=on"
        arguments = [
            program,
            "-M",
            board.emulation.machine,
            *firmware,
            "-kernel",
            str(elf),
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            serial,
            "-icount",
            f"shift={_shift(board)},sleep=on",
        ]
        guard = str(Path(__file__).with_name("guard.py"))
        self._process = subprocess.Popen(
            [sys.executable, "-I", guard, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the parent, whose end is then QEMU's
        )
        try:
            if transport == "pty":
                self.port = self._said(_REDIRECTED)
                self._far = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
            else:
                self.port = "socket://" + self._said(_LISTENING)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> QemuBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> None:
        """DeviceError if QEMU has ended."""
        if self._process.poll() is not None:
            raise self._ended()

    def stop(self) -> None:
        """End QEMU; safe to call again."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
        self._process.stdout.close()
        if self._far is not None:
            os.close(self._far)
            self._far = None

    def _said(self, wanted: re.Pattern[bytes]) -> str:
        """The group of `wanted` in what QEMU prints."""
        deadline = time.monotonic() + _START_SECONDS
        while (found := wanted.search(self._received)) is None:
            if not self._read(max(0.0, deadline - time.monotonic())):
                if self._process.poll() is None and time.monotonic() >= deadline:
                    raise DeviceError(f"{self._program} named no serial port within {_START_SECONDS:g} s")
                raise self._ended()
        return found.group(1).decode()

    def _read(self, seconds: float) -> bytes:
        """What QEMU printed meanwhile; empty after `seconds` or at its end."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return b""
        chunk = os.read(self._process.stdout.fileno(), 65_536)
        self._received += chunk
        return chunk

    def _ended(self) -> DeviceError:
        while self._read(0.5):
            pass
        said = self._received.decode(errors="replace").strip().splitlines()
        return DeviceError(f"{self._program} ended" + (f": {said[-1]}" if said else ""), hint=_HINT)


def _shift(board: Board) -> int:
    """n for `ns_per_instruction` 2^n; 0 where the board does not say."""
    nanoseconds = board.emulation.ns_per_instruction if board.emulation is not None else None
    shift = 0 if nanoseconds is None else round(math.log2(nanoseconds))
    if nanoseconds is not None and (not 0 <= shift <= _MOST_SHIFT or 2.0**shift != nanoseconds):
        raise BadInputError(
            f"board '{board.id}' takes {nanoseconds:g} ns an instruction, which QEMU cannot",
            hint=f"a power of two from 1 to {2**_MOST_SHIFT}",
        )
    return shift


def _installed(name: str) -> str:
    program = shutil.which(name)
    if program is None:
        raise DeviceError(f"'{name}' is not installed", hint=_HINT)
    return program


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

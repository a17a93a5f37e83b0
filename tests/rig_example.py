"""A small network, a rig file around it, and looks at processes, shared by the tests of rigs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from single_operator import Op, T, write_tflite

INPUT_BYTES = 16


def write_model(path: Path) -> Path:
    """FULLY_CONNECTED and SOFTMAX on 16 values: quick to build and to run."""
    weights = np.random.default_rng(4).integers(-100, 100, (4, INPUT_BYTES), dtype=np.int8)
    tensors = [
        T(shape=(1, INPUT_BYTES), scale=0.5, zero_point=-3),
        T(shape=(4, INPUT_BYTES), array=weights, scale=0.001),
        T(shape=(4,), array=np.array([10, -10, 400, -400], np.int32), scale=0.0005),
        T(shape=(1, 4), scale=0.05, zero_point=4),
        T(shape=(1, 4), scale=1 / 256, zero_point=-128),
    ]
    operators = [
        Op(kind="FULLY_CONNECTED", inputs=(0, 1, 2), outputs=(3,), options="FullyConnectedOptions"),
        Op(kind="SOFTMAX", inputs=(3,), outputs=(4,), options="SoftmaxOptions", fields={"beta": 1.0}),
    ]
    path.write_bytes(write_tflite(tensors, operators, [0], [4]))
    return path


class Quiet:
    """A watcher that nobody reads."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


def rig_text(*boards: str, top: str = "") -> str:
    """A rig file's text: what stands before the boards, then each board's own lines."""
    return top + "".join(f"\n[[board]]\n{board}\n" for board in boards)


def emulated(count: int) -> tuple[str, ...]:
    """So many boards for the built-in emulator, each with an id of its own."""
    return tuple(f'name = "emu-{i}"\nboard = "virtual-stm32f405"\nunique_id = "{i + 1:024x}"' for i in range(count))


def processes_of(mark: str, variable: str, program: str) -> list[int]:
    """Ids of living processes with `program` in their command and this variable in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            environment = (folder / "environ").read_bytes().split(b"\0")
            if program.encode() in command and f"{variable}={mark}".encode() in environment:
                found.append(int(folder.name))
    return found


def kill(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def wait_for(done: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        time.sleep(0.05)

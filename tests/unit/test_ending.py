"""However leadwire is ended, its worker ends too, and a polite end leaves no temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def processes_about(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"leadwire.tensorflow_process" in (line := (process / "cmdline").read_bytes()):
                found += [int(process.name)] * (os.fsencode(folder) in line)
        except OSError:
            continue
    return found


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_the_worker_ends_with_leadwire(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.keras").write_bytes(b"found out to be no model once TensorFlow has started")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "leadwire", "quantize", "m.keras", "--dataset", "synthetic-ecg"],
        cwd=tmp_path, env={**os.environ, "TMPDIR": str(scratch)}, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert within(60, lambda: bool(processes_about(scratch)) or process.poll() is not None)
        process.send_signal(signal.Signals[name])
        process.wait(30)
    polite = name != "SIGKILL"
    assert process.returncode == (128 + signal.Signals[name] if polite else -signal.SIGKILL)
    assert within(10, lambda: not processes_about(scratch))
    assert not polite or not list(scratch.iterdir())

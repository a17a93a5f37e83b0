"""The process that works on one board, seen from the rig run: start, listen, end in order."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from leadwire.workspace import write_atomically

from .records import Job, to_json

_GRACE_SECONDS = 8.0
"""Between asking a process to end and killing it: an emulator and a flash tool are ended in order meanwhile."""
_LOG_TAIL_BYTES = 2000


class Child:
    """A running attempt. `said` holds the JSON objects that have not been taken yet."""

    def __init__(self, job: Job, folder: Path, descriptors: Sequence[int]) -> None:
        """`folder` gets the job and the log; `descriptors` are locks that it holds along with this process."""
        name = job.board.name
        self.log = folder / f"{name}.log"
        path = folder / f"{name}.job"
        write_atomically(path, to_json(job))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "leadwire.rig", str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the rig run, which ends this process in order
                pass_fds=tuple(descriptors),
            )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._received = b""
        self._kill_at: float | None = None

    @property
    def descriptor(self) -> int:
        """Readable when the process has said something, or ended."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def said(self) -> list[dict[str, object]]:
        """What came since the last call; a line that is no JSON object is none of ours and is dropped."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.descriptor, 65_536):
                self._received += chunk
        *lines, self._received = self._received.split(b"\n")
        messages = []
        for line in lines:
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    messages.append(message)
        return messages

    def ended(self) -> bool:
        """Whether it has ended by now; kills it where it was asked to and takes too long."""
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._signal_all(signal.SIGKILL)
        return self.process.poll() is not None

    def end(self) -> None:
        """Ask it to end; `ended` sees to it. What it started ends with it."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + _GRACE_SECONDS
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """After it has ended: nothing of its group is left behind, and its pipes are closed."""
        self._signal_all(signal.SIGKILL)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def died(self) -> str:
        """How it ended, with the end of its log."""
        code = self.process.returncode
        how = f"signal {-code} ({signal.Signals(-code).name})" if code is not None and code < 0 else f"code {code}"
        try:
            tail = self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            tail = ""
        return how + (f"\n{tail}" if tail else "")

    def _signal_all(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

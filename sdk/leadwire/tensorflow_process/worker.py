"""A module run in a process of its own that has Keras: asked with a request, it answers, tells progress, or fails with
one of leadwire's errors. `ask_worker` is the parent's side, `serve` the module's.

The worker reads `request.json` from a folder and writes one JSON object a line to standard output: progress, then the
answer. It ends when its standard input does: nobody is left to read.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from leadwire import errors
from leadwire.errors import BadInputError, BuildError, LeadwireError
from leadwire.tensorflow_process import last_exception, training_environment

Progress = Callable[[str, int, int], None]
_PROGRESS_S: Final = 0.2


def _untold(label: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""


def ask_worker(
    module: str, folder: Path, what: str, request: dict[str, Any], *, timeout_s: float, progress: Progress = _untold
) -> Any:
    """What `module` answers to `request`; `what` names the work in errors, `folder` is the worker's own.

    Raises the worker's error, BuildError (5) where it ends without an answer or takes longer than `timeout_s`.
    """
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    reading, writing = os.pipe()
    with (folder / "log").open("wb") as log, subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(folder.resolve())],
        env=training_environment(folder), stdin=reading, stdout=subprocess.PIPE, stderr=log, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(reading)
        watchdog = _Watchdog(process, timeout_s)
        try:
            assert process.stdout is not None
            told: dict[str, Any] = {}
            for line in process.stdout:
                told = json.loads(line)
                if "progress" in told:
                    progress(*told["progress"])
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()
            os.close(writing)
    if error := told.get("error"):
        raise _error(error)
    if "answer" not in told:
        raise _ended(folder, what, process.returncode, watchdog.late, timeout_s)
    return told["answer"]


def serve(run: Callable[[dict[str, Any], Progress], Any]) -> None:
    """The worker's main: answer the request in the folder that the command line names."""
    request = json.loads((Path(sys.argv[1]) / "request.json").read_text(encoding="utf-8"))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # Keras prints to stdout
    threading.Thread(target=end_with_parent, daemon=True).start()
    last = [0.0]

    def progress(label: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - last[0] > _PROGRESS_S:
            last[0] = now
            print(json.dumps({"progress": [label, done, total]}), file=answers)

    try:
        told = {"answer": run(request, progress)}
    except LeadwireError as error:
        told = {"error": {"kind": type(error).__name__, "message": error.message, "hint": error.hint}}
    print(json.dumps(told), file=answers)


def end_with_parent() -> None:
    """Ends this process when its standard input does: nobody is left to read what it says."""
    while os.read(0, 4096):
        pass
    os._exit(1)


class _Watchdog:
    """Kills a process after so many seconds."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self.late = False
        self._process = process
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        self.late = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def cancel(self) -> None:
        self._timer.cancel()


def _error(told: dict[str, str]) -> LeadwireError:
    """The worker's error as one of this process, of the same class."""
    kind = getattr(errors, told["kind"], BadInputError)
    error: LeadwireError = kind.__new__(kind)
    LeadwireError.__init__(error, told["message"], hint=told["hint"])
    return error


def _ended(folder: Path, what: str, code: int, late: bool, timeout_s: float) -> BuildError:
    if late:
        return BuildError(f"{what} did not end within {timeout_s:g} s", hint="allow more time, or ask for less")
    if code == -signal.SIGKILL:
        return BuildError(f"{what} was killed", hint="most likely the memory ran out: free some, or a larger machine")
    reason = last_exception((folder / "log").read_text(encoding="utf-8", errors="replace"))
    return BuildError(f"{what} ended without a result: {reason}", hint=f"the whole log is in '{folder / 'log'}'")

"""The process of one board: `python -m leadwire.rig JOB`, started by `crew`, one attempt in each.

Its argument is a file with a `Job`; it prints JSON lines on stdout:

    {"stage": "flash"}                  a stage begins
    {"progress": [12, 50]}              samples done of all
    {"measured": {...}}                 the attempt is whole (`Measured`)
    {"problem": {...}}                  or it is not (`Problem`)

Standard input at its end means that the rig run is gone: the process ends what it started, and itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from pydantic import TypeAdapter

from leadwire.errors import LeadwireError

from .attempt import carry_out
from .records import BOARD_VARIABLE, Job, Measured, Problem, to_json

_GRACE_SECONDS = 5.0


def say(message: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _leave(0)


def _leave(code: int) -> NoReturn:
    os._exit(code)


def _end(number: int, _: object) -> NoReturn:
    """In order: what was started is ended on the way out. A second signal does not disturb it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + number)


def _watch_parent() -> None:
    """Ends this process when its parent is gone; at once where that takes too long."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE_SECONDS)
    _leave(143)


def main() -> int:
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the rig run, which ends this process in order
    try:
        (path,) = sys.argv[1:]
        job = TypeAdapter(Job).validate_json(Path(path).read_bytes())
    except (ValueError, OSError) as error:
        print(f"error: not a job of a rig run, which starts this program itself: {error}", file=sys.stderr)
        return 2
    os.environ[BOARD_VARIABLE] = job.board.name
    threading.Thread(target=_watch_parent, daemon=True).start()
    try:
        measured = carry_out(
            job,
            Path(path).parent,
            stage=lambda name: say({"stage": name}),
            progress=lambda done, total: say({"progress": [done, total]}),
        )
    except LeadwireError as error:
        problem = Problem(kind=type(error).__name__, message=error.message, hint=error.hint, exit_code=error.exit_code)
        say({"problem": json.loads(to_json(problem))})
        return error.exit_code
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        say({"problem": json.loads(to_json(Problem(kind="OSError", message=f"{named}{error.strerror or error}")))})
        return 6
    say({"measured": TypeAdapter(Measured).dump_python(measured, mode="json")})  # infinities stay what they are
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    _leave(code)

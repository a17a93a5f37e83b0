"""The command line: verbs of the flow, results on stdout (`--json` on each), progress and errors on stderr.

A module of this package holds verbs that belong together; all are found by themselves. Every verb imports what it needs
inside its body, so that `leadwire --help` stays fast.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import sys
from typing import NoReturn

from leadwire.errors import BadInputError, LeadwireError

from .app import app, end

for _module in sorted(
    (found.name for found in pkgutil.iter_modules(__path__)), key=lambda name: (name != "line", name)
):
    importlib.import_module(f"{__name__}.{_module}")


def _fail(error: LeadwireError) -> NoReturn:
    """There is no result; with --json the error itself is what stdout gets."""
    if "--json" in sys.argv:
        problem = {
            "kind": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        print(json.dumps({"error": problem}, indent=2, sort_keys=True))
    end(error)


def _end_in_order() -> None:
    """Make SIGTERM and SIGHUP (a cancelled job, a closed terminal) an exit that takes children and temporary folders
    along. A second one does not disturb it; one that the caller wants ignored (nohup) stays ignored."""
    names = ("SIGTERM", "SIGHUP")
    ending = [one for one in signal.Signals if one.name in names and signal.getsignal(one) is signal.SIG_DFL]

    def leave(number: int, _: object) -> NoReturn:
        for one in (*ending, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)
        sys.exit(128 + number)

    for one in ending:
        signal.signal(one, leave)


def main() -> NoReturn:
    """Entry point: the only place that prints errors and turns them into exit codes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _end_in_order()
    try:
        app(standalone_mode=True)
    except LeadwireError as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        _fail(
            BadInputError(
                f"{error.filename or 'file'}: {error.strerror or error}", hint="check path, rights and free space"
            )
        )
    except Exception as error:
        if os.environ.get("LEADWIRE_TRACEBACK"):
            raise
        print(
            f"error: leadwire has a bug: {type(error).__name__}: {error}\n"
            "try: run again with LEADWIRE_TRACEBACK=1 and report the output  [exit 1]",
            file=sys.stderr,
        )
        sys.exit(1)
    sys.exit(0)

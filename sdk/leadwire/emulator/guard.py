"""Run a program that must not outlive its parent: `python guard.py PROGRAM ARGUMENT...`.

Ends the program when standard input ends (the parent is gone, or closed it), and itself when the program ends. For
emulators that, unlike the built-in one, do not watch their standard input.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1


def main() -> None:
    end_with_guard = None
    if sys.platform == "linux":  # also where the guard is killed
        prctl = ctypes.CDLL(None).prctl

        def end_with_guard() -> None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=end_with_guard)

    def leave_with_program() -> None:
        os._exit(program.wait() & 0xFF)

    threading.Thread(target=leave_with_program, daemon=True).start()
    while os.read(0, 4096):
        pass
    program.kill()
    program.wait()


if __name__ == "__main__":
    main()

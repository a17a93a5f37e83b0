"""What an emulated board draws: one current while its core runs, another while it waits for an interrupt.

The board's own time is the meter's, so a run that the emulator takes long for is measured as long as the board takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from leadwire.device.running import Activity
from leadwire.errors import DeviceError

RUN_A, WAIT_A = 40e-3, 12e-3
"""Of the order of an STM32F405's at 168 MHz in Run and Sleep mode without peripherals; made up all the same."""
_LOOK_S = 0.02


class BoardDrain:
    """Asks `activity` what has happened, at most every 20 ms; remembers what has not been measured yet."""

    def __init__(self, *, run_a: float = RUN_A, wait_a: float = WAIT_A) -> None:
        self._run_a, self._wait_a = run_a, wait_a
        self._ask: Callable[[], Activity] | None = None
        self._looked_at = 0.0
        self._zero_s = self._now_s = 0.0
        self._changes: list[tuple[float, bool, bool]] = [(0.0, False, False)]
        self._falls: list[float] = []

    def follow(self, activity: Callable[[], Activity]) -> None:
        self._ask = activity
        self._changes, self._falls, self._looked_at = [(0.0, False, False)], [], 0.0
        self._look()

    def begin(self) -> None:
        self._looked_at = 0.0
        self._look()
        self._zero_s = self._now_s

    def known_s(self) -> float:
        self._look()
        return self._now_s - self._zero_s

    def current_a(self, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(self._at(times_s)[:, 0], self._run_a, self._wait_a)

    def active(self, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        high: npt.NDArray[np.bool_] = self._at(times_s)[:, 1]
        return high

    def marks(self, start_s: float, end_s: float) -> tuple[float, ...]:
        self._falls = [at for at in self._falls if at - self._zero_s >= start_s]
        return tuple(at - self._zero_s for at in self._falls if at - self._zero_s < end_s)

    def _at(self, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """(core runs, marker high) at each of the times, which never go back."""
        times = times_s + self._zero_s
        moments = np.array([moment for moment, _, _ in self._changes])
        states = np.array([state for _, *state in self._changes], bool)
        places = np.maximum(np.searchsorted(moments, times, side="right") - 1, 0)
        del self._changes[: places[0]]
        found: npt.NDArray[np.bool_] = states[places]
        return found

    def _look(self) -> None:
        if self._ask is None or time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        try:
            seen = self._ask()
        except DeviceError:
            return  # a board that has died draws nothing more; whoever runs it will say so
        last = self._changes[-1]
        for change in seen.changes:
            if last[2] and not change[2]:
                self._falls.append(change[0])
            last = change
        self._changes += seen.changes
        self._now_s = seen.now_s

"""Simulated meters: each speaks its meter's protocol over a pseudo-terminal that the real driver opens, says SIMULATED
where a meter names itself, and measures a load that is made up here. For tests and trying out, never for a figure.
"""

from __future__ import annotations

import os
import select
import threading
import tty
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A board that draws `idle_a`, and `active_a` for `active_s` at the start of each `period_s`, `runs` times, after
    `lead_s`. The marker is high, or low, while it is active."""

    idle_a: float = 1e-3
    active_a: float = 20e-3
    active_s: float = 0.01
    period_s: float = 0.03
    runs: int = 10
    lead_s: float = 0.02

    def active(self, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        since = times_s - self.lead_s
        run = np.floor(since / self.period_s)
        inside: npt.NDArray[np.bool_] = (run >= 0) & (run < self.runs) & (since - run * self.period_s < self.active_s)
        return inside

    def current_a(self, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(self.active(times_s), self.active_a, self.idle_a)

    def energy_j(self, voltage_v: float) -> float:
        """Of one run."""
        return self.active_a * self.active_s * voltage_v


class SimulatedMeter(ABC):
    """A context manager; `port` is what the driver opens. Time is that of its samples, not of the clock on the wall."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self._near, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self._near, False)
        self.port = os.ttyname(self._far)
        self._stop, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="simulated meter", daemon=True)

    def __enter__(self) -> SimulatedMeter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._wake, b"x")
        self._thread.join()
        for descriptor in (self._near, self._far, self._stop, self._wake):
            os.close(descriptor)

    @abstractmethod
    def receive(self, data: bytes) -> bytes:
        """What is answered at once."""

    @abstractmethod
    def stream(self) -> bytes:
        """The next samples while a measurement runs, else nothing."""

    def _serve(self) -> None:
        waiting = b""
        while True:
            readable, writable, _ = select.select(
                [self._near, self._stop], [self._near] if waiting else [], [], 0.002 if not waiting else 0.05
            )
            if self._stop in readable:
                return
            if self._near in readable:
                waiting += self.receive(os.read(self._near, 4096))
            if len(waiting) < 65_536:
                waiting += self.stream()
            if waiting and (writable or not readable):
                try:
                    waiting = waiting[os.write(self._near, waiting[:16_384]) :]
                except BlockingIOError:
                    continue

"""Simulated meters: each speaks its meter's protocol over a pseudo-terminal that the real driver opens, says SIMULATED
where a meter names itself, and measures a load that is made up here or that follows an emulated board. For tests and
trying out, never for a figure.
"""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

_SLICE_S = 0.01
_MOST_WAITING_BYTES = 65_536


class Drain(Protocol):
    """What a simulated meter measures, in seconds since `begin`."""

    def begin(self) -> None: ...

    def known_s(self) -> float:
        """How far the current is known: samples are due up to here."""

    def current_a(self, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]: ...

    def active(self, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """The level of the marker."""

    def marks(self, start_s: float, end_s: float) -> tuple[float, ...]:
        """When the marker fell, from `start_s` until before `end_s`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A board that draws `idle_a`, and `active_a` for `active_s` at the start of each `period_s`, `runs` times, after
    `lead_s`. The marker is high while it is active; `marks` are those of MLPerf Tiny, at a run's start and end."""

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

    def marks(self, start_s: float, end_s: float) -> tuple[float, ...]:
        starts = [self.lead_s + run * self.period_s for run in range(self.runs)]
        return tuple(at for start in starts for at in (start, start + self.active_s) if start_s <= at < end_s)

    def energy_j(self, voltage_v: float) -> float:
        """Of one run."""
        return self.active_a * self.active_s * voltage_v


class Paced:
    """A made-up load in the time of the clock on the wall, or `speed` times as fast."""

    def __init__(self, load: Load, speed: float = 1.0) -> None:
        self.current_a, self.active, self.marks = load.current_a, load.active, load.marks
        self._speed = speed
        self._began = time.monotonic()

    def begin(self) -> None:
        self._began = time.monotonic()

    def known_s(self) -> float:
        return (time.monotonic() - self._began) * self._speed


class SimulatedMeter(ABC):
    """A context manager; `port` is what the driver opens. It sends the samples that are due and no others; what its
    reader does not take waits, up to 64 KiB, and the rest is made when there is room."""

    rate_hz: float

    def __init__(self, drain: Drain) -> None:
        self.drain = drain
        self.sample = 0
        """Number of the next sample."""
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
        """The next samples that are due while a measurement runs, else nothing."""

    def begin(self) -> None:
        self.sample = 0
        self.drain.begin()

    def due(self, most: int) -> int:
        """How many samples are due, at most `most`."""
        return max(0, min(most, int(self.drain.known_s() * self.rate_hz) - self.sample))

    def rest(self) -> bytes:
        """All samples that are due."""
        end, parts = int(self.drain.known_s() * self.rate_hz), []
        while self.sample < end and (part := self.stream()):
            parts.append(part)
        return b"".join(parts)

    def _serve(self) -> None:
        waiting = b""
        while True:
            readable, writable, _ = select.select(
                [self._near, self._stop], [self._near] if waiting else [], [], _SLICE_S
            )
            if self._stop in readable:
                return
            if self._near in readable:
                waiting += self.receive(os.read(self._near, 4096))
            if len(waiting) < _MOST_WAITING_BYTES:
                waiting += self.stream()
            if waiting and (writable or not readable):
                try:
                    waiting = waiting[os.write(self._near, waiting[:16_384]) :]
                except BlockingIOError:
                    time.sleep(_SLICE_S)

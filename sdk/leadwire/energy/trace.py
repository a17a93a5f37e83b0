"""What a meter gives: current and voltage against time, the marker where it has one, and what the meter is worth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Limits of error, each taken as the half-width of a rectangular distribution (GUM 4.3.7).

    `gain` and `voltage_gain` are fractions of the reading, `offset_a` and `voltage_offset_v` absolute, `clock` a
    fraction of the time. `source` says where they are from.
    """

    gain: float
    offset_a: float = 0.0
    voltage_gain: float = 0.0
    voltage_offset_v: float = 0.0
    clock: float = 100e-6
    source: str = ""

    def voltage_standard(self, voltage_v: float) -> float:
        """Standard uncertainty of a voltage, in volts."""
        return hypot(self.voltage_gain * voltage_v, self.voltage_offset_v) / sqrt(3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterIdentity:
    """`simulated` is what the meter itself says: a simulator names itself, in its own protocol, where a meter names its
    calibration."""

    kind: str
    serial: str
    simulated: bool
    accuracy: Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Samples at equal distances. `voltage_v` has one value for each sample, or one for all (a regulated supply).
    `start_s` is the time of the first sample by the meter's clock, as a file may state it; windows, marker and edges
    count from there.

    `marker` is the level of the digital channel at each sample, None where there is none; `edges` are the samples at
    which the marker rose or fell where a meter tells edges instead of levels.
    """

    sample_hz: float
    current_a: Floats
    voltage_v: Floats
    meter: MeterIdentity
    marker: Flags | None = None
    edges: tuple[int, ...] = ()
    source: str = ""
    start_s: float = 0.0

    @property
    def step_s(self) -> float:
        return 1.0 / self.sample_hz

    @property
    def seconds(self) -> float:
        return len(self.current_a) / self.sample_hz

    @property
    def power_w(self) -> Floats:
        return self.current_a * self.voltage_v

    def digest(self) -> str:
        """SHA-256 over rate, time of the first sample, current, voltage and marker: what a result was computed from."""
        digest = hashlib.sha256(np.array([self.sample_hz, self.start_s], np.float64).tobytes())
        for part in (self.current_a, self.voltage_v):
            digest.update(np.ascontiguousarray(part, np.float64).tobytes() + b"|")
        if self.marker is not None:
            digest.update(np.packbits(self.marker).tobytes())
        digest.update(repr(self.edges).encode())
        return digest.hexdigest()

"""A simulated PPK2: the words of leadwire.energy.meters.ppk2, with factors of its own that the driver must apply."""

from __future__ import annotations

import numpy as np

from leadwire.energy.meters.ppk2 import ADC_VOLTS, AVERAGE_START, AVERAGE_STOP, METADATA, RUN, SAMPLE_HZ

from . import Drain, SimulatedMeter

RESISTANCE = (1000.0, 100.0, 10.0, 1.0, 0.05)
OFFSET = (12.0, -7.0, 3.0, 0.0, 20.0)
_CALIBRATION = (
    "Calibrated: 0\n"
    + "".join(f"R{i}: {value}\n" for i, value in enumerate(RESISTANCE))
    + "".join(f"GS{i}: 0.0\nGI{i}: 1.0\nO{i}: {OFFSET[i]}\nS{i}: 0.0\nI{i}: 0.0\nUG{i}: 1.0\n" for i in range(5))
    + "HW: 9173\nIA: 59\nMETER: SIMULATED\nEND"
)
_LENGTHS = {0x0D: 3, 0x11: 2, RUN: 2}
_FULL_SCALE = 4 * 0x3FFF
_CHUNK = 2000


class SimulatedPpk2(SimulatedMeter):
    """`drop` leaves out the sample of this number, `marker` is the digital input that the load drives."""

    rate_hz = SAMPLE_HZ

    def __init__(self, drain: Drain, *, marker: int = 0, drop: int | None = None, noise_a: float = 0.0) -> None:
        super().__init__(drain)
        self._marker = marker
        self._drop = drop
        self._noise_a = noise_a
        self._random = np.random.default_rng(1)
        self._pending = b""
        self._running = False
        self.commands: list[bytes] = []

    def receive(self, data: bytes) -> bytes:
        self._pending += data
        said = b""
        while self._pending:
            length = _LENGTHS.get(self._pending[0], 1)
            if len(self._pending) < length:
                break
            command, self._pending = self._pending[:length], self._pending[length:]
            self.commands.append(command)
            if command[0] == METADATA:
                said += _CALIBRATION.encode()
            elif command[0] == AVERAGE_START:
                self._running = True
                self.begin()
            elif command[0] == AVERAGE_STOP:
                said += self.rest()
                self._running = False
        return said

    def stream(self) -> bytes:
        count = self.due(_CHUNK) if self._running else 0
        if not count:
            return b""
        first, self.sample = self.sample, self.sample + count
        number = np.arange(first, first + count)
        times = number / SAMPLE_HZ
        current = self.drain.current_a(times) + self._noise_a * self._random.standard_normal(count)
        place = np.zeros(count, np.int64)
        for index in range(5):  # the most sensitive range that holds the current
            holds = np.abs(current) * RESISTANCE[index] / ADC_VOLTS < _FULL_SCALE - 100
            place = np.where(holds & (place == 0), index + 1, place)
        place = np.maximum(place - 1, 0)
        resistance, offset = np.array(RESISTANCE)[place], np.array(OFFSET)[place]
        adc = np.clip(np.round((current * resistance / ADC_VOLTS + offset) / 4), 0, 0x3FFF).astype(np.uint32)
        words = adc | place.astype(np.uint32) << 14 | (number % 64).astype(np.uint32) << 18
        words |= self.drain.active(times).astype(np.uint32) << (24 + self._marker)
        if self._drop is not None and first <= self._drop < first + count:
            words = np.delete(words, self._drop - first)
        return bytes(words.astype("<u4").tobytes())

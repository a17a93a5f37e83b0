"""A simulated X-NUCLEO-LPM01A: its command lines and its stream of decimal samples."""

from __future__ import annotations

import math

import numpy as np

from leadwire.energy.meters.lpm01a import PROMPT

from . import Drain, SimulatedMeter

_RATES = {"5k": 5000, "2k": 2000, "1k": 1000, "500": 500, "200": 200, "100": 100}
_KNOWN = frozenset({
    "htc", "hrc", "powershield", "volt", "freq", "acqtime", "output", "format", "trigsrc", "trigdelay", "eventsrc",
    "pwr", "start", "stop", "version", "lcd",
})  # fmt: skip
_CHUNK = 500


class SimulatedLpm01a(SimulatedMeter):
    """The marker is wired to D7. `drop` leaves out the sample of this number."""

    def __init__(self, drain: Drain, *, drop: int | None = None) -> None:
        super().__init__(drain)
        self._drop = drop
        self._pending = b""
        self._running = False
        self.rate_hz = 100.0
        self._volts = 3.3
        self._of_energy = False
        self._events = 0
        self.commands: list[str] = []

    def receive(self, data: bytes) -> bytes:
        *lines, self._pending = (self._pending + data).split(b"\n")
        return b"".join(self._obey(line.decode("ascii", errors="replace").strip()) for line in lines)

    def _obey(self, command: str) -> bytes:
        if not command:
            return b""
        self.commands.append(command)
        word, *arguments = command.split()
        if word not in _KNOWN:
            return f"{PROMPT}error {command}\r\nError detail: unknown command\r\n".encode()
        if word == "freq":
            if arguments[0] not in _RATES:
                return f"{PROMPT}error {command}\r\nError detail: value\r\n".encode()
            self.rate_hz = float(_RATES[arguments[0]])
        said = f"{PROMPT}ack {command}\r\n"
        if word == "volt":
            self._volts = int(arguments[0].rstrip("m")) / 1000
        if word == "output":
            self._of_energy = arguments[0] == "energy"
        if word == "powershield":
            said = f"{PROMPT}PowerShield present: SIMULATED-0001\r\n{said}"
        if word == "start":
            self._running, self._events = True, 0
            self.begin()
        if word == "stop" and self._running:
            said += self.rest().decode()
            self._running = False
            said += "Acquisition completed\r\n"
        return said.encode()

    def stream(self) -> bytes:
        count = self.due(_CHUNK) if self._running else 0
        if not count:
            return b""
        rate = int(self.rate_hz)
        numbers = np.arange(self.sample, self.sample + count)
        currents = self.drain.current_a(numbers / rate).tolist()
        marks = [math.ceil(at * rate) for at in self.drain.marks(self.sample / rate, (self.sample + count) / rate)]
        lines = []
        for number, current in zip(numbers.tolist(), currents, strict=True):
            if number % rate == 0:
                lines.append(f"TimeStamp: {number // rate:03d}s 000ms, buff 00%")
            while marks and marks[0] <= number:
                marks.pop(0)
                lines.append(f"event {self._events:02d} ris")
                self._events += 1
            if number != self._drop:
                lines.append(_decimal(current * self._volts / rate if self._of_energy else current))
        for _ in marks:  # between the last sample and the next one
            lines.append(f"event {self._events:02d} ris")
            self._events += 1
        self.sample += count
        return ("\r\n".join(lines) + "\r\n").encode()


def _decimal(current_a: float) -> str:
    """Four digits and a power of ten of two digits: 6409-07."""
    mantissa, exponent = f"{current_a:.3e}".split("e")
    return f"{mantissa.replace('.', '')}{int(exponent) - 3:+03d}"

"""A simulated X-NUCLEO-LPM01A: its command lines and its stream of decimal samples."""

from __future__ import annotations

import numpy as np

from leadwire.energy.meters.lpm01a import PROMPT

from . import Load, SimulatedMeter

_RATES = {"5k": 5000, "2k": 2000, "1k": 1000, "500": 500, "200": 200, "100": 100}
_KNOWN = frozenset({
    "htc", "hrc", "powershield", "volt", "freq", "acqtime", "output", "format", "trigsrc", "trigdelay", "eventsrc",
    "pwr", "start", "stop", "version", "lcd",
})  # fmt: skip
_CHUNK = 50


class SimulatedLpm01a(SimulatedMeter):
    """The load pulls D7 low for one sample at the start and at the end of each activity, as MLPerf Tiny's energy mode
    does. `drop` leaves out the sample of this number."""

    def __init__(self, load: Load, *, drop: int | None = None) -> None:
        super().__init__(load)
        self._drop = drop
        self._pending = b""
        self._running = False
        self._rate = 100
        self._volts = 3.3
        self._of_energy = False
        self._sample = 0
        self._events = 0
        self._was_active = False
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
            self._rate = _RATES[arguments[0]]
        said = f"{PROMPT}ack {command}\r\n"
        if word == "volt":
            self._volts = int(arguments[0].rstrip("m")) / 1000
        if word == "output":
            self._of_energy = arguments[0] == "energy"
        if word == "powershield":
            said = f"{PROMPT}PowerShield present: SIMULATED-0001\r\n{said}"
        if word == "start":
            self._running, self._sample, self._events, self._was_active = True, 0, 0, False
        if word == "stop" and self._running:
            self._running = False
            said += "Acquisition completed\r\n"
        return said.encode()

    def stream(self) -> bytes:
        if not self._running:
            return b""
        numbers = np.arange(self._sample, self._sample + _CHUNK)
        times = numbers / self._rate
        lines = []
        for number, active, current in zip(
            numbers.tolist(), self.load.active(times).tolist(), self.load.current_a(times).tolist(), strict=True
        ):
            if number % self._rate == 0:
                lines.append(f"TimeStamp: {number // self._rate:03d}s 000ms, buff 00%")
            if active != self._was_active:
                lines.append(f"event {self._events:02d} ris")
                self._events += 1
            self._was_active = active
            if number != self._drop:
                lines.append(_decimal(current * self._volts / self._rate if self._of_energy else current))
        self._sample += _CHUNK
        return ("\r\n".join(lines) + "\r\n").encode()


def _decimal(current_a: float) -> str:
    """Four digits and a power of ten of two digits: 6409-07."""
    mantissa, exponent = f"{current_a:.3e}".split("e")
    return f"{mantissa.replace('.', '')}{int(exponent) - 3:+03d}"

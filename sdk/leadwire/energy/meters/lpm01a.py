"""ST X-NUCLEO-LPM01A, over its USB serial port, with its ASCII stream (UM2269 and the kit's own `help`).

Commands are lines; each is answered with `ack` or `error`. A sample is `6409-07`: 6409 x 10^-7 A. Between samples stand
`TimeStamp: 001s 000ms, buff 00%` once a second, which is checked against the number of samples, and `event 01 ris`
where the pin D7 fell. The ASCII stream goes up to 5,000 samples a second without end; the binary one is not read here.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import numpy as np

from leadwire.device.port import Port
from leadwire.energy.trace import Accuracy, MeterIdentity, Trace
from leadwire.errors import BadInputError, DeviceRefusedError, DeviceSilentError, FrameError, LeadwireError

from . import Meter, MeterSettings

BAUD = 3_686_400
RATES = {5000: "5k", 2000: "2k", 1000: "1k", 500: "500", 200: "200", 100: "100"}
ACCURACY = Accuracy(gain=0.02, offset_a=100e-9, voltage_gain=0.02, clock=100e-6, source="UM2243 rev 2, section 10: 2 %")
PROMPT = "PowerShield > "
_SAMPLE = re.compile(r"\d{4}[+-]\d{2}")
_STAMP = re.compile(r"TimeStamp: ?(\d{1,6})s (\d{3})ms")
_EVENT = re.compile(r"event (\d+) ris")
_NOTE = re.compile(r"[A-Za-z][A-Za-z ,.:;'-]*")
"""Words without a digit: what the kit says of itself, and no sample that was damaged."""
_ANSWER_SECONDS = 3.0
_SETTLE_SECONDS = 0.05
_LONGEST_LINE = 4096


class Lpm01a(Meter):
    def __init__(self, settings: MeterSettings) -> None:
        self._voltage_v = settings.need_voltage(1.8, 3.3)
        self._rate = int(settings.sample_hz or 5000)
        if self._rate not in RATES:
            raise BadInputError(
                f"the LPM01A does not send {self._rate} samples a second as text", hint=f"one of {sorted(RATES)}"
            )
        self._port = Port(settings.address, BAUD, write_timeout_s=1.0)
        self._received = b""
        try:
            self._ask("htc")
            board = " ".join(self._ask("powershield"))
            self.identity = MeterIdentity(
                kind="ST X-NUCLEO-LPM01A",
                serial=board.removeprefix("PowerShield present").strip(": ")[:64],
                simulated="SIMULATED" in board,
                accuracy=settings.accuracy or ACCURACY,
            )
            for command in (
                f"volt {round(self._voltage_v * 1000)}m", f"freq {RATES[self._rate]}", "acqtime inf", "output current",
                "format ascii_dec", "trigsrc sw", "trigdelay 0", "eventsrc d7 fal", "pwr on nostatus",
            ):  # fmt: skip
                self._ask(command)
        except BaseException:
            self._port.close()
            raise

    def record(self, during: Callable[[], None]) -> Trace:
        lines: list[str] = []
        failed: list[LeadwireError] = []

        def listen() -> None:
            try:
                while True:
                    line = self._line(_ANSWER_SECONDS)
                    if "Acquisition completed" in line:
                        return
                    lines.append(line)
            except LeadwireError as error:
                failed.append(error)

        self._ask("start")
        listener = threading.Thread(target=listen, name="lpm01a", daemon=True)
        listener.start()
        try:
            time.sleep(_SETTLE_SECONDS)
            during()
            time.sleep(_SETTLE_SECONDS)
        finally:
            self._port.write(b"stop\r\n")
            listener.join()
        if failed:
            raise failed[0]
        return self._trace(lines)

    def _trace(self, lines: list[str]) -> Trace:
        values: list[float] = []
        edges: list[int] = []
        events: list[int] = []
        stamp: tuple[int, int] | None = None
        for line in lines:
            text = line.replace(PROMPT, "").strip()
            if _SAMPLE.fullmatch(text):
                values.append(float(int(text[:4])) * 10.0 ** int(text[4:]))
            elif found := _EVENT.fullmatch(text):
                events.append(int(found.group(1)))
                edges.append(len(values))
            elif found := _STAMP.match(text):
                milliseconds = int(found.group(1)) * 1000 + int(found.group(2))
                if stamp is not None:
                    expected = (milliseconds - stamp[0]) * self._rate / 1000
                    if abs(len(values) - stamp[1] - expected) > 1:
                        raise FrameError(
                            self._port.name,
                            "the measurement",
                            f"{len(values) - stamp[1]} samples in {milliseconds - stamp[0]} ms, {expected:g} are due",
                            1,
                        )
                stamp = (milliseconds, len(values))
            elif text and not text.startswith("ack") and not _NOTE.fullmatch(text):
                raise FrameError(self._port.name, "the measurement", f"'{text[:60]}' is no sample", 1)
        if events and events != list(range(events[0], events[0] + len(events))):
            raise FrameError(self._port.name, "the measurement", f"events {events[:8]} are not in a row", 1)
        if not values:
            raise DeviceSilentError(self._port.name, "the start of the measurement", _ANSWER_SECONDS, 1)
        return Trace(
            sample_hz=float(self._rate),
            current_a=np.array(values, np.float64),
            voltage_v=np.array([self._voltage_v]),
            edges=tuple(edges),
            meter=self.identity,
            source=self._port.name,
        )

    def close(self) -> None:
        try:
            self._port.write(b"hrc\r\n")
        finally:
            self._port.close()

    def _ask(self, command: str) -> list[str]:
        """What is said with the `ack`."""
        self._port.write(command.encode() + b"\r\n")
        said: list[str] = []
        while True:
            text = self._line(_ANSWER_SECONDS, command).replace(PROMPT, "").strip()
            if text.startswith("ack"):
                return [*said, text.removeprefix("ack").replace(command, "", 1).strip()]
            if text.startswith("error"):
                raise DeviceRefusedError(self._port.name, f"'{command}'", text[:120])
            if len(said) > 100:
                raise FrameError(self._port.name, f"'{command}'", "no ack in 100 lines", 1)
            said.append(text)

    def _line(self, seconds: float, what: str = "the measurement") -> str:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._received:
            if chunk := self._port.read():
                self._received += chunk
                deadline = time.monotonic() + seconds
            if len(self._received) > _LONGEST_LINE and b"\n" not in self._received:
                raise FrameError(self._port.name, what, f"a line of more than {_LONGEST_LINE} bytes: no LPM01A", 1)
            if time.monotonic() > deadline:
                raise DeviceSilentError(self._port.name, f"{what} of an LPM01A", seconds, 1)
        line, self._received = self._received.split(b"\n", 1)
        return line.decode("ascii", errors="replace").strip("\r\0 ")


def open_meter(settings: MeterSettings) -> Meter:
    return Lpm01a(settings)

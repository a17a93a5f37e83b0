"""Nordic Power Profiler Kit II, over its USB serial port.

Commands are single bytes; while it measures, the kit sends a word of four bytes for each of 100,000 samples a second,
little-endian: 14 bits ADC, 3 bits range from bit 14, 6 bits counter from bit 18, 8 bits of digital inputs from bit 24
(so nRF Connect's Power Profiler reads it). The counter is checked: a trace with a gap is refused. The published Python
package for this kit is under the GPL and does not look at the counter; tests use it as the second witness.

The kit's application smooths three samples after each change of range; here they are left as they were measured.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from leadwire.device.port import Port
from leadwire.energy.trace import Accuracy, MeterIdentity, Trace
from leadwire.errors import DeviceError, DeviceSilentError, FrameError, LeadwireError

from . import Meter, MeterSettings

SAMPLE_HZ = 100_000.0
RANGES = 5
AVERAGE_START, AVERAGE_STOP, RUN, REGULATOR, POWER_MODE, METADATA = 0x06, 0x07, 0x0C, 0x0D, 0x11, 0x19
ADC_VOLTS = 1.8 / 163_840
ACCURACY = Accuracy(
    gain=0.20, offset_a=200e-9, voltage_gain=0.0, voltage_offset_v=0.05, clock=100e-6,
    source="leadwire's cautious default for an uncalibrated PPK2: 20 % of the current, 200 nA, 50 mV",
)  # fmt: skip
_NOMINAL = {
    "R": (1031.64, 101.65, 10.15, 0.94, 0.043),
    **dict.fromkeys(("GS", "GI", "UG"), (1.0,) * RANGES),
    **dict.fromkeys(("O", "S", "I"), (0.0,) * RANGES),
}
_LONGEST_METADATA = 65_536
_ANSWER_SECONDS = 3.0
_SETTLE_SECONDS = 0.05


class Calibration:
    """The factors that the kit keeps for each range, or their nominal values where it names none."""

    def __init__(self, text: str) -> None:
        found = dict(re.findall(r"(?m)^([A-Za-z]{1,12}\d?): ?(\S{1,40})", text))
        self.serial = f"hardware {found['HW']}" if "HW" in found else ""
        self.factors = {
            key: np.array([_factor(found.get(f"{key}{index}", ""), nominal[index]) for index in range(RANGES)])
            for key, nominal in _NOMINAL.items()
        }

    def current_a(self, words: np.ndarray, voltage_v: float) -> np.ndarray:
        adc = (words & 0x3FFF).astype(np.float64) * 4
        place = np.minimum(words >> 14 & 7, RANGES - 1)
        f = {key: values[place] for key, values in self.factors.items()}
        plain = (adc - f["O"]) * (ADC_VOLTS / f["R"])
        current: np.ndarray = f["UG"] * (plain * (f["GS"] * plain + f["GI"]) + (f["S"] * voltage_v + f["I"]))
        return current


def _factor(text: str, nominal: float) -> float:
    """A resistance of 0, which some kits keep, is none."""
    try:
        value = float(text)
    except ValueError:
        return nominal
    return value if np.isfinite(value) and (value != 0 or nominal in (0.0, 1.0)) else nominal


class Ppk2(Meter):
    def __init__(self, settings: MeterSettings) -> None:
        self._voltage_v = settings.need_voltage(0.8, 5.0)
        self._marker = settings.marker
        self._port = Port(settings.address, 9600, write_timeout_s=1.0)
        try:
            text = self._metadata()
            self._calibration = Calibration(text)
            self.identity = MeterIdentity(
                kind="Nordic PPK2",
                serial=self._calibration.serial,
                simulated="SIMULATED" in text,
                accuracy=settings.accuracy or ACCURACY,
            )
            self._send(POWER_MODE, 2 if settings.supply else 1)
            steps = round(self._voltage_v * 1000) - 800 + 32
            self._send(REGULATOR, 3 + steps // 256, steps % 256)
            self._send(RUN, 1)
        except BaseException:
            self._port.close()
            raise

    def record(self, during: Callable[[], None]) -> Trace:
        chunks: list[bytes] = []
        stop = threading.Event()
        failed: list[LeadwireError] = []

        def listen() -> None:
            try:
                while not stop.is_set():
                    chunks.append(self._port.read())
                stopped = last = time.monotonic()
                while max(last, stopped) - stopped < _ANSWER_SECONDS and time.monotonic() - last < _SETTLE_SECONDS:
                    if chunk := self._port.read():  # was on the way
                        chunks.append(chunk)
                        last = time.monotonic()
            except LeadwireError as error:
                failed.append(error)

        self._drain()
        self._send(AVERAGE_START)
        listener = threading.Thread(target=listen, name="ppk2", daemon=True)
        listener.start()
        try:
            time.sleep(_SETTLE_SECONDS)
            during()
            time.sleep(_SETTLE_SECONDS)
        finally:
            self._send(AVERAGE_STOP)
            stop.set()
            listener.join()
        if failed:
            raise failed[0]
        return self._trace(b"".join(chunks))

    def _trace(self, data: bytes) -> Trace:
        words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
        if not len(words):
            raise DeviceSilentError(self._port.name, "the start of the measurement", _SETTLE_SECONDS, 1)
        steps: npt.NDArray[np.int64] = np.mod(np.diff((words >> 18 & 63).astype(np.int64)), 64)
        if np.any(steps != 1):
            first = int(np.flatnonzero(steps != 1)[0])
            raise FrameError(
                self._port.name,
                "the measurement",
                f"samples were lost after sample {first} of {len(words)} ({int((steps != 1).sum())} gaps)",
                1,
            )
        return Trace(
            sample_hz=SAMPLE_HZ,
            current_a=self._calibration.current_a(words, self._voltage_v),
            voltage_v=np.array([self._voltage_v]),
            marker=(words >> (24 + self._marker) & 1).astype(bool),
            meter=self.identity,
            source=self._port.name,
        )

    def close(self) -> None:
        self._port.close()

    def _metadata(self) -> str:
        self._send(AVERAGE_STOP)
        self._drain()
        self._send(METADATA)
        text = b""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while b"END" not in text:
            text += self._port.read()
            if len(text) > _LONGEST_METADATA:
                raise FrameError(self._port.name, "the calibration", "more than 65536 bytes, no END: no PPK2", 1)
            if time.monotonic() > deadline:
                raise DeviceSilentError(self._port.name, "the calibration of a PPK2", _ANSWER_SECONDS, 1)
        return text.decode("ascii", errors="replace")

    def _drain(self) -> None:
        quiet_since = time.monotonic()
        started = quiet_since
        while time.monotonic() - quiet_since < 0.1:
            if self._port.read():
                quiet_since = time.monotonic()
            if time.monotonic() - started > _ANSWER_SECONDS:
                raise DeviceError(f"'{self._port.name}' does not stop sending", hint="is it a PPK2? plug it in again")

    def _send(self, *command: int) -> None:
        if not self._port.write(bytes(command)):
            raise DeviceSilentError(self._port.name, f"command {command[0]:#04x}", 1.0, 1)


def open_meter(settings: MeterSettings) -> Meter:
    return Ppk2(settings)

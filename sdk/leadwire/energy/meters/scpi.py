"""Any meter that speaks SCPI, through PyVISA: the board is supplied by something else, and this measures its current.

It takes `--meter-option` in the words of the instrument: `setup` (commands with ';' between, sent first), `start`
(default `INIT`), `fetch` (default `FETC?`, which answers with all samples as numbers with commas), `backend` (PyVISA's,
default `@py`). The instrument must sample at even distances (`--sample-hz`) for as long as the run takes. It has no
marker: the windows come from the device's clock and sync pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from leadwire.energy.trace import MeterIdentity, Trace
from leadwire.errors import BadInputError, DeviceError, DeviceSilentError, FrameError

from . import Meter, MeterSettings, missing_library

MOST_ANSWER = 1 << 26
_TIMEOUT_MS = 10_000


class Scpi(Meter):
    def __init__(self, settings: MeterSettings, manager: Any) -> None:
        """`manager` is a PyVISA resource manager."""
        if not settings.address:
            raise BadInputError(
                "a SCPI meter needs its VISA resource name",
                hint="for example TCPIP::192.0.2.7::INSTR, ASRL/dev/ttyUSB0",
            )
        if settings.sample_hz is None or not 0 < settings.sample_hz <= 1e7:
            raise BadInputError("a SCPI meter needs its sampling rate", hint="give --sample-hz, as `setup` sets it")
        self._settings = settings
        self._voltage_v = settings.need_voltage(0.1, 60.0)
        accuracy = settings.need_accuracy("scpi")
        self._sample_hz = settings.sample_hz
        try:
            self._instrument = manager.open_resource(settings.address)
            self._instrument.timeout = _TIMEOUT_MS
            self._instrument.read_termination = settings.option("termination", "\n").encode().decode("unicode_escape")
            self._instrument.write_termination = self._instrument.read_termination
        except Exception as error:
            raise DeviceError(f"'{settings.address}' cannot be opened: {error}") from error
        try:
            name = self._ask("*IDN?")
            if not name:
                raise DeviceError(
                    f"'{settings.address}' does not say who it is", hint="check the VISA resource name and the cable"
                )
            self.identity = MeterIdentity(
                kind="SCPI", serial=name[:120], simulated=_is_simulated(manager, name), accuracy=accuracy
            )
            for command in filter(None, map(str.strip, settings.option("setup", "").split(";"))):
                self._tell(command)
        except BaseException:
            self.close()
            raise

    def record(self, during: Callable[[], None]) -> Trace:
        self._tell(self._settings.option("start", "INIT"))
        during()
        answer = self._ask(self._settings.option("fetch", "FETC?"))
        try:
            values = np.array([float(cell) for cell in answer.split(",")], np.float64)
        except ValueError:
            raise FrameError(self._settings.address, "the samples", f"'{answer[:60]}' are not numbers", 1) from None
        if not np.isfinite(values).all() or np.any(np.abs(values) > 1e6):
            raise FrameError(self._settings.address, "the samples", "one is out of range (9.9E37 is SCPI's NaN)", 1)
        return Trace(
            sample_hz=self._sample_hz,
            current_a=values,
            voltage_v=np.array([self._voltage_v]),
            meter=self.identity,
            source=self._settings.address,
        )

    def close(self) -> None:
        self._instrument.close()

    def _tell(self, command: str) -> None:
        try:
            self._instrument.write(command)
        except Exception as error:
            raise DeviceError(f"'{self._settings.address}' did not take '{command[:60]}': {error}") from error

    def _ask(self, command: str) -> str:
        try:
            answer = str(self._instrument.query(command))
        except Exception as error:
            if "TMO" in str(error):
                raise DeviceSilentError(self._settings.address, f"'{command[:60]}'", _TIMEOUT_MS / 1000, 1) from error
            raise DeviceError(f"'{self._settings.address}' did not answer '{command[:60]}': {error}") from error
        if len(answer) > MOST_ANSWER:
            raise FrameError(self._settings.address, f"'{command[:60]}'", f"more than {MOST_ANSWER} characters", 1)
        return answer.strip()


def _is_simulated(manager: Any, name: str) -> bool:
    """By PyVISA's backend, whatever the simulated instrument calls itself, and by its name."""
    return "pyvisa_sim" in type(manager.visalib).__module__ or "SIMULATED" in name.upper()


def open_meter(settings: MeterSettings) -> Meter:
    try:
        import pyvisa
    except ImportError:
        raise missing_library("scpi", "pyvisa") from None
    backend = settings.option("backend", "@py")
    try:
        manager = pyvisa.ResourceManager(backend)
    except Exception as error:
        raise BadInputError(
            f"PyVISA's backend '{backend}' cannot be used: {error}", hint="@py, @ivi or FILE@sim"
        ) from error
    return Scpi(settings, manager)

"""Joulescope JS110 and JS220 through the maker's package `joulescope`.

The stream buffer gives current and voltage, and the general purpose inputs in place of their lowest bits: input 0 as
`current_lsb`, input 1 as `voltage_lsb` (package `joulescope` 1.5, where a JS220 has no other way).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from leadwire.energy.trace import MeterIdentity, Trace
from leadwire.errors import BadInputError, DeviceError

from . import Meter, MeterSettings, missing_library

MOST_SECONDS = 25.0
"""The driver keeps the last 30 s of its stream."""
_SETTLE_SECONDS = 0.1


class Joulescope(Meter):
    def __init__(self, settings: MeterSettings, device: Any) -> None:
        """`device` is what `joulescope.scan` gives, not yet open."""
        if settings.marker > 1:
            raise BadInputError(
                f"a Joulescope streams no input {settings.marker}", hint="wire the marker to input 0 or 1"
            )
        self._device = device
        self._marker = ("current_lsb", "voltage_lsb")[settings.marker]
        try:
            device.open()
            rate = int(settings.sample_hz or 1_000_000)
            for name, value in (
                ("sampling_frequency", rate),
                ("i_range", "auto"),
                ("v_range", settings.option("v_range", "15V")),
                ("io_voltage", settings.option("io_voltage", "3.3V")),
                ("current_lsb", "gpi0"),
                ("voltage_lsb", "gpi1"),
            ):
                device.parameter_set(name, value)
        except Exception as error:
            raise DeviceError(f"the Joulescope cannot be set up: {error}") from error
        self._rate = float(rate)
        self.identity = MeterIdentity(
            kind="Joulescope",
            serial=str(device)[:64],
            simulated="SIMULATED" in str(device).upper(),
            accuracy=settings.need_accuracy("joulescope"),
        )

    def record(self, during: Callable[[], None]) -> Trace:
        try:
            self._device.start(stop_fn=None, duration=None, contiguous_duration=None)
            time.sleep(_SETTLE_SECONDS)
            buffer = self._device.stream_buffer
            began = buffer.sample_id_range[1]
            started = time.monotonic()
            during()
            seconds = time.monotonic() - started
            time.sleep(_SETTLE_SECONDS)
            ended = buffer.sample_id_range[1]
            if seconds > MOST_SECONDS or buffer.sample_id_range[0] > began:
                raise DeviceError(
                    f"the run took {seconds:.0f} s, the buffer holds {MOST_SECONDS:g} s", hint="fewer runs"
                )
            data = buffer.samples_get(began, ended, fields=["current", "voltage", self._marker])
            self._device.stop()
        except DeviceError:
            raise
        except Exception as error:
            raise DeviceError(f"the Joulescope does not stream: {error}") from error
        signals = {name: np.asarray(data["signals"][name]["value"]) for name in ("current", "voltage", self._marker)}
        missing = int(np.isnan(signals["current"].astype(np.float64)).sum())
        if missing or not len(signals["current"]):
            raise DeviceError(f"{missing} of {len(signals['current'])} samples of the Joulescope were lost")
        return Trace(
            sample_hz=self._rate,
            current_a=signals["current"].astype(np.float64),
            voltage_v=signals["voltage"].astype(np.float64),
            marker=signals[self._marker] > 0,
            meter=self.identity,
            source=self.identity.serial,
        )

    def close(self) -> None:
        self._device.close()


def open_meter(settings: MeterSettings) -> Meter:
    """`address` is a part of the serial number; '' where one Joulescope is connected."""
    try:
        import joulescope
    except ImportError:
        raise missing_library("joulescope", "joulescope") from None
    found = [device for device in joulescope.scan(config="ignore") if settings.address in str(device)]
    if len(found) != 1:
        raise BadInputError(
            f"{len(found)} Joulescopes are connected" + (f" with '{settings.address}'" if settings.address else ""),
            hint="connect one, or give its serial number as --meter-address",
        )
    return Joulescope(settings, found[0])

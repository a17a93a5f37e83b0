"""A meter that measures an emulated board: a simulated PPK2 (or LPM01A) with its real driver before it.

Its logic input is wired to the board's marker pin, and the current follows the core: running or waiting for an
interrupt. Options: `kind` ppk2 or lpm01a; `run_ma` and `wait_ma`, the two currents. Every figure is stamped SIMULATED.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from leadwire.device.running import RunningBoard
from leadwire.energy.simulated import SimulatedMeter
from leadwire.energy.simulated.board import RUN_A, WAIT_A, BoardDrain
from leadwire.energy.simulated.lpm01a import SimulatedLpm01a
from leadwire.energy.simulated.ppk2 import SimulatedPpk2
from leadwire.energy.trace import Trace
from leadwire.errors import BadInputError

from . import Meter, MeterSettings
from .lpm01a import Lpm01a
from .ppk2 import Ppk2

_MOST_A = 0.5


class Simulated(Meter):
    def __init__(self, settings: MeterSettings) -> None:
        self._drain = BoardDrain(
            run_a=_amperes(settings, "run_ma", RUN_A), wait_a=_amperes(settings, "wait_ma", WAIT_A)
        )
        kind = settings.option("kind", "ppk2")
        if kind not in ("ppk2", "lpm01a"):
            raise BadInputError(f"there is no simulated meter '{kind}'", hint="--meter-option kind=ppk2 or kind=lpm01a")
        self._meter: SimulatedMeter = (
            SimulatedPpk2(self._drain, marker=settings.marker) if kind == "ppk2" else SimulatedLpm01a(self._drain)
        )
        self._meter.__enter__()
        settings = replace(settings, address=self._meter.port)
        try:
            self._driver: Meter = Ppk2(settings) if kind == "ppk2" else Lpm01a(settings)
        except BaseException:
            self._meter.__exit__()
            raise
        self.identity = self._driver.identity

    def follow(self, board: RunningBoard) -> None:
        if board.activity is None:
            raise BadInputError(
                f"board '{board.board.id}' does not tell what its core does, which the simulated meter measures",
                hint="measure a board of the built-in emulator (virtual-stm32f405, without --port), or take a meter",
            )
        self._drain.follow(board.activity)

    def record(self, during: Callable[[], None]) -> Trace:
        return self._driver.record(during)

    def close(self) -> None:
        try:
            self._driver.close()
        finally:
            self._meter.__exit__()


def _amperes(settings: MeterSettings, name: str, default: float) -> float:
    text = settings.option(name, "")
    try:
        value = float(text) / 1000 if text else default
    except ValueError:
        value = -1.0
    if not 0 < value <= _MOST_A:
        raise BadInputError(
            f"meter option {name}={text} is no current", hint=f"more than 0, at most {_MOST_A * 1000:g} mA"
        )
    return value


def open_meter(settings: MeterSettings) -> Meter:
    return Simulated(settings)

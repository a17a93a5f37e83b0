"""Meters, one module each, found by its name. A module has

    def open_meter(settings: MeterSettings) -> Meter

and loads its library, where it needs one, only there. A meter records while a function runs.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from leadwire.device.running import RunningBoard
from leadwire.energy.trace import Accuracy, MeterIdentity, Trace
from leadwire.errors import BadInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """`address` is a serial port or a VISA resource name, '' where the meter is found by itself. `voltage_v` is what
    the meter is to supply, or what the board is supplied with where the meter only measures current. `accuracy` None:
    the module's own figures. `marker` is the number of the digital input that the board's marker pin is wired to.
    """

    address: str = ""
    voltage_v: float | None = None
    sample_hz: float | None = None
    supply: bool = True
    marker: int = 0
    accuracy: Accuracy | None = None
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str, default: str) -> str:
        return dict(self.options).get(name, default)

    def need_voltage(self, low_v: float, high_v: float) -> float:
        if self.voltage_v is None or not low_v <= self.voltage_v <= high_v:
            found = "not given" if self.voltage_v is None else f"{self.voltage_v:g} V"
            raise BadInputError(
                f"the supply voltage is {found}, this meter needs {low_v:g} to {high_v:g} V", hint="give --voltage-mv"
            )
        return self.voltage_v

    def need_accuracy(self, meter: str) -> Accuracy:
        if self.accuracy is None:
            raise BadInputError(
                f"meter '{meter}' does not say how accurate it is",
                hint="give --accuracy with a TOML file: gain, offset_a, voltage_gain, ... as its data sheet has them",
            )
        return self.accuracy


class Meter(ABC):
    """A context manager; leaving it stops the measurement. A board that the meter supplies stays supplied."""

    identity: MeterIdentity

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def follow(self, board: RunningBoard) -> None:
        """Told which board is measured, once it runs. A real meter is wired to it; a simulated one needs to know."""
        return

    @abstractmethod
    def record(self, during: Callable[[], None]) -> Trace:
        """What is measured from before `during` is called until after it has returned. DeviceError where samples were
        lost: a trace is whole or there is none."""

    @abstractmethod
    def close(self) -> None: ...


def meters() -> tuple[str, ...]:
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def open_meter(name: str, settings: MeterSettings) -> Meter:
    """BadInputError for an unknown meter or a missing library, DeviceError where the meter does not answer."""
    if name not in meters():
        raise BadInputError(f"there is no meter '{name}'", hint=f"--meter is one of {', '.join(meters())}")
    module = importlib.import_module(f"{__name__}.{name}")
    opened: Meter = module.open_meter(settings)
    return opened


def missing_library(meter: str, package: str) -> BadInputError:
    return BadInputError(
        f"meter '{meter}' needs the Python package '{package}', which is not installed",
        hint="install leadwire with its extra: pip install 'leadwire[power]'",
    )

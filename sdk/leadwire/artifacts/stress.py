"""Float and INT8 on disturbed signals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .statistic import Interval, Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class StressFigure:
    """An endpoint's figure under one condition. `loss` is float - INT8; `excess` is that loss less the loss of the same
    beats undisturbed: above zero where quantization hurts more because the signal is bad.
    """

    endpoint: str
    float_value: float
    int8_value: float
    loss: Statistic
    excess: Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class StressWitness:
    """What TFLite Micro's interpreter or desktop TFLite answered to `beats` of a condition's: `identical` of them with
    the bytes of the generated C, `decisions_changed` with another class.
    """

    runtime: Literal["tflm", "tflite"]
    beats: int
    identical: int
    decisions_changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StressCondition:
    """One disturbance at one level (`level` None: undisturbed). INT8 is the generated C on the host; `device_identical`
    of the `device_beats` sent to the device gave the same bytes.
    """

    title: str
    level: float | None
    unit: str
    beats: int
    patients: int
    device_beats: int
    device_identical: int
    figures: tuple[StressFigure, ...]
    witnesses: tuple[StressWitness, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StressResult:
    """The stress matrix of a protocol: the undisturbed recordings first, then each condition at each level.

    `seconds` of each recording were taken, 0 for all; `predictions_digest` is the SHA-256 of stress.csv.
    """

    protocol_digest: str
    model_digest: str
    seconds: float
    seed: int
    predictions_digest: str
    conditions: tuple[StressCondition, ...]

    @property
    def device_differs(self) -> tuple[StressCondition, ...]:
        """Conditions under which device and host gave other bytes."""
        return tuple(one for one in self.conditions if one.device_identical != one.device_beats)

    @property
    def host_differs(self) -> tuple[StressCondition, ...]:
        """Conditions under which TFLite Micro, the specification of the arithmetic, gave other bytes than the generated
        C."""
        return tuple(
            one
            for one in self.conditions
            if any(other.runtime == "tflm" and other.identical != other.beats for other in one.witnesses)
        )

    @property
    def witnesses(self) -> tuple[StressWitness, ...]:
        """Each runtime that was asked, summed over all conditions."""
        asked = [other for one in self.conditions for other in one.witnesses]
        return tuple(
            StressWitness(
                runtime=runtime,
                beats=sum(one.beats for one in asked if one.runtime == runtime),
                identical=sum(one.identical for one in asked if one.runtime == runtime),
                decisions_changed=sum(one.decisions_changed for one in asked if one.runtime == runtime),
            )
            for runtime in dict.fromkeys(one.runtime for one in asked)
        )

    @property
    def harmed(self) -> tuple[tuple[StressCondition, StressFigure], ...]:
        """Figures that quantization shows to hurt more under a condition: the whole interval is above zero."""
        return self._where(lambda interval: interval.low > 0)

    @property
    def spared(self) -> tuple[tuple[StressCondition, StressFigure], ...]:
        """Figures that it hurts less: the whole interval is below zero."""
        return self._where(lambda interval: interval.high < 0)

    @property
    def compared(self) -> int:
        """Figures that have an interval."""
        return len(self._where(lambda interval: True))

    def _where(self, holds: Callable[[Interval], bool]) -> tuple[tuple[StressCondition, StressFigure], ...]:
        return tuple(
            (one, figure)
            for one in self.conditions
            if one.level is not None
            for figure in one.figures
            if figure.excess.interval is not None and holds(figure.excess.interval)
        )

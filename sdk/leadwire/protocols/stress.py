"""Stress conditions: what is done to the recordings, how much, and on how many beats it is shown.

The signal is changed before the front end, the reference beats stay: so what is asked is what the network makes of a
bad signal, not what a beat detector does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

StressKind: TypeAlias = Literal[
    "electrode_motion",
    "muscle",
    "baseline_wander",
    "noise_record",
    "mains",
    "saturation",
    "lead_off",
    "gain",
    "sampling_rate",
]

RANGES: dict[StressKind, tuple[str, float, float]] = {
    "electrode_motion": ("dB SNR", -40, 80),
    "muscle": ("dB SNR", -40, 80),
    "baseline_wander": ("dB SNR", -40, 80),
    "noise_record": ("dB SNR", -40, 80),
    "mains": ("mV peak", 0.001, 50),
    "saturation": ("mV either side", 0.01, 50),
    "lead_off": ("s in each minute", 0.1, 59),
    "gain": ("times", 0.01, 100),
    "sampling_rate": ("% too fast", -20, 20),
}
"""Unit of a kind's level, and its least and greatest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One kind of disturbance at several levels, in the unit of `RANGES`.

    The first three are made by seeded models, `noise_record` adds the signal `signal` of a WFDB record of the user's
    (`record`: a path without ending, relative to the protocol file; PhysioNet's nstdb has em, ma and bw). SNR is as in
    PhysioNet's `nst`. `mains` is a sine at `frequency_hz`; `saturation` clips around the recording's median; `lead_off`
    holds the last value once a minute; `gain` multiplies; `sampling_rate` is a converter whose clock is off, by so many
    per cent, from what the front end takes it for.
    """

    kind: StressKind
    levels: Annotated[tuple[float, ...], Field(min_length=1, max_length=50)]
    frequency_hz: Annotated[float, Field(ge=40, le=70)] | None = None
    record: str = ""
    signal: Annotated[int, Field(ge=0, le=63)] = 0
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""

    @property
    def unit(self) -> str:
        return RANGES[self.kind][0]

    @property
    def title(self) -> str:
        words = self.kind.replace("_", " ")
        if self.frequency_hz is not None:
            return f"{words} {self.frequency_hz:g} Hz"
        return f"{words} {self.record}:{self.signal}" if self.record else words


@dataclass(frozen=True, slots=True, kw_only=True)
class StressRule:
    """`seconds` of each test recording from its start, 0 for all, under each condition; `device_beats` of them, drawn
    evenly, go to the device under each condition and `witness_beats` to TFLite Micro and desktop TFLite; the
    generated C on the host answers all.
    """

    conditions: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=32)]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 1
    seconds: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    device_beats: Annotated[int, Field(ge=1, le=10**6)] = 20
    witness_beats: Annotated[int, Field(ge=0, le=10**6)] = 200


def contradictions(rule: StressRule | None) -> Iterator[str]:
    """What the types cannot say."""
    titles: list[str] = []
    for i, condition in enumerate(() if rule is None else rule.conditions):
        at = f"stress.conditions[{i}]"
        unit, least, most = RANGES[condition.kind]
        if condition.title in titles:
            yield f"{at}: '{condition.title}' appears twice; put all its levels into one"
        titles.append(condition.title)
        for level in condition.levels:
            if not least <= level <= most:
                yield f"{at}.levels: {level:g} is outside {least:g} to {most:g} ({unit})"
        if len(set(condition.levels)) != len(condition.levels):
            yield f"{at}.levels: each level once"
        if (condition.kind == "mains") != (condition.frequency_hz is not None):
            yield f"{at}.frequency_hz: {'missing' if condition.kind == 'mains' else 'is for mains alone'}"
        if (condition.kind == "noise_record") != bool(condition.record):
            yield f"{at}.record: {'missing' if condition.kind == 'noise_record' else 'is for noise_record alone'}"
        if (condition.signal or condition.sha256) and not condition.record:
            yield f"{at}: signal and sha256 are for noise_record alone"

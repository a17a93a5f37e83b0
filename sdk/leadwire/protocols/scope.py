"""Which beats a protocol speaks of: exclusions, populations, subgroups, and operating points on them.

An exclusion takes beats away before anything is judged. A population is a part of the rest that an endpoint may name.
A subgroup divides the rest, and every endpoint is shown for each part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=2000)]
Names: TypeAlias = Annotated[tuple[Text, ...], Field(max_length=10_000)]
SubgroupKind: TypeAlias = Literal["age", "sex", "record", "patient", "lead", "noise"]
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Beats that meet all the conditions given (at least one) are in no figure: recordings, patients, reference
    classes, and the time before `before_s` of each recording (EC57's learning period is 300 s). `reason` says why.
    """

    reason: Text
    records: Names = ()
    patients: Names = ()
    labels: Names = ()
    before_s: Annotated[float, Field(gt=0, le=1e6)] | None = None

    def holds(self, record: str, patient: str, label: str, time_s: float) -> bool:
        conditions = (
            (self.records, record in self.records),
            (self.patients, patient in self.patients),
            (self.labels, label in self.labels),
            (self.before_s, self.before_s is not None and time_s < self.before_s),
        )
        return all(met for given, met in conditions if given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """A part of the test set, by recording and patient: those listed (all, where none is) less those left out."""

    name: Text
    description: Text
    records: Names = ()
    patients: Names = ()
    without_records: Names = ()
    without_patients: Names = ()

    def holds(self, record: str, patient: str) -> bool:
        listed = not (self.records or self.patients) or record in self.records or patient in self.patients
        return listed and record not in self.without_records and patient not in self.without_patients


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """A division of the test set. `edges` part numbers: age in years, noise as signal-to-noise ratio in dB (as
    `datasets.noise` estimates it); a value equal to an edge belongs above it.

    A loss that is above an endpoint's margin in a group, as far as the data can tell, fails the run where `judged`
    holds; otherwise it is shown. No group has to prove that its loss is small: groups are too few patients for that.
    """

    name: Text
    by: SubgroupKind
    edges: Annotated[tuple[float, ...], Field(max_length=20)] = ()
    judged: bool = False

    def group(self, value: str | float | None) -> str:
        """The group of a value: its text, or the span between two edges."""
        if value is None or value == "":
            return UNKNOWN
        if isinstance(value, str):
            return value
        unit = "dB" if self.by == "noise" else "years"
        below = [edge for edge in self.edges if edge <= value]
        above = [edge for edge in self.edges if edge > value]
        if not below:
            return f"below {above[0]:g} {unit}"
        return f"{below[-1]:g} to {above[0]:g} {unit}" if above else f"{below[-1]:g} {unit} and more"

    @property
    def groups(self) -> tuple[str, ...] | None:
        """Groups in order where the edges make them, None where the data do."""
        if not self.edges:
            return None
        between = [f"{one:g} to {other:g}" for one, other in pairwise(self.edges)]
        unit = "dB" if self.by == "noise" else "years"
        spans = [f"below {self.edges[0]:g}", *between, f"{self.edges[-1]:g}"]
        return (*(f"{span} {unit}" for span in spans[:-1]), f"{spans[-1]} {unit} and more", UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A threshold on the output of class `label`, fixed on the float model: the largest at which its sensitivity on the
    test set is at least `sensitivity`. What becomes of it on INT8 is reported.
    """

    name: Text
    label: Text
    sensitivity: Annotated[float, Field(gt=0.0, lt=1.0)]


def contradictions(
    exclusions: tuple[Exclusion, ...], populations: tuple[Population, ...], subgroups: tuple[Subgroup, ...]
) -> Iterator[str]:
    """What the types cannot say."""
    for i, rule in enumerate(exclusions):
        if not (rule.records or rule.patients or rule.labels or rule.before_s):
            yield f"exclusions[{i}]: excludes everything; give records, patients, labels or before_s"
    for i, population in enumerate(populations):
        if not any((population.records, population.patients, population.without_records, population.without_patients)):
            yield f"populations[{i}]: '{population.name}' is the whole test set; list records or patients"
    for i, subgroup in enumerate(subgroups):
        if (subgroup.by in ("age", "noise")) != bool(subgroup.edges):
            needed = "must be given" if subgroup.by in ("age", "noise") else "are for age and noise alone"
            yield f"subgroups[{i}].edges: {needed}"
        if any(one >= other for one, other in pairwise(subgroup.edges)):
            yield f"subgroups[{i}].edges: must rise"

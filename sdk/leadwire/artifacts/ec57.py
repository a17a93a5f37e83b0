"""Figures by ANSI/AAMI EC57."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .statistic import Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec57Runs:
    """Run-by-run comparison of ventricular ('VE') or supraventricular ('SVE') ectopic runs of one record or of all.

    `sensitivity[r][t]` counts the reference's runs of r beats in which the test's longest is of t, 6 for six and more;
    `positive_predictivity[r][t]` the test's runs of t beats in which the reference's longest is of r.
    """

    kind: Literal["VE", "SVE"]
    sensitivity: tuple[tuple[int, ...], ...]
    positive_predictivity: tuple[tuple[int, ...], ...]

    def counts(self, shortest: int, longest: int) -> tuple[int, int, int, int]:
        """TP and FN of sensitivity, TP and FP of positive predictivity, for runs of `shortest` to `longest` beats."""
        of_length = range(shortest, longest + 1)
        seen = [(row, test) for row in of_length for test in range(7)]
        said = [(row, test) for test in of_length for row in range(7)]
        return (
            sum(self.sensitivity[row][test] for row, test in seen if test >= shortest),
            sum(self.sensitivity[row][test] for row, test in seen if test < shortest),
            sum(self.positive_predictivity[row][test] for row, test in said if row >= shortest),
            sum(self.positive_predictivity[row][test] for row, test in said if row < shortest),
        )

    @property
    def couplets(self) -> tuple[int, int, int, int]:
        return self.counts(2, 2)

    @property
    def short(self) -> tuple[int, int, int, int]:
        """Runs of 3 to 5 beats."""
        return self.counts(3, 5)

    @property
    def long(self) -> tuple[int, int, int, int]:
        """Runs of 6 beats and more."""
        return self.counts(6, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec57Episodes:
    """Episode-by-episode comparison of atrial ('AF') or ventricular ('VF') fibrillation: reference episodes detected
    and missed, test episodes confirmed and false, and seconds of both that overlap.
    """

    kind: Literal["AF", "VF"]
    detected: int
    missed: int
    confirmed: int
    false: int
    reference_overlap_s: float
    reference_s: float
    test_overlap_s: float
    test_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec57Record:
    """One record by ANSI/AAMI EC57. `matrix` has the rows N S V F Q O X of the reference and the columns n s v f q o x
    of the test; O is no beat, X no beat because of shutdown. `figures` are the shares that follow.
    """

    record: str
    matrix: tuple[tuple[int, ...], ...]
    figures: tuple[Statistic, ...]
    rr_error_ms: float | None
    shutdown_s: int
    runs: tuple[Ec57Runs, ...]
    episodes: tuple[Ec57Episodes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec57Result:
    """A set of records by ANSI/AAMI EC57: each record, all beats pooled (`gross`), and the mean over the records in
    which a figure is defined (`average`). NON-STANDARD where `deviations` says what was done otherwise than the
    standard asks.
    """

    reference: str
    test: str
    database: str
    records: tuple[Ec57Record, ...]
    matrix: tuple[tuple[int, ...], ...]
    gross: tuple[Statistic, ...]
    average: tuple[Statistic, ...]
    rr_error_ms: float | None
    runs: tuple[Ec57Runs, ...]
    episodes: tuple[Ec57Episodes, ...]
    excluded: tuple[tuple[str, str], ...] = ()
    deviations: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    @property
    def standard(self) -> bool:
        return not self.deviations

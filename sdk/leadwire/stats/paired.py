"""The same beats decided twice: intervals of the difference of two proportions, and McNemar's test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, inf, nan, sqrt

from leadwire.artifacts import Interval

from .normal import Floats, normal_cdf, two_sided_z
from .proportions import wilson_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTable:
    """Beats that both got right, only the first, only the second, neither."""

    both: int
    first_only: int
    second_only: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.first_only, self.second_only, self.neither) < 0:
            raise ValueError(f"a paired table has no negative counts: {self}")

    @property
    def n(self) -> int:
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def difference(self) -> float:
        """(first only - second only) / n; NaN for an empty table."""
        return (self.first_only - self.second_only) / self.n if self.n else nan


def newcombe_paired(table: PairedTable, level: float = 0.95) -> Interval:
    """Newcombe's method 10 for a paired difference (Statistics in Medicine 17:2635-2650, 1998).

    Wilson limits of the two proportions, combined by squaring and adding with a continuity-corrected correlation.
    """
    z = two_sided_z(level)
    n = table.n
    method = "Newcombe method 10"
    if n == 0:
        return Interval(low=-1.0, high=1.0, level=level, method=method)
    right_first, right_second = table.both + table.first_only, table.both + table.second_only
    p1, p2 = right_first / n, right_second / n
    low1, high1 = wilson_limits(right_first, n, z)
    low2, high2 = wilson_limits(right_second, n, z)
    covariance = float(table.both * table.neither - table.first_only * table.second_only)
    if covariance > 0:
        covariance = max(covariance - n / 2, 0.0)
    margins = right_first * (n - right_first) * right_second * (n - right_second)
    phi = covariance / sqrt(margins) if margins else 0.0
    below = _square_and_add(p1 - low1, high2 - p2, phi)
    above = _square_and_add(high1 - p1, p2 - low2, phi)
    return Interval(
        low=max(-1.0, table.difference - below), high=min(1.0, table.difference + above), level=level, method=method
    )


def _square_and_add(first: float, second: float, phi: float) -> float:
    return sqrt(max(0.0, first * first - 2 * phi * first * second + second * second))


def tango(table: PairedTable, level: float = 0.95) -> Interval:
    """Tango's score interval of a paired difference (Statistics in Medicine 17:891-908, 1998).

    The limits are the differences delta whose score statistic, with its variance restricted to delta, is +-z; the
    statistic falls monotonically with delta, so each limit is found by bisection. Without a single changed decision
    the interval is +- z^2 / (n + z^2): no change in n beats still excludes no smaller loss than that.
    """
    z = two_sided_z(level)
    n = table.n
    method = "Tango score"
    if n == 0:
        return Interval(low=-1.0, high=1.0, level=level, method=method)
    difference = table.difference
    high = _bisect(lambda delta: _tango_score(table, delta) <= -z, difference, 1.0)
    low = -_bisect(lambda delta: _tango_score(table, -delta) >= z, -difference, 1.0)
    return Interval(low=low, high=high, level=level, method=method)


def tango_p_value(table: PairedTable, margin: float) -> float:
    """One-sided p of Tango's score test that the first is better by `margin` or more; a small one speaks against it.

    It is below alpha exactly where the upper limit of the interval of level 1 - 2 alpha is below the margin.
    """
    return 1.0 if table.n == 0 else normal_cdf(_tango_score(table, margin))


def _tango_score(table: PairedTable, delta: float) -> float:
    """(b - c - n delta) / sqrt(n (2 q + delta (1 - delta))), q the restricted estimate of P(second only)."""
    n, b, c = table.n, table.first_only, table.second_only
    excess = b - c - n * delta
    half_b = -b - c + (2 * n - b + c) * delta
    q = (sqrt(max(0.0, half_b * half_b + 8 * n * c * delta * (1 - delta))) - half_b) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    if variance <= 0:
        return 0.0 if excess == 0 else (inf if excess > 0 else -inf)
    return excess / sqrt(variance)


def _bisect(reached: Callable[[float], bool], start: float, end: float) -> float:
    """The point of [start, end] from which on `reached` holds; `end` where it never does."""
    if start >= end:
        return end
    for _ in range(100):
        middle = (start + end) / 2
        if reached(middle):
            end = middle
        else:
            start = middle
    return end


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Two-sided p values. They test that two runtimes are *equal*; they say nothing of non-inferiority."""

    exact: float
    mid_p: float


def mcnemar(first_only: int, second_only: int) -> McNemar:
    """Exact conditional test (McNemar 1947) and its mid-p form (Fagerland, Lydersen, Laake, BMC MRM 13:91, 2013)."""
    from scipy.stats import binom

    if min(first_only, second_only) < 0:
        raise ValueError(f"negative counts: {first_only}, {second_only}")
    changed = first_only + second_only
    if changed == 0:
        return McNemar(exact=1.0, mid_p=1.0)
    fewer = min(first_only, second_only)
    tail = 2 * float(binom.cdf(fewer, changed, 0.5))
    point = float(binom.pmf(fewer, changed, 0.5))
    mid_p = 1.0 if first_only == second_only else min(1.0, max(0.0, tail - point))  # both may be below the least float
    return McNemar(exact=min(1.0, tail), mid_p=mid_p)


def obuchowski_p_value(differences: Floats) -> float:
    """Two-sided p that two proportions over the same beats of the same patients are *equal*: McNemar's question, with
    patients instead of beats for independent (Obuchowski, Statistics in Medicine 17:1495-1507, 1998).

    `differences` [patients]: beats that only the first got right less those that only the second did, one entry for
    each patient with beats that count. X^2 = (K - 1) / K (sum d)^2 / sum d^2 on one degree of freedom, in the form that
    Yang, Sun and Hardin (Biometrical Journal 52:638-652, 2010) give it. Chosen because it is about the difference of
    the pooled shares, as the endpoints are, and errs to the safe side with few patients. NaN for fewer than two
    patients.
    """
    patients = len(differences)
    if patients < 2:
        return nan
    total, spread = float(differences.sum()), float((differences**2).sum())
    if spread == 0:
        return 1.0
    return erfc(sqrt((patients - 1) / patients * total * total / spread / 2))

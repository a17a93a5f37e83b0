"""Intervals, tests and the patient bootstrap behind every verdict. Formulas and sources: docs/manual/statistics.md.

Proportions are fractions (0.01 is one percentage point), `level` is the two-sided confidence (0.95). A difference is
always *first minus second*: with float first and INT8 second it is the loss, positive when INT8 is worse. An empty
sample yields the whole range of the parameter, never an exception: nothing seen, nothing excluded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, isfinite, nan, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import Interval

Floats = npt.NDArray[np.float64]
BootstrapMethod = Literal["percentile", "bca"]

_NORMAL = NormalDist()
_DRAWS_AT_ONCE = 2_000_000


def normal_quantile(probability: float) -> float:
    return _NORMAL.inv_cdf(probability)


def _two_sided_z(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"confidence level {level} is not between 0 and 1")
    return normal_quantile(0.5 + level / 2.0)


# ---------------------------------------------------------------------------------------------- one proportion


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of successes/n (Wilson, JASA 22, 1927), without continuity correction."""
    _check_count(successes, n)
    low, high = _wilson_limits(successes, n, _two_sided_z(level))
    return Interval(low=low, high=high, level=level, method="Wilson score")


def _wilson_limits(successes: int, n: int, z: float) -> tuple[float, float]:
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Exact binomial interval of successes/n (Clopper and Pearson, Biometrika 26, 1934); never covers too little."""
    from scipy.stats import beta

    _check_count(successes, n)
    _two_sided_z(level)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return Interval(low=low, high=high, level=level, method="Clopper-Pearson")


def _check_count(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")


# ---------------------------------------------------------------------------------------------- two, paired


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
    z = _two_sided_z(level)
    n = table.n
    method = "Newcombe method 10"
    if n == 0:
        return Interval(low=-1.0, high=1.0, level=level, method=method)
    right_first, right_second = table.both + table.first_only, table.both + table.second_only
    p1, p2 = right_first / n, right_second / n
    low1, high1 = _wilson_limits(right_first, n, z)
    low2, high2 = _wilson_limits(right_second, n, z)
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
    z = _two_sided_z(level)
    n = table.n
    method = "Tango score"
    if n == 0:
        return Interval(low=-1.0, high=1.0, level=level, method=method)
    difference = table.difference
    high = _bisect(lambda delta: _tango_score(table, delta) <= -z, difference, 1.0)
    low = -_bisect(lambda delta: _tango_score(table, -delta) >= z, -difference, 1.0)
    return Interval(low=low, high=high, level=level, method=method)


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
    return McNemar(exact=min(1.0, tail), mid_p=1.0 if first_only == second_only else min(1.0, tail - point))


# ---------------------------------------------------------------------------------------------- paired ratios


def ratio_loss(sums: Floats) -> Floats:
    """First ratio minus second of sums [..., 4] (numerator, denominator, numerator, denominator); NaN where empty."""
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = sums[..., 0] / sums[..., 1] - sums[..., 2] / sums[..., 3]
    return np.asarray(np.where(np.isfinite(loss), loss, nan), dtype=np.float64)


def paired_ratio_delta(beats: Floats, level: float = 0.95, *, unseen: Floats | None = None) -> Interval:
    """Delta-method interval of the difference of two ratios over the same beats, rows [n, 4] as in `ratio_loss`.

    For figures whose denominator depends on the prediction (positive predictivity, F1), where Newcombe and Tango do
    not apply. Linearised as Moskowitz and Pepe do for predictive values (Clinical Trials 3:272-279, 2006). `unseen`
    are kinds of changed beats, half a beat of each being added as Agresti and Min do for paired proportions
    (Statistics in Medicine 24:729-740, 2005), so that no change in n beats does not yield an interval without width.
    The centre stays the estimate from the beats alone.
    """
    z = _two_sided_z(level)
    kinds, counts = np.unique(beats, axis=0, return_counts=True)
    weights = counts.astype(np.float64)
    centre = float(ratio_loss(beats.sum(axis=0)))
    if unseen is not None:
        kinds = np.concatenate([kinds, unseen])
        weights = np.concatenate([weights, np.full(len(unseen), 0.5)])
    sums = weights @ kinds
    method = "delta method, half a beat added to each kind of change"
    if not isfinite(centre) or sums[1] == 0 or sums[3] == 0:
        return Interval(low=-1.0, high=1.0, level=level, method=method)
    first, second = sums[0] / sums[1], sums[2] / sums[3]
    influence = (kinds[:, 0] - first * kinds[:, 1]) / sums[1] - (kinds[:, 2] - second * kinds[:, 3]) / sums[3]
    half = z * sqrt(float(weights @ influence**2))
    return Interval(low=max(-1.0, centre - half), high=min(1.0, centre + half), level=level, method=method)


# ---------------------------------------------------------------------------------------------- patient bootstrap


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How patients are drawn: `resamples` times as many as there are, with replacement, from `seed`."""

    resamples: int
    seed: int
    method: BootstrapMethod

    def describe(self) -> str:
        name = "BCa" if self.method == "bca" else "percentile"
        return f"patient bootstrap {name}, B={self.resamples}, seed {self.seed}"


def bootstrap_sums(per_patient: Floats, bootstrap: Bootstrap) -> Floats:
    """Sums [B, columns] of the rows of B resamples of the patients [patients, columns].

    A patient is drawn whole, so beats of one patient stay together and pairs stay pairs. Draw k takes patient
    floor(patients x u / 2^32), u the upper half of the k-th 64-bit word of PCG64(seed): numpy guarantees these words
    for all its versions, which it does not do for the methods of its Generator; unevenness is below patients / 2^32.
    """
    patients, columns = per_patient.shape
    if patients == 0:
        raise ValueError("no patients to draw from")
    words = np.random.PCG64(bootstrap.seed)
    sums = np.empty((bootstrap.resamples, columns))
    at_once = max(1, _DRAWS_AT_ONCE // patients)
    for start in range(0, bootstrap.resamples, at_once):
        rows = min(at_once, bootstrap.resamples - start)
        upper = words.random_raw(rows * patients) >> np.uint64(32)
        drawn = ((upper * np.uint64(patients)) >> np.uint64(32)).astype(np.int64)
        cell = drawn + np.repeat(np.arange(rows, dtype=np.int64) * patients, patients)
        times = np.bincount(cell, minlength=rows * patients).reshape(rows, patients)
        sums[start : start + rows] = times @ per_patient
    return sums


def bootstrap_interval(
    per_patient: Floats,
    statistic: Callable[[Floats], Floats],
    bootstrap: Bootstrap,
    level: float = 0.95,
    *,
    sums: Floats | None = None,
) -> Interval | None:
    """Interval of `statistic` (sums [..., columns] -> [...]) over resampled patients; None where it has no meaning.

    That is with fewer than two patients, or where the statistic is undefined in more resamples than one tail holds
    (a class that too few patients have). Percentile: Efron 1979; BCa: Efron, JASA 82:171-185, 1987, its acceleration
    from leaving out one patient at a time. `sums` takes the `bootstrap_sums` of these very columns, if at hand.
    """
    _two_sided_z(level)
    if len(per_patient) < 2:
        return None
    drawn = statistic(bootstrap_sums(per_patient, bootstrap) if sums is None else sums)
    defined = np.sort(drawn[np.isfinite(drawn)])
    tail = (1 - level) / 2
    if len(defined) < (1 - tail) * len(drawn):
        return None
    estimate = float(statistic(per_patient.sum(axis=0)))
    tails = (tail, 1 - tail)
    if bootstrap.method == "bca":
        without_one = statistic(per_patient.sum(axis=0) - per_patient)
        tails = _bca_tails(defined, estimate, without_one, tail)
    low, high = (float(value) for value in np.quantile(defined, tails))
    return Interval(low=low, high=high, level=level, method=bootstrap.describe())


def _bca_tails(drawn: Floats, estimate: float, without_one: Floats, tail: float) -> tuple[float, float]:
    """The two tail probabilities after correction for bias and acceleration."""
    below = float(np.count_nonzero(drawn < estimate) + 0.5 * np.count_nonzero(drawn == estimate))
    share = min(max(below, 0.5), len(drawn) - 0.5) / len(drawn)
    bias = normal_quantile(share)
    left_out = without_one[np.isfinite(without_one)]
    deviation = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = float((deviation**2).sum())
    acceleration = float((deviation**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0

    def corrected(z: float) -> float:
        shifted = bias + z
        divisor = 1 - acceleration * shifted
        if divisor <= 0:  # beyond the pole of the correction: the far end of the distribution
            return 1.0 if shifted > 0 else 0.0
        return _NORMAL.cdf(bias + shifted / divisor)

    z = normal_quantile(tail)
    return corrected(z), corrected(-z)


def clusters_needed(
    *, clusters: int, estimate: float, upper: float, margin: float, level: float, power: float
) -> int | None:
    """How many patients like these would show an upper limit below `margin`, with probability `power`.

        m = ceil(clusters ((z_level + z_power) / z_level x (upper - estimate) / (margin - estimate))^2)

    The half-width of the judged interval shrinks with the root of the number of patients. None where the estimated
    loss itself reaches the margin (no number of patients would do), or where nothing is known of the width.
    """
    z, z_power = _two_sided_z(level), normal_quantile(power)
    room, half = margin - estimate, upper - estimate
    if not isfinite(half) or not isfinite(room) or room <= 0 or clusters < 1:
        return None
    factor = (z + z_power) / z * max(0.0, half) / room
    return max(1, ceil(clusters * factor * factor))


# ---------------------------------------------------------------------------------------------- area under a curve


def area_under_curve(
    negatives: Sequence[float], positives: Sequence[float], level: float = 0.95
) -> tuple[float, Interval]:
    """Area under the ROC curve, a tie counting one half, with DeLong's variance (Biometrics 44:837, 1988) and limits on
    the logit scale. Where the groups do not overlap that variance says nothing: then the limit is Clopper-Pearson's for
    as many right pairs as the smaller group has members. Without two members of each group: the whole range."""
    low, high = np.asarray(negatives, np.float64), np.asarray(positives, np.float64)
    above = (high[:, None] > low[None, :]) + 0.5 * (high[:, None] == low[None, :])
    area = float(above.mean()) if above.size else nan
    fewest = min(len(low), len(high))
    if fewest < 2:
        return area, Interval(low=0.0, high=1.0, level=level, method="none: fewer than two of a kind")
    if area in (0.0, 1.0):
        limits = clopper_pearson(round(area * fewest), fewest, level)
        return area, Interval(low=limits.low, high=limits.high, level=level, method="Clopper-Pearson, groups apart")
    variance = float(above.mean(axis=1).var(ddof=1) / len(high) + above.mean(axis=0).var(ddof=1) / len(low))
    half = min(700.0, _two_sided_z(level) * sqrt(variance) / (area * (1 - area)))
    odds = area / (1 - area)
    ends = [odds * exp(side * half) for side in (-1, 1)]
    limits_of = [end / (1 + end) if isfinite(end) else 1.0 for end in ends]
    return area, Interval(low=limits_of[0], high=limits_of[1], level=level, method="DeLong, logit")

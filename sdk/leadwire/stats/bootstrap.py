"""Intervals and p values of a figure over resampled patients; percentile and BCa here, bootstrap-t in `studentized`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from leadwire.artifacts import Interval

from .normal import Floats, normal_cdf, normal_quantile, two_sided_z
from .ratios import PatientStatistic
from .resampling import Bootstrap, bootstrap_sums
from .studentized import studentized


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resampled:
    """The defined draws of a statistic in rising order, and the correction of their distribution: none for
    percentile.
    """

    draws: Floats
    bias: float = 0.0
    acceleration: float = 0.0

    def tail(self, probability: float) -> float:
        """The share of the draws at which the limit for this probability lies."""
        if not self.bias and not self.acceleration:
            return probability
        shifted = self.bias + normal_quantile(probability)
        divisor = 1 - self.acceleration * shifted
        if divisor <= 0:  # beyond the pole of the correction: the far end of the distribution
            return 1.0 if shifted > 0 else 0.0
        return normal_cdf(self.bias + shifted / divisor)

    def probability(self, tail: float) -> float:
        """The other way round."""
        if not self.bias and not self.acceleration:
            return tail
        corrected = normal_quantile(tail) - self.bias
        divisor = 1 + self.acceleration * corrected
        if divisor <= 0:
            return 1.0 if corrected > 0 else 0.0
        return normal_cdf(corrected / divisor - self.bias)


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
    from leaving out one patient at a time; bootstrap-t: `studentized`. `sums` takes the `bootstrap_sums` of these very
    columns, if at hand.
    """
    two_sided_z(level)
    tail = (1 - level) / 2
    if bootstrap.method == "bootstrap-t":
        student = studentized(per_patient, _with_slopes(statistic), bootstrap, tail)
        if student is None:
            return None
        low, high = student.limits(tail)
        return Interval(low=low, high=high, level=level, method=bootstrap.describe())
    resampled = _resampled(per_patient, statistic, bootstrap, tail, sums)
    if resampled is None:
        return None
    tails = (resampled.tail(tail), resampled.tail(1 - tail))
    low, high = (float(value) for value in np.quantile(resampled.draws, tails))
    return Interval(low=low, high=high, level=level, method=bootstrap.describe())


def bootstrap_p_value(
    per_patient: Floats,
    statistic: Callable[[Floats], Floats],
    bootstrap: Bootstrap,
    margin: float,
    level: float = 0.95,
    *,
    sums: Floats | None = None,
) -> float | None:
    """One-sided p that the statistic is `margin` or more: the alpha at which the upper limit of the interval of level
    1 - 2 alpha would lie at the margin. Never below 1 / (B + 1). None where `bootstrap_interval` of `level` is None.
    """
    if bootstrap.method == "bootstrap-t":
        student = studentized(per_patient, _with_slopes(statistic), bootstrap, (1 - level) / 2)
        return None if student is None else student.p_value(margin)
    resampled = _resampled(per_patient, statistic, bootstrap, (1 - level) / 2, sums)
    if resampled is None:
        return None
    draws = resampled.draws
    least = 1.0 / (len(draws) + 1)
    below = int(np.searchsorted(draws, margin, side="left"))
    if below == 0:
        return 1.0
    if below == len(draws):
        return least
    step = float(draws[below] - draws[below - 1])
    place = below - 1 + (margin - float(draws[below - 1])) / step
    tail = min(max(place / (len(draws) - 1), least), 1 - least)
    return max(least, 1.0 - resampled.probability(tail))


def _resampled(
    per_patient: Floats,
    statistic: Callable[[Floats], Floats],
    bootstrap: Bootstrap,
    tail: float,
    sums: Floats | None,
) -> _Resampled | None:
    if len(per_patient) < 2:
        return None
    drawn = statistic(bootstrap_sums(per_patient, bootstrap) if sums is None else sums)
    defined = np.sort(drawn[np.isfinite(drawn)])
    if len(defined) < (1 - tail) * len(drawn):
        return None
    if bootstrap.method == "percentile":
        return _Resampled(draws=defined)
    estimate = float(statistic(per_patient.sum(axis=0)))
    below = float(np.count_nonzero(defined < estimate) + 0.5 * np.count_nonzero(defined == estimate))
    share = min(max(below, 0.5), len(defined) - 0.5) / len(defined)
    without_one = statistic(per_patient.sum(axis=0) - per_patient)
    left_out = without_one[np.isfinite(without_one)]
    deviation = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = float((deviation**2).sum())
    acceleration = float((deviation**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    return _Resampled(draws=defined, bias=normal_quantile(share), acceleration=acceleration)


def _with_slopes(statistic: Callable[[Floats], Floats]) -> PatientStatistic:
    if not isinstance(statistic, PatientStatistic):
        raise ValueError("bootstrap-t takes a statistic with slopes: ratio, ratio_loss or excess_loss")
    return statistic

"""The interval for few patients: the bootstrap of Student's ratio, and Student's own, the wider limit on each side.

Percentile and BCa limits of few patients are too narrow, most of all where losses sit in few of them. Why this one, and
what it covers in simulation: docs/manual/statistics.md and docs/adr/0017.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf, isfinite, sqrt

import numpy as np

from .normal import Floats, normal_cdf, normal_quantile
from .ratios import PatientStatistic
from .resampling import Bootstrap, times_drawn

_FEWEST = 3.0
_FARTHEST = 1.7
_FLOOR = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Studentized:
    """`estimate` with its jackknife standard `error`; `ratios`, the rising Student ratios of the resamples that are
    defined; `patients`, the effective number of them; `low` and `high`, between which the figure lies."""

    estimate: float
    error: float
    ratios: Floats
    patients: float
    low: float
    high: float

    def limits(self, tail: float) -> tuple[float, float]:
        """Those that leave `tail` on either side.

        Student's t on n - 1 degrees, n the effective number of patients, and the quantiles of the resampled ratios at
        the share that this t leaves of a normal distribution narrowed by sqrt((n - 1) / n), as resampling n patients
        narrows it (Hesterberg, American Statistician 69:371-386, 2015, section 4). No limit lies beyond t on 1.7
        degrees.
        """
        own, most = _quantile(tail, self.patients - 1), _quantile(tail, _FARTHEST)
        share = normal_cdf(-own / self._narrowed)
        below, above = (float(value) for value in np.quantile(self.ratios, (share, 1 - share)))
        low = self.estimate - self.error * max(own, min(above, most))
        high = self.estimate + self.error * max(own, min(-below, most))
        return max(self.low, low), min(self.high, high)

    def p_value(self, margin: float) -> float:
        """The tail at which the upper limit is `margin`, never below 1 / (B + 1)."""
        from scipy.stats import t as student

        least = 1.0 / (len(self.ratios) + 1)
        if self.error == 0:
            return least if self.estimate < margin else 1.0
        ratio = (self.estimate - margin) / self.error
        own, most = (float(student.cdf(ratio, freedom)) for freedom in (self.patients - 1, _FARTHEST))
        share = _share_below(self.ratios, ratio)
        if 0 < share < 1:
            share = float(student.cdf(normal_quantile(share) * self._narrowed, self.patients - 1))
        return max(least, own, min(share, most))

    @property
    def _narrowed(self) -> float:
        return sqrt((self.patients - 1) / self.patients)


def studentized(
    per_patient: Floats, statistic: PatientStatistic, bootstrap: Bootstrap, tail: float
) -> Studentized | None:
    """Of per_patient [patients, columns]; None where fewer than two patients have beats of the figure, or where it is
    undefined in more resamples than one tail holds.

    The ratio of a resample is its difference from the estimate by its own standard error: linearised, patients for
    independent, and never below a hundredth of the estimate's, so that a resample without a patient who counts has a
    ratio. Around the estimate the standard error is the jackknife's, which sees that one patient may carry the figure
    (CR3 of Bell and McCaffrey 2002).
    """
    patients = len(per_patient)
    total = per_patient.sum(axis=0)
    if patients < 2 or not total[1::2].all():
        return None
    shares = (per_patient[:, 1::2] / total[1::2]).mean(axis=1)
    left_out = statistic(total - per_patient)
    left_out = left_out[np.isfinite(left_out)]
    estimate = float(statistic(total))
    if np.count_nonzero(shares) < 2 or len(left_out) < 2 or not isfinite(estimate):
        return None
    small = patients / (patients - 1)
    pulls = per_patient @ statistic.slopes(total)
    floor = _FLOOR * small * float((pulls**2).sum())
    ratios = []
    for times in times_drawn(patients, bootstrap):
        sums = times @ per_patient
        drawn = statistic(sums)
        defined = np.isfinite(drawn)
        influences = statistic.slopes(sums[defined]) @ per_patient.T
        error = np.sqrt(small * (times[defined] * influences**2).sum(axis=1) + floor)
        difference = drawn[defined] - estimate
        ratios.append(np.divide(difference, error, out=np.zeros_like(difference), where=error > 0))
    rising = np.sort(np.concatenate(ratios))
    if len(rising) < (1 - tail) * bootstrap.resamples:
        return None
    kept = len(left_out)
    return Studentized(
        estimate=estimate,
        error=sqrt((kept - 1) / kept * float(((left_out - left_out.mean()) ** 2).sum())),
        ratios=rising,
        patients=max(_FEWEST, min(_effective(shares), _effective(np.abs(pulls)))),
        low=statistic.low,
        high=statistic.high,
    )


def _effective(parts: Floats) -> float:
    """(sum of the parts)^2 / sum of their squares: how many equal parts would weigh as much as these (Kish, Survey
    Sampling, 1965); without end where there are none."""
    squares = float((parts**2).sum())
    return float(parts.sum()) ** 2 / squares if squares else inf


@lru_cache(maxsize=64)
def _quantile(tail: float, freedom: float) -> float:
    from scipy.stats import t as student

    return float(student.isf(tail, freedom))


def _share_below(rising: Floats, value: float) -> float:
    """The share at which `np.quantile` is `value`: 0 below all, 1 above all."""
    below = int(np.searchsorted(rising, value, side="left"))
    if below in (0, len(rising)):
        return float(below > 0)
    step = float(rising[below] - rising[below - 1])
    return (below - 1 + (value - float(rising[below - 1])) / step) / (len(rising) - 1)

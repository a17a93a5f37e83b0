"""Equivalence of two measurements of the same beats: two one-sided tests (TOST), patients for independent."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan, sqrt

from leadwire.artifacts import Interval

from .normal import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """`p_value` is the larger one of the two tests; `interval` has level 1 - 2 alpha and lies within the margins
    exactly where p is below alpha."""

    estimate: float
    p_value: float
    interval: Interval


def tost(per_patient: Floats, margin: float, alpha: float) -> Equivalence:
    """Whether the mean difference of two measurements lies within +- `margin` (Schuirmann, J Pharmacokinet Biopharm
    15:657-680, 1987), per_patient [patients, 2]: sum of the differences and number of beats.

    The mean is over beats; its standard error is that of a ratio over patients, who are independent where beats are not
    (Cochran, Sampling Techniques, 1977, 6.4), and t has one degree of freedom less than there are patients. With fewer
    than two patients, or no beats, nothing is known: p is 1 and the interval everything.
    """
    from scipy.stats import t as student

    if not 0 < alpha < 0.5 or not margin > 0:
        raise ValueError(f"TOST with alpha {alpha} and margin {margin}")
    patients = len(per_patient)
    total, beats = (float(column) for column in per_patient.sum(axis=0)) if patients else (0.0, 0.0)
    mean = total / beats if beats else nan
    level = 1 - 2 * alpha
    if patients < 2 or not isfinite(mean):
        return Equivalence(
            estimate=mean, p_value=1.0, interval=Interval(low=-1.0, high=1.0, level=level, method="t over patients")
        )
    residuals = per_patient[:, 0] - mean * per_patient[:, 1]
    error = sqrt(patients / (patients - 1) * float((residuals**2).sum())) / beats
    half = float(student.ppf(1 - alpha, patients - 1)) * error
    interval = Interval(low=mean - half, high=mean + half, level=level, method="t over patients")
    if error == 0:
        return Equivalence(estimate=mean, p_value=0.0 if abs(mean) < margin else 1.0, interval=interval)
    p_value = float(student.sf((margin - abs(mean)) / error, patients - 1))
    return Equivalence(estimate=mean, p_value=p_value, interval=interval)

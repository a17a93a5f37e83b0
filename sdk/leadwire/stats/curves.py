"""Area under a receiver operating characteristic."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite, nan, sqrt

import numpy as np

from leadwire.artifacts import Interval

from .normal import two_sided_z
from .proportions import clopper_pearson


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
    half = min(700.0, two_sided_z(level) * sqrt(variance) / (area * (1 - area)))
    odds = area / (1 - area)
    ends = [odds * exp(side * half) for side in (-1, 1)]
    limits_of = [end / (1 + end) if isfinite(end) else 1.0 for end in ends]
    return area, Interval(low=limits_of[0], high=limits_of[1], level=level, method="DeLong, logit")

"""Quantiles of the normal distribution, and what all of this package works on."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NORMAL = NormalDist()


def normal_quantile(probability: float) -> float:
    return _NORMAL.inv_cdf(probability)


def normal_cdf(value: float) -> float:
    return _NORMAL.cdf(value)


def two_sided_z(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"confidence level {level} is not between 0 and 1")
    return normal_quantile(0.5 + level / 2.0)

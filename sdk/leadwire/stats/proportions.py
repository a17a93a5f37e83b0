"""One proportion: Wilson's interval, and the exact one."""

from __future__ import annotations

from math import sqrt

from leadwire.artifacts import Interval

from .normal import two_sided_z


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of successes/n (Wilson, JASA 22, 1927), without continuity correction."""
    _check_count(successes, n)
    low, high = wilson_limits(successes, n, two_sided_z(level))
    return Interval(low=low, high=high, level=level, method="Wilson score")


def wilson_limits(successes: int, n: int, z: float) -> tuple[float, float]:
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
    two_sided_z(level)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return Interval(low=low, high=high, level=level, method="Clopper-Pearson")


def _check_count(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")

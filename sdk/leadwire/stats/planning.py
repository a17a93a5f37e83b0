"""How many patients a study would need."""

from __future__ import annotations

from math import ceil, isfinite

from .normal import normal_quantile, two_sided_z


def clusters_needed(
    *,
    clusters: int,
    estimate: float,
    upper: float,
    margin: float,
    level: float,
    power: float,
    next_level: float | None = None,
) -> int | None:
    """How many patients like these would show an upper limit below `margin`, with probability `power`.

        m = ceil(clusters ((z_level + z_power) / z_level x (upper - estimate) / (margin - estimate))^2)

    `upper` is the limit of `level`; `next_level` that of the next study, where it is another (several endpoints). The
    half-width of the judged interval shrinks with the root of the number of patients. None where the estimated
    loss itself reaches the margin (no number of patients would do), or where nothing is known of the width.
    """
    z, z_power = two_sided_z(level), normal_quantile(power)
    z_next = z if next_level is None else two_sided_z(next_level)
    room, half = margin - estimate, upper - estimate
    if not isfinite(half) or not isfinite(room) or room <= 0 or clusters < 1:
        return None
    factor = (z_next + z_power) / z * max(0.0, half) / room
    return max(1, ceil(clusters * factor * factor))

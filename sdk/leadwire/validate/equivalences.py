"""Equivalence of the outputs themselves, as probabilities: TOST with patients for independent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leadwire.artifacts import EquivalenceResult, Statistic, Verdict
from leadwire.protocols import Equivalence, Protocol
from leadwire.stats import Floats, tost

from .scores import sum_by_patient


def equivalence(
    rule: Equivalence,
    protocol: Protocol,
    differences: Floats,
    patients: Sequence[str],
    on_grid: tuple[float, int],
) -> EquivalenceResult:
    """`differences` [beats]: float less INT8 output for the rule's label; `on_grid` scale and zero point of INT8."""
    per_patient = sum_by_patient(np.stack([differences, np.ones(len(differences))], axis=1), patients)
    found = tost(per_patient, rule.margin, protocol.statistics.one_sided_alpha)
    short = len(per_patient) < protocol.minimum_patients
    verdict: Verdict = "inconclusive"
    low, high = found.interval.low, found.interval.high
    if low > rule.margin or high < -rule.margin:
        verdict, reason = "fail", f"the whole interval lies beyond the margin {rule.margin:g}"
    elif short:
        reason = f"{len(per_patient)} patients of at least {protocol.minimum_patients}"
    elif found.p_value < protocol.statistics.one_sided_alpha:
        verdict, reason = "pass", f"p {found.p_value:.2g}: the whole interval lies within the margin {rule.margin:g}"
    else:
        reason = f"p {found.p_value:.2g}: the interval is not within the margin {rule.margin:g}"
    return EquivalenceResult(
        name=rule.name,
        label=rule.label,
        difference=Statistic(name=f"difference of {rule.name}", estimate=found.estimate, interval=found.interval),
        margin=rule.margin,
        p_value=found.p_value,
        scale=on_grid[0],
        zero_point=on_grid[1],
        verdict=verdict,
        reason=reason,
    )

"""Several endpoints and one alpha, by the rule that the protocol declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leadwire.artifacts import EndpointResult
from leadwire.protocols import StatisticsRule
from leadwire.stats import clusters_needed, fixed_sequence, holm


def adjusted(
    endpoints: Sequence[EndpointResult], rule: StatisticsRule, patients: Sequence[int]
) -> tuple[EndpointResult, ...]:
    """The endpoints with adjusted p values; one that only passes without the correction is inconclusive.

    An endpoint without a p value counts as one that was not shown. `patients` is the number that each was judged on,
    from which follows how many would do at alpha divided by the number of endpoints.
    """
    if rule.multiplicity == "all":
        return tuple(endpoints)
    alone = [1.0 if one.p_value is None or one.verdict != "pass" else one.p_value for one in endpoints]
    if rule.multiplicity == "hierarchical":
        return tuple(map(_after_others, endpoints, fixed_sequence(alone), _first_not_shown(endpoints)))
    corrected = holm([1.0 if one.p_value is None else one.p_value for one in endpoints])
    return tuple(
        _corrected(one, p, rule, len(endpoints), of) for one, p, of in zip(endpoints, corrected, patients, strict=True)
    )


def _corrected(
    one: EndpointResult, p_value: float, rule: StatisticsRule, endpoints: int, patients: int
) -> EndpointResult:
    if one.p_value is None:
        return one
    if one.verdict == "pass" and p_value > rule.one_sided_alpha:
        reason = (
            f"p {p_value:.4f} after Holm's correction for {endpoints} endpoints, not below {rule.one_sided_alpha:g}"
        )
        needed = clusters_needed(
            clusters=patients,
            estimate=one.loss.estimate,
            upper=one.margin if one.judged is None else one.judged.high,
            margin=one.margin,
            level=rule.level,
            power=rule.power,
            next_level=1 - 2 * rule.one_sided_alpha / endpoints,
        )
        return replace(one, adjusted_p_value=p_value, verdict="inconclusive", reason=reason, patients_needed=needed)
    return replace(one, adjusted_p_value=p_value)


def _first_not_shown(endpoints: Sequence[EndpointResult]) -> list[str]:
    """For each endpoint the first one before it that did not pass."""
    names, failed = [], ""
    for one in endpoints:
        names.append(failed)
        if not failed and one.verdict != "pass":
            failed = one.endpoint
    return names


def _after_others(one: EndpointResult, p_value: float, not_shown: str) -> EndpointResult:
    if one.p_value is None:
        return one
    if one.verdict == "pass" and not_shown:
        reason = f"not tested: '{not_shown}' comes before it and was not shown"
        return replace(one, adjusted_p_value=p_value, verdict="inconclusive", reason=reason)
    return replace(one, adjusted_p_value=p_value)

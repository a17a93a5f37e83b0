"""Several endpoints and one alpha, by the rule that the protocol declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leadwire.artifacts import EndpointResult
from leadwire.protocols import StatisticsRule
from leadwire.stats import fixed_sequence, holm


def adjusted(endpoints: Sequence[EndpointResult], rule: StatisticsRule) -> tuple[EndpointResult, ...]:
    """The endpoints with adjusted p values; one that only passes without the correction is inconclusive.

    An endpoint without a p value counts as one that was not shown.
    """
    if rule.multiplicity == "all":
        return tuple(endpoints)
    alone = [1.0 if one.p_value is None or one.verdict != "pass" else one.p_value for one in endpoints]
    if rule.multiplicity == "hierarchical":
        return tuple(map(_after_others, endpoints, fixed_sequence(alone), _first_not_shown(endpoints)))
    corrected = holm([1.0 if one.p_value is None else one.p_value for one in endpoints])
    return tuple(_corrected(one, p, rule, len(endpoints)) for one, p in zip(endpoints, corrected, strict=True))


def _corrected(one: EndpointResult, p_value: float, rule: StatisticsRule, endpoints: int) -> EndpointResult:
    if one.p_value is None:
        return one
    if one.verdict == "pass" and p_value > rule.one_sided_alpha:
        reason = (
            f"p {p_value:.4f} after Holm's correction for {endpoints} endpoints, not below {rule.one_sided_alpha:g}"
        )
        return replace(one, adjusted_p_value=p_value, verdict="inconclusive", reason=reason)
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

"""Exclusions, subgroups and operating points checked a second time, from predictions.csv and protocol.toml.

What is known of the recordings (age, sex, lead, noise) is the evidence's own word; which beats that puts into which
group, and what follows, is derived again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

import numpy as np

from leadwire.artifacts import Interval, OperatingPointResult, ValidationResult
from leadwire.protocols import OperatingPoint, Protocol, Subgroup
from leadwire.stats import Bootstrap, Floats, bootstrap_interval, bootstrap_sums, ratio, ratio_loss, tost, wilson

from .predictions import Table
from .recompute import same, same_interval, share


def false_scope(validation: ValidationResult, protocol: Protocol, table: Table) -> Iterator[str]:
    """Excluded beats that are there, attributes of other records, and subgroups that are not the protocol's."""
    for rule in protocol.exclusions:
        for beat, place in enumerate(table.reference):
            if rule.holds(table.records[beat], table.patients[beat], table.labels[place], table.times_s[beat]):
                yield f"beat {beat} is excluded by protocol.toml: {rule.reason}"
                break
    if [one.reason for one in validation.excluded] != [rule.reason for rule in protocol.exclusions]:
        yield "the exclusions are not those of protocol.toml"
    state = validation.protocol_state
    if (state.state == "unfrozen") != (state.frozen_digest == "") or (
        state.frozen_digest and (state.state == "frozen") != (state.frozen_digest == validation.protocol_digest)
    ):
        yield f"the protocol is said to be {state.state}, frozen with digest '{state.frozen_digest}'"
    beats = table.answers[validation.judged_runtime].decided
    patients = {table.records[beat]: table.patients[beat] for beat in beats}
    if [(one.record, one.patient) for one in validation.attributes] != sorted(patients.items()):
        yield "the attributes are not of the records of predictions.csv"
        return
    stated = [(one.subgroup, one.group) for one in validation.subgroups]
    if stated != [(name, group) for name, group, _ in _groups(validation, protocol)]:
        yield "the subgroups are not those that protocol.toml makes of the records"
        return
    for one, of in zip(validation.subgroups, parts_of(validation, protocol, beats, table), strict=True):
        if (one.beats, one.patients) != (len(of), len({table.patients[beat] for beat in of})):
            yield f"subgroup '{one.subgroup} {one.group}' has {len(of)} beats in predictions.csv"


def parts_of(
    validation: ValidationResult, protocol: Protocol, judged: dict[int, int], table: Table
) -> list[dict[int, int]]:
    """The judged decisions of each group, in the order of the subgroups."""
    return [
        {beat: decision for beat, decision in judged.items() if table.records[beat] in records}
        for _, _, records in _groups(validation, protocol)
    ]


def _groups(validation: ValidationResult, protocol: Protocol) -> list[tuple[str, str, set[str]]]:
    """(subgroup, group, its records): groups by edges from low to high, unknown last; the others by name."""
    found = []
    for subgroup in protocol.subgroups:
        records: dict[tuple[float, str], set[str]] = {}
        for one in validation.attributes:
            value = _value(subgroup, one)
            number = value if isinstance(value, (int, float)) else float("inf")
            rank = float(sum(edge <= number for edge in subgroup.edges)) if value is not None else float("inf")
            records.setdefault((rank if subgroup.edges else 0.0, subgroup.group(value)), set()).add(one.record)
        found += [(subgroup.name, group, records[rank, group]) for rank, group in sorted(records)]
    return found


def _value(subgroup: Subgroup, one: object) -> str | float | None:
    value: str | float | None = getattr(one, {"noise": "snr_db"}.get(subgroup.by, subgroup.by))
    return value


# ---------------------------------------------------------------------------------------------- equivalences


def false_equivalences(validation: ValidationResult, protocol: Protocol, table: Table) -> Iterator[str]:
    """Equivalences that are missing, or whose figures do not follow."""
    judged, floats = table.answers[validation.judged_runtime], table.answers["float"]
    raw = {value for row in judged.raw.values() for value in row}
    rules = protocol.equivalences if len(raw) > 1 and floats.outputs else ()
    if [one.name for one in validation.equivalences] != [one.name for one in rules]:
        yield "the equivalences are not those of protocol.toml"
        return
    for stated, rule in zip(validation.equivalences, rules, strict=True):
        place, alpha = table.labels.index(rule.label), protocol.statistics.one_sided_alpha
        sums: dict[str, list[float]] = {}
        for beat, row in sorted(judged.raw.items()):
            mine = sums.setdefault(table.patients[beat], [0.0, 0.0])
            mine[0] += floats.outputs[beat][place] - stated.scale * (row[place] - stated.zero_point)
            mine[1] += 1
        found = tost(np.array([sums[patient] for patient in sorted(sums)]), rule.margin, alpha)
        numbers = ((stated.difference.estimate, found.estimate), (stated.p_value, found.p_value))
        if not (same_interval(stated.difference.interval, found.interval) and all(same(*pair) for pair in numbers)):
            yield f"the figures of equivalence '{rule.name}' do not follow from predictions.csv"
        verdict = "inconclusive"
        if found.interval.low > rule.margin or found.interval.high < -rule.margin:
            verdict = "fail"
        elif len(sums) >= protocol.minimum_patients and found.p_value < alpha:
            verdict = "pass"
        if (stated.verdict, stated.margin, stated.label) != (verdict, rule.margin, rule.label):
            yield f"the verdict of equivalence '{rule.name}' is '{stated.verdict}' where its figures say '{verdict}'"


# ---------------------------------------------------------------------------------------------- operating points


def interval_of_share(
    per_patient: Floats, bootstrap: Bootstrap, level: float, sums: Floats | None = None
) -> Interval | None:
    """Interval of a share, from its numerators and denominators by patient: float64 [patients, 2]. Over the beats where
    resampling tells nothing, None where the denominator is 0. `sums` as `bootstrap_interval` takes them."""
    part, whole = (int(total) for total in per_patient.sum(axis=0))
    if not whole:
        return None
    interval = bootstrap_interval(per_patient, ratio, bootstrap, level, sums=sums)
    if interval is None or interval.low == interval.high:
        return replace(wilson(part, whole, level), method="Wilson score over beats")
    return interval


def false_operating_points(validation: ValidationResult, protocol: Protocol, table: Table) -> Iterator[str]:
    """Operating points that are missing, or whose figures do not follow."""
    judged = table.answers[validation.judged_runtime]
    floats = table.answers["float"]
    reference = {beat: table.labels[table.reference[beat]] for beat in judged.decided}
    present = set(reference.values())
    raw = [value for row in judged.raw.values() for value in row]
    expected = [one for one in protocol.operating_points if one.label in present and len(present) > 1]
    if not raw or min(raw) == max(raw) or not floats.outputs:
        expected = []
    if [one.name for one in validation.operating_points] != [one.name for one in expected]:
        yield "the operating points are not those of protocol.toml"
        return
    for stated, point in zip(validation.operating_points, expected, strict=True):
        place = table.labels.index(point.label)
        beats = sorted(reference)
        yield from _operating_point(
            stated,
            point,
            protocol,
            np.array([reference[beat] == point.label for beat in beats]),
            np.array([floats.outputs[beat][place] for beat in beats]),
            np.array([judged.raw[beat][place] for beat in beats]),
            [table.patients[beat] for beat in beats],
        )


def _operating_point(
    stated: OperatingPointResult,
    point: OperatingPoint,
    protocol: Protocol,
    is_class: np.ndarray,
    floats: Floats,
    raw: np.ndarray,
    patients: list[str],
) -> Iterator[str]:
    of = int(is_class.sum())
    rank = max(1, ceil(point.sensitivity * of - 1e-9))
    threshold = sorted(floats[is_class].tolist(), reverse=True)[rank - 1]
    step = ceil(threshold / stated.scale - 1e-9) + stated.zero_point
    own = stated.scale * (sorted(raw[is_class].tolist(), reverse=True)[rank - 1] - stated.zero_point)
    values = [("threshold", stated.threshold, threshold), ("drift", stated.drift.estimate, own - threshold)]
    names = sorted(set(patients))
    owner = np.array([names.index(patient) for patient in patients])
    rule = protocol.statistics
    bootstrap = Bootstrap(resamples=rule.resamples, seed=rule.seed, method=rule.method)
    calls = (floats >= threshold, raw >= step)
    intervals: list[tuple[str, Interval | None, Interval | None]] = []
    for what, of_kind, hits, both, loss in (
        ("sensitivity", is_class, calls, (stated.float_sensitivity, stated.int8_sensitivity), stated.sensitivity_loss),
        (
            "specificity",
            ~is_class,
            (~calls[0], ~calls[1]),
            (stated.float_specificity, stated.int8_specificity),
            stated.specificity_loss,
        ),
    ):
        counts = [int((hit & of_kind).sum()) for hit in hits]
        total = int(of_kind.sum())
        for side, count in zip(both, counts, strict=True):
            if (side.numerator, side.denominator) != (count, total) or not same(side.estimate, share(count, total)):
                yield f"the {what} at operating point '{point.name}' is not {count} of {total}"
        values.append((f"loss of {what}", loss.estimate, share(counts[0], total) - share(counts[1], total)))
        columns = [hits[0] & of_kind, of_kind, hits[1] & of_kind, of_kind]
        sums = np.stack([np.bincount(owner, weights=one, minlength=len(names)) for one in columns], axis=1).astype(
            np.float64
        )
        for place, runtime in enumerate(("float", "INT8")):
            of_runtime = interval_of_share(sums[:, 2 * place : 2 * place + 2], bootstrap, rule.level)
            intervals.append((f"{runtime} {what}", both[place].interval, of_runtime))
        found = bootstrap_interval(sums, ratio_loss, bootstrap, rule.level)
        intervals.append((f"loss of {what}", loss.interval, found))
    intervals.append(
        ("drift", stated.drift.interval, _drift(stated, point, bootstrap, rule.level, owner, is_class, floats, raw))
    )
    if stated.int8_step != step or (stated.label, stated.target) != (point.label, point.sensitivity):
        yield f"operating point '{point.name}' is another"
    for what, value, right in values:
        if not same(value, right):
            yield f"the {what} of operating point '{point.name}' is {right:.6g}, not {value:.6g}"
    for what, interval, derived in intervals:
        if not same_interval(interval, derived):
            yield f"the interval of the {what} of operating point '{point.name}' does not follow"


def _drift(
    stated: OperatingPointResult,
    point: OperatingPoint,
    bootstrap: Bootstrap,
    level: float,
    owner: np.ndarray,
    is_class: np.ndarray,
    floats: Floats,
    raw: np.ndarray,
) -> Interval | None:
    """Percentile interval of the drift, resample by resample: each patient's beats as often as the patient is drawn."""
    patients = int(owner.max()) + 1
    times = bootstrap_sums(np.eye(patients), bootstrap).astype(np.int64)
    real = stated.scale * (raw - stated.zero_point)
    ranked = [np.flatnonzero(is_class)[np.argsort(-side[is_class], kind="stable")] for side in (floats, real)]
    drawn = []
    for row in times:
        found = []
        for side, order in zip((floats, real), ranked, strict=True):
            repeated = np.repeat(side[order], row[owner[order]])
            if len(repeated):
                found.append(float(repeated[max(1, ceil(point.sensitivity * len(repeated) - 1e-9)) - 1]))
        if found:
            drawn.append(found[1] - found[0])
    tail = (1 - level) / 2
    if patients < 2 or len(drawn) < (1 - tail) * len(times):
        return None
    low, high = np.quantile(drawn, (tail, 1 - tail))
    method = replace(bootstrap, method="percentile").describe()
    return Interval(low=float(low), high=float(high), level=level, method=method)

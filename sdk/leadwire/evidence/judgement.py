"""Endpoints and verdicts judged a second time, from predictions.csv and protocol.toml.

Counts by the standard library, intervals by `leadwire.stats`; none of the code that made the validation is used.
docs/manual/statistics.md says what follows from what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from leadwire.artifacts import Divergence, EndpointResult, Interval, ValidationResult, Verdict
from leadwire.protocols import Endpoint, Protocol
from leadwire.stats import (
    Bootstrap,
    McNemar,
    PairedTable,
    bootstrap_interval,
    bootstrap_p_value,
    mcnemar,
    newcombe_paired,
    obuchowski_p_value,
    paired_ratio_delta,
    paired_ratio_p_value,
    ratio_loss,
    tango,
    tango_p_value,
)

from .predictions import Table
from .recompute import false_figures, same, same_interval, share
from .recount import false_ec57
from .scope import false_equivalences, false_operating_points, false_scope, parts_of

_SAME_ARITHMETIC = {"tflm", "host_c", "device"}
_Row = tuple[int, ...]
"""What one beat adds to a figure: numerator and denominator of float, then of INT8, for each class of its mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """p values: of equality (McNemar's, Obuchowski's), and of a loss at the margin or beyond (the endpoint's own)."""

    mid_p: float | None = None
    exact: float | None = None
    clustered: float | None = None
    own: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an endpoint's result must be."""

    float_value: float
    int8_value: float
    loss: float
    by_patient: Interval | None
    by_beat: tuple[Interval, ...]
    judged: Interval | None
    tests: Tests
    verdict: Verdict
    adjusted: float | None = None
    worst: tuple[tuple[str, float], ...] = ()


def disagreements(validation: ValidationResult, protocol: Protocol, table: Table) -> tuple[str, ...]:
    """Figures and verdicts that predictions.csv and protocol.toml do not bear out, one sentence each."""
    if (validation.protocol_name, validation.labels) != (protocol.name, protocol.labels):
        return (f"the validation is not of protocol '{protocol.name}' and its labels",)
    for runtime in ("float", "tflite", "device"):
        answered = len(table.answers[runtime].decided) if runtime in table.answers else 0
        if answered != len(table.reference) and (runtime != "device" or not answered):
            return (f"predictions.csv holds {answered} of {len(table.reference)} beats of '{runtime}'",)
    runtime = _judged_runtime(validation, protocol, table)
    if validation.judged_runtime != runtime:
        return (f"the judged runtime is '{validation.judged_runtime}' where the protocol takes '{runtime}'",)
    found = [*false_figures(validation, protocol, table), *_false_pairs(validation, protocol, table)]
    if [item.endpoint for item in validation.endpoints] != [endpoint.name for endpoint in protocol.endpoints]:
        return (*found, "the endpoints are not those of protocol.toml")
    judged = table.answers[runtime].decided
    derived = corrected([expected(endpoint, protocol, table, judged) for endpoint in protocol.endpoints], protocol)
    for item, endpoint, right in zip(validation.endpoints, protocol.endpoints, derived, strict=True):
        found += _endpoint(item, endpoint, right)
    found += false_scope(validation, protocol, table)
    found += false_ec57(validation, table)
    found += false_equivalences(validation, protocol, table)
    if found:
        return tuple(dict.fromkeys(found))
    harmed = False
    for part, beats in zip(validation.subgroups, parts_of(validation, protocol, judged, table), strict=True):
        if [item.endpoint for item in part.endpoints] != [endpoint.name for endpoint in protocol.endpoints]:
            return (f"subgroup '{part.subgroup} {part.group}' has not the endpoints of protocol.toml",)
        rights = [expected(endpoint, protocol, table, beats) for endpoint in protocol.endpoints]
        for item, endpoint, right in zip(part.endpoints, protocol.endpoints, rights, strict=True):
            found += [f"{part.subgroup} {part.group}: {line}" for line in _endpoint(item, endpoint, right)]
        binding = any(one.name == part.subgroup and one.judged for one in protocol.subgroups)
        harmed |= binding and "fail" in {right.verdict for right in rights}
    found += false_operating_points(validation, protocol, table)
    verdicts = {right.verdict for right in derived} | {item.verdict for item in validation.equivalences}
    if len(validation.equivalences) < len(protocol.equivalences):
        verdicts.add("inconclusive")
    verdict = _overall(validation, protocol, table, verdicts, harmed=harmed)
    if validation.verdict != verdict:
        found.append(f"the verdict is '{validation.verdict}' where the figures say '{verdict}'")
    if (verdict == "pass") == bool(validation.reasons):
        found.append(f"the verdict '{verdict}' has {len(validation.reasons)} reason(s) against it")
    return tuple(dict.fromkeys(found))


# ---------------------------------------------------------------------------------------------- host and device


def _pair(validation: ValidationResult, one: str, other: str) -> Divergence | None:
    return next((item for item in validation.identities if item.runtimes == (one, other)), None)


def _false_pairs(validation: ValidationResult, protocol: Protocol, table: Table) -> Iterator[str]:
    """Comparisons that are missing, or shown as another pair's."""
    stated = [item.runtimes for item in validation.identities]
    present = sorted(_SAME_ARITHMETIC & table.answers.keys())
    for place, one in enumerate(present):
        for other in present[place + 1 :]:
            if stated.count((one, other)) + stated.count((other, one)) != 1:
                yield f"{one} and {other} are not compared once"
    for item, host in ((validation.host_device, protocol.host_device.witness), (validation.tflite_device, "tflite")):
        if item.runtimes != (host, "device"):
            yield f"the comparison of {host} and device is one of {' and '.join(item.runtimes)}"


def _judged_runtime(validation: ValidationResult, protocol: Protocol, table: Table) -> str:
    """The device, or the generated C where the protocol lets it speak for beats that the device was not sent."""
    rule, sent = protocol.host_device, len(table.answers["device"].decided)
    proof = _pair(validation, "host_c", "device")
    if "host_c" not in table.answers or proof is None or not rule.extend_with_host_c:
        return "device"
    extends = len(table.answers["host_c"].decided) > sent
    return "host_c" if extends and proof.identical == sent >= rule.minimum_device_beats else "device"


def _overall(
    validation: ValidationResult, protocol: Protocol, table: Table, endpoints: set[Verdict], *, harmed: bool
) -> Verdict:
    """One failure fails; else one doubt leaves it inconclusive."""
    rule, limit = protocol.host_device, protocol.record_limit
    broken = any(
        item.max_abs_lsb > rule.max_abs_lsb
        or 1e6 * item.differing_values > rule.max_differing_ppm * item.values
        or item.decisions_changed > rule.max_decisions_changed
        for item in validation.identities
        if _SAME_ARITHMETIC.issuperset(item.runtimes)
    )
    ruined = limit is not None and any(
        item.beats >= limit.minimum_beats
        and item.float_accuracy - item.device_accuracy > limit.max_accuracy_loss + 1e-9
        for item in validation.records
    )
    if broken or ruined or harmed or _class_ruined(validation, protocol):
        return "fail"
    if validation.lost_samples or "fail" in endpoints:
        return "fail"
    sent = len(table.answers["device"].decided)
    unseen = validation.host_device.compared < sent or sent < min(rule.minimum_device_beats, len(table.reference))
    unseen |= validation.protocol_state.state == "changed"
    return "inconclusive" if unseen or "inconclusive" in endpoints else "pass"


def _class_ruined(validation: ValidationResult, protocol: Protocol) -> bool:
    """A record lost more of the sensitivity to a class that an endpoint is about than the protocol allows."""
    limit = protocol.record_limit
    if limit is None or limit.max_sensitivity_loss is None:
        return False
    return any(
        part.label in {label for endpoint in protocol.endpoints for label in endpoint.classes}
        and part.beats >= limit.minimum_class_beats
        and (part.float_right - part.int8_right) / part.beats > limit.max_sensitivity_loss + 1e-9
        for record in validation.records
        for part in record.classes
    )


# ---------------------------------------------------------------------------------------------- endpoints


def _endpoint(item: EndpointResult, endpoint: Endpoint, right: Expected) -> Iterator[str]:
    """What of an endpoint does not follow."""
    name = endpoint.name
    values = (
        ("float value", item.float_value, right.float_value),
        ("INT8 value", item.int8_value, right.int8_value),
        ("loss", item.loss.estimate, right.loss),
        ("margin", item.margin, endpoint.margin),
    )
    for what, stated, found in values:
        if not same(stated, found):
            yield f"the {what} of endpoint '{name}' is {found:.6g}, not {stated:.6g}"
    intervals = (
        ("patient interval", item.loss.interval, right.by_patient),
        ("judged interval", item.judged, right.judged),
        *(
            (f"beat-level interval {place + 1}", *pair)
            for place, pair in enumerate(zip(item.beat_level, right.by_beat, strict=False))
        ),
    )
    for what, interval, recomputed in intervals:
        if not same_interval(interval, recomputed):
            yield f"the {what} of endpoint '{name}' does not follow from predictions.csv"
    if len(item.beat_level) != len(right.by_beat):
        yield f"endpoint '{name}' has not {len(right.by_beat)} beat-level interval(s)"
    tests = right.tests
    for what, stated_p, found_p in (
        ("McNemar's mid-p", item.mcnemar_mid_p, tests.mid_p),
        ("McNemar's exact p", item.mcnemar_exact, tests.exact),
        ("Obuchowski's p", item.clustered_p, tests.clustered),
        ("p value", item.p_value, tests.own),
        ("adjusted p value", item.adjusted_p_value, right.adjusted),
    ):
        if (stated_p is None) != (found_p is None) or not same(stated_p or 0, found_p or 0):
            yield f"the {what} of endpoint '{name}' does not follow from predictions.csv".replace("the McN", "McN")
    if len(item.worst_records) != len(right.worst) or not all(
        one == other and same(first, second)
        for (one, first), (other, second) in zip(item.worst_records, right.worst, strict=True)
    ):
        yield f"the worst records of endpoint '{name}' do not follow from predictions.csv"
    if item.verdict != right.verdict:
        yield f"the verdict of endpoint '{name}' is '{item.verdict}' where its figures say '{right.verdict}'"


def expected(endpoint: Endpoint, protocol: Protocol, table: Table, beats: dict[int, int]) -> Expected:
    """What an endpoint must be over `beats`, the judged decisions by beat, as far as they are of its population."""
    float_decided, population = table.answers["float"].decided, protocol.population(endpoint.population)
    int8_decided = {
        beat: decision
        for beat, decision in beats.items()
        if (population is None or population.holds(table.records[beat], table.patients[beat]))
        and (not endpoint.is_ec57 or table.times_s[beat] >= 300.0)
    }
    rule, classes = protocol.statistics, range(len(protocol.labels))
    means = endpoint.classes or ("",)
    parts = {
        (of, called): [_parts(endpoint, label, protocol, of, called) for label in means]
        for of in classes
        for called in classes
    }
    sums = {patient: [0] * 4 * len(means) for patient in sorted({table.patients[beat] for beat in int8_decided})}
    of_records = {record: [0] * 4 * len(means) for record in {table.records[beat] for beat in int8_decided}}
    rows: list[_Row] = []
    for beat, decision in int8_decided.items():
        reference = table.reference[beat]
        both = zip(parts[reference, float_decided[beat]], parts[reference, decision], strict=True)
        row = tuple(part for one, other in both for part in (*one, *other))
        of_patient = sums[table.patients[beat]]
        of_patient[:] = [total + part for total, part in zip(of_patient, row, strict=True)]
        if any(row):
            rows.append(row)
            of_record = of_records[table.records[beat]]
            of_record[:] = [total + part for total, part in zip(of_record, row, strict=True)]
    totals = [sum(patient[column] for patient in sums.values()) for column in range(4 * len(means))]
    float_value, int8_value = _values(totals)
    bootstrap = Bootstrap(resamples=rule.resamples, seed=rule.seed, method=rule.method)
    per_patient = np.array(list(sums.values()), dtype=np.float64).reshape(-1, 4 * len(means))
    by_patient = bootstrap_interval(per_patient, ratio_loss, bootstrap, level=rule.level)
    p_patients = bootstrap_p_value(per_patient, ratio_loss, bootstrap, endpoint.margin, rule.level)
    by_beat, p_beats, equality = _by_beat(endpoint, rows, rule.level)
    one_sided = [float(row[0] - row[2]) for row in sums.values() if row[1]] if equality is not None else []
    judged = by_patient and Interval(
        low=min(by_patient.low, by_beat[0].low),
        high=max(by_patient.high, by_beat[0].high),
        level=rule.level,
        method=f"hull of {by_patient.method} and {by_beat[0].method}",
    )
    loss = float_value - int8_value
    short = _too_small(endpoint, protocol, table, int8_decided)
    return Expected(
        float_value=float_value,
        int8_value=int8_value,
        loss=loss,
        by_patient=by_patient,
        by_beat=by_beat,
        judged=judged,
        tests=Tests(
            mid_p=equality.mid_p if equality else None,
            exact=equality.exact if equality else None,
            clustered=obuchowski_p_value(np.array(one_sided)) if len(one_sided) > 1 else None,
            own=max(p_patients, p_beats) if p_patients is not None and isfinite(loss) else None,
        ),
        verdict=_verdict(loss, judged, endpoint.margin, short=short),
        worst=_worst(of_records, totals, loss),
    )


def corrected(endpoints: list[Expected], protocol: Protocol) -> list[Expected]:
    """The same where the protocol's rule for several endpoints takes a pass back."""
    rule = protocol.statistics
    if rule.multiplicity == "all":
        return endpoints
    found, largest, going = [], 0.0, True
    ranks = sorted(1.0 if one.tests.own is None else one.tests.own for one in endpoints)
    for one in endpoints:
        if rule.multiplicity == "hierarchical":
            mine = 1.0 if one.tests.own is None or one.verdict != "pass" else one.tests.own
            largest = adjusted = max(largest, mine)
            kept = going
            going = going and one.verdict == "pass"
        else:
            below = [rank for rank, p in enumerate(ranks) if p <= (1.0 if one.tests.own is None else one.tests.own)]
            adjusted = max(min(1.0, (len(ranks) - rank) * ranks[rank]) for rank in below)
            kept = adjusted <= rule.one_sided_alpha
        verdict: Verdict = one.verdict
        if one.tests.own is None:
            found.append(one)
            continue
        if verdict == "pass" and not kept:
            verdict = "inconclusive"
        found.append(replace(one, adjusted=adjusted, verdict=verdict))
    return found


def _worst(of_records: dict[str, list[int]], totals: list[int], loss: float) -> tuple[tuple[str, float], ...]:
    """The worst three records that a tenth of the loss or more would vanish with."""
    if not loss > 0:
        return ()
    found = []
    for record, row in of_records.items():
        rest = [total - part for total, part in zip(totals, row, strict=True)]
        float_value, int8_value = _values(rest)
        less = loss - (float_value - int8_value)
        found.append((record, less))
    found = sorted((one for one in found if one[1] >= loss / 10 - 1e-12), key=lambda one: (-one[1], one[0]))
    return tuple(found[:3])


def _values(totals: list[int]) -> tuple[float, float]:
    """The figure of float and of INT8: the mean over the classes of the endpoint."""
    sides = [[share(*totals[at : at + 2]) for at in range(start, len(totals), 4)] for start in (0, 2)]
    return sum(sides[0]) / len(sides[0]), sum(sides[1]) / len(sides[1])


def _parts(endpoint: Endpoint, label: str, protocol: Protocol, reference: int, decision: int) -> tuple[int, int]:
    """What a beat adds to numerator and denominator of the endpoint's figure for one class."""
    measure = endpoint.measure.removeprefix("ec57_")
    if measure == "accuracy":
        return int(reference == decision), 1
    index = protocol.labels.index(label)
    excused = protocol.labels[reference] in protocol.class_rule(label).not_false_positive
    if measure != endpoint.measure:
        excused = protocol.labels[reference] in {"V": "FQ", "S": "Q"}[label]
    hit = int(reference == decision == index)
    of_class, called = int(reference == index), int(decision == index and not excused)
    if measure == "sensitivity":
        return hit, of_class
    return (hit, called) if measure == "positive_predictivity" else (2 * hit, of_class + called)


def _by_beat(endpoint: Endpoint, rows: list[_Row], level: float) -> tuple[tuple[Interval, ...], float, McNemar | None]:
    """The closed forms with their p at the margin, and McNemar's test where the same beats count in both runtimes."""
    if endpoint.measure in ("accuracy", "sensitivity", "ec57_sensitivity"):
        hits = [(row[0], row[2]) for row in rows]
        pairs = PairedTable(
            both=hits.count((1, 1)),
            first_only=hits.count((1, 0)),
            second_only=hits.count((0, 1)),
            neither=hits.count((0, 0)),
        )
        intervals = (tango(pairs, level), newcombe_paired(pairs, level))
        return intervals, tango_p_value(pairs, endpoint.margin), mcnemar(pairs.first_only, pairs.second_only)
    # A call that only one of the two makes: of a beat of the class, and of another beat.
    hit, miss = ((2, 2), (0, 1)) if endpoint.measure in ("f1", "macro_f1") else ((1, 1), (0, 0))
    changes = [[*hit, *miss], [*miss, *hit], [0, 1, 0, 0], [0, 0, 0, 1]]
    means = len(endpoint.classes)
    unseen = np.array(
        [[0] * 4 * at + one + [0] * 4 * (means - 1 - at) for at in range(means) for one in changes], float
    )
    beats = np.array(rows, dtype=np.float64).reshape(-1, 4 * means)
    p_value = paired_ratio_p_value(beats, endpoint.margin, unseen=unseen)
    return (paired_ratio_delta(beats, level, unseen=unseen),), p_value, None


def _too_small(endpoint: Endpoint, protocol: Protocol, table: Table, judged: dict[int, int]) -> bool:
    """Whether the data lack what the protocol demands before a pass means anything."""
    if len({table.patients[beat] for beat in judged}) < protocol.minimum_patients:
        return True
    for label in endpoint.classes:
        rule, index = protocol.class_rule(label), protocol.labels.index(label)
        owners = [table.patients[beat] for beat in judged if table.reference[beat] == index]
        if len(owners) < rule.minimum_beats or len(set(owners)) < rule.minimum_patients:
            return True
    return False


def _verdict(loss: float, judged: Interval | None, margin: float, *, short: bool) -> Verdict:
    if not isfinite(loss) or judged is None:
        return "inconclusive"
    if judged.low > margin:
        return "fail"
    return "pass" if judged.high < margin and not short else "inconclusive"

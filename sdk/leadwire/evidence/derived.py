"""Every statistic of a validation derived again from predictions.csv, beside what evidence.json states.

`verify_bundle` alone checks counts, endpoints and verdicts; this goes on to the intervals of each runtime's own figures
and to the planning figures, and says what it compared. Intervals use the formulas of `leadwire.stats`; the verifier
inside the bundle (validation/verify.py) has them written a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, nan

import numpy as np

from leadwire.artifacts import EndpointResult, Interval, Statistic, ValidationResult
from leadwire.protocols import Endpoint, Protocol
from leadwire.stats import Bootstrap, Floats, bootstrap_sums, clusters_needed

from .judgement import Expected, corrected, expected
from .predictions import Table
from .recompute import same, share
from .scope import interval_of_share, parts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFigure:
    """A figure as evidence.json states it and as predictions.csv gives it; NaN where it is not defined. Of an interval
    also its level and method, as text."""

    what: str
    stated: float | str
    derived: float | str

    @property
    def agrees(self) -> bool:
        if isinstance(self.stated, str) or isinstance(self.derived, str):
            return self.stated == self.derived
        return same(self.stated, self.derived)

    @property
    def texts(self) -> tuple[str, str]:
        """Stated and derived, as they are shown."""
        one, other = (value if isinstance(value, str) else f"{value:.6g}" for value in (self.stated, self.derived))
        return one, other


def derive(validation: ValidationResult, protocol: Protocol, table: Table) -> tuple[DerivedFigure, ...]:
    """All estimates, intervals, p values and planning figures. The validation is one that `judgement` accepts."""
    figures: list[DerivedFigure] = []
    for metrics in validation.metrics:
        who = metrics.runtime
        stated = (metrics.accuracy, *metrics.sensitivity, *metrics.positive_predictivity)
        figures += _of_runtime(who, stated, _counts(table, who, protocol), protocol)
    judged = validation.judged_runtime
    decided = table.answers[judged].decided
    agreement = _agreement(table, judged)
    figures += _of_runtime(judged, (validation.agreement_float_int8,), agreement, protocol)
    rights = corrected([expected(endpoint, protocol, table, decided) for endpoint in protocol.endpoints], protocol)
    for item, endpoint, right in zip(validation.endpoints, protocol.endpoints, rights, strict=True):
        figures += _of_endpoint("", item, endpoint, right, protocol, table, decided)
    parts = parts_of(validation, protocol, decided, table)
    for part, beats in zip(validation.subgroups, parts, strict=True):
        for item, endpoint in zip(part.endpoints, protocol.endpoints, strict=True):
            right = expected(endpoint, protocol, table, beats)
            figures += _of_endpoint(f"{part.subgroup} {part.group}: ", item, endpoint, right, protocol, table, beats)
    return tuple(figures)


def _counts(table: Table, runtime: str, protocol: Protocol) -> Floats:
    """Numerators and denominators by patient: accuracy, then sensitivity and positive predictivity of each class."""
    decided = table.answers[runtime].decided
    classes = len(table.labels)
    place = {patient: row for row, patient in enumerate(sorted({table.patients[beat] for beat in decided}))}
    matrix = np.zeros((len(place), classes, classes))
    cells = Counter(
        (place[table.patients[beat]], table.reference[beat], decision) for beat, decision in decided.items()
    )
    for cell, count in cells.items():
        matrix[cell] = count
    columns = [np.trace(matrix, axis1=1, axis2=2), matrix.sum(axis=(1, 2))]
    for label in range(classes):
        columns += [matrix[:, label, label], matrix[:, label, :].sum(axis=1)]
    for label, name in enumerate(table.labels):
        excused = protocol.class_rule(name).not_false_positive
        counted = [row for row, other in enumerate(table.labels) if other not in excused]
        columns += [matrix[:, label, label], matrix[:, counted, label].sum(axis=1)]
    return np.stack(columns, axis=1)


def _agreement(table: Table, runtime: str) -> Floats:
    one, other = table.answers["float"].decided, table.answers[runtime].decided
    rows: dict[str, list[float]] = {}
    for beat, decision in sorted(other.items()):
        row = rows.setdefault(table.patients[beat], [0.0, 0.0])
        row[0] += one[beat] == decision
        row[1] += 1
    return np.array([rows[patient] for patient in sorted(rows)])


def _of_runtime(
    runtime: str, stated: Sequence[Statistic], per_patient: Floats, protocol: Protocol
) -> Iterator[DerivedFigure]:
    rule = protocol.statistics
    bootstrap = Bootstrap(resamples=rule.resamples, seed=rule.seed, method=rule.method)
    sums = bootstrap_sums(per_patient, bootstrap)
    for number, statistic in enumerate(stated):
        pair = slice(2 * number, 2 * number + 2)
        part, whole = (int(total) for total in per_patient[:, pair].sum(axis=0))
        interval = interval_of_share(per_patient[:, pair], bootstrap, rule.level, sums[:, pair])
        what = f"{statistic.name} of '{runtime}'"
        yield DerivedFigure(what=what, stated=statistic.estimate, derived=share(part, whole))
        yield from _interval(what, statistic.interval, interval)


def _interval(what: str, stated: Interval | None, derived: Interval | None) -> Iterator[DerivedFigure]:
    for side in ("low", "high"):
        yield DerivedFigure(
            what=f"{what}, {side}",
            stated=nan if stated is None else getattr(stated, side),
            derived=nan if derived is None else getattr(derived, side),
        )
    yield DerivedFigure(what=f"{what}, interval", stated=_made_by(stated), derived=_made_by(derived))


def _made_by(interval: Interval | None) -> str:
    return "none" if interval is None else f"{100 * interval.level:.9g} %, {interval.method}"


def _of_endpoint(
    where: str,
    item: EndpointResult,
    endpoint: Endpoint,
    right: Expected,
    protocol: Protocol,
    table: Table,
    beats: dict[int, int],
) -> Iterator[DerivedFigure]:
    """An endpoint's figures over `beats`, the judged decisions by beat."""
    name = f"{where}endpoint '{endpoint.name}'"
    for what, stated, found in (
        ("float", item.float_value, right.float_value),
        ("INT8", item.int8_value, right.int8_value),
        ("loss", item.loss.estimate, right.loss),
        ("McNemar mid-p", item.mcnemar_mid_p, right.tests.mid_p),
        ("McNemar exact p", item.mcnemar_exact, right.tests.exact),
        ("Obuchowski p", item.clustered_p, right.tests.clustered),
        ("p", item.p_value, right.tests.own),
        ("adjusted p", item.adjusted_p_value, right.adjusted),
        ("patients needed", item.patients_needed, _needed(endpoint, right, protocol, table, beats)),
    ):
        yield DerivedFigure(
            what=f"{name}, {what}",
            stated=nan if stated is None else stated,
            derived=nan if found is None else found,
        )
    yield from _interval(f"{name}, loss by patient", item.loss.interval, right.by_patient)
    for number, found_interval in enumerate(right.by_beat):
        yield from _interval(f"{name}, loss by beat {number + 1}", item.beat_level[number], found_interval)
    yield from _interval(f"{name}, judged", item.judged, right.judged)


def _needed(endpoint: Endpoint, right: Expected, protocol: Protocol, table: Table, beats: dict[int, int]) -> int | None:
    """Patients that would settle an inconclusive endpoint: for the protocol's minimum, and for the interval's width."""
    if right.verdict != "inconclusive":
        return None
    population = protocol.population(endpoint.population)
    judged = [
        one
        for one in beats
        if (population is None or population.holds(table.records[one], table.patients[one]))
        and (not endpoint.is_ec57 or table.times_s[one] >= 300.0)
    ]
    everyone = len({table.patients[beat] for beat in judged})
    demands = [(everyone, protocol.minimum_patients)]
    for label in endpoint.classes:
        rule, place = protocol.class_rule(label), table.labels.index(label)
        owners = [table.patients[beat] for beat in judged if table.reference[beat] == place]
        demands += [(len(owners), rule.minimum_beats), (len(set(owners)), rule.minimum_patients)]
    minimum = max((ceil(everyone * wanted / found) for found, wanted in demands if 0 < found < wanted), default=0)
    if right.judged is None or right.loss != right.loss or right.judged.high < endpoint.margin:
        taken_back = right.adjusted is not None and not minimum and right.judged is not None
        return _for_all(endpoint, right, protocol, everyone) if taken_back else minimum or None
    for_width = clusters_needed(
        clusters=everyone,
        estimate=right.loss,
        upper=right.judged.high,
        margin=endpoint.margin,
        level=protocol.statistics.level,
        power=protocol.statistics.power,
    )
    return None if for_width is None else max(for_width, minimum)


def _for_all(endpoint: Endpoint, right: Expected, protocol: Protocol, patients: int) -> int | None:
    """Patients at which an endpoint that passes alone would pass beside the others: at alpha divided by their
    number.
    """
    rule = protocol.statistics
    if rule.multiplicity != "holm" or right.judged is None:
        return None
    return clusters_needed(
        clusters=patients,
        estimate=right.loss,
        upper=right.judged.high,
        margin=endpoint.margin,
        level=rule.level,
        power=rule.power,
        next_level=1 - 2 * rule.one_sided_alpha / len(protocol.endpoints),
    )

"""One endpoint, one verdict: the loss float - INT8, its intervals, and the margin of the protocol.

pass: the upper limit is below the margin and the protocol's minimum of beats and patients is there. fail: the lower
limit is above the margin. Everything else is inconclusive, with the number of patients that would settle it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import EndpointResult, Interval, Statistic, Verdict
from leadwire.protocols import Endpoint, Protocol
from leadwire.stats import (
    Bootstrap,
    Floats,
    McNemar,
    PairedTable,
    bootstrap_interval,
    bootstrap_p_value,
    bootstrap_sums,
    clusters_needed,
    mcnemar,
    mean_ratios,
    newcombe_paired,
    obuchowski_p_value,
    paired_ratio_delta,
    paired_ratio_p_value,
    ratio_loss,
    tango,
    tango_p_value,
)

from .inputs import Integers
from .scores import paired_parts, sum_by_patient

_RECORDS_NAMED = 3

# Kinds of beats whose call changes, as rows (float numerator, denominator, INT8 numerator, denominator): a beat of the
# class called by float alone, by INT8 alone; a beat of another class called by float alone, by INT8 alone.
_CHANGES: dict[str, Floats] = {
    "positive_predictivity": np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64),
    "f1": np.array([[2, 2, 0, 1], [0, 1, 2, 2], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64),
}


def _changes(endpoint: Endpoint) -> Floats | None:
    """Those of the endpoint's measure; of a mean over classes those of each class, as in its own figure. None where the
    denominator does not depend on the decision."""
    if endpoint.measure != "macro_f1":
        return _CHANGES.get(endpoint.share)
    return np.asarray(np.kron(np.eye(len(endpoint.labels)), _CHANGES["f1"]), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """The beats an endpoint is judged on: reference classes, what float and INT8 decided, whose they are, and which of
    them EC57 counts: those after the first five minutes of their record."""

    reference: Integers
    float_decided: Integers
    int8_decided: Integers
    patients: Sequence[str]
    records: Sequence[str]
    after_learning: npt.NDArray[np.bool_]

    def part(self, places: Integers) -> Beats:
        """The beats at these places, in their order."""
        return Beats(
            reference=self.reference[places],
            float_decided=self.float_decided[places],
            int8_decided=self.int8_decided[places],
            patients=[self.patients[place] for place in places],
            records=[self.records[place] for place in places],
            after_learning=self.after_learning[places],
        )

    def patients_of(self, endpoint: Endpoint) -> int:
        """Patients with a beat that the endpoint is judged on."""
        counted = zip(self.patients, self.after_learning.tolist(), strict=True)
        return len({patient for patient, late in counted if late or not endpoint.is_ec57})


def judge(endpoint: Endpoint, protocol: Protocol, beats: Beats, bootstrap: Bootstrap) -> EndpointResult:
    """The endpoint's loss with intervals and verdict. Rows hold numerator and denominator of float, then of INT8."""
    level = protocol.statistics.level
    if endpoint.is_ec57:
        beats = beats.part(np.flatnonzero(beats.after_learning).astype(np.int64))
    rows = paired_parts(endpoint, protocol, beats.reference, (beats.float_decided, beats.int8_decided))
    per_patient = sum_by_patient(rows, beats.patients)
    sums = per_patient.sum(axis=0)
    float_value, int8_value = mean_ratios(sums).tolist()
    loss = float(ratio_loss(sums))
    drawn = bootstrap_sums(per_patient, bootstrap) if len(per_patient) else None
    by_patient = bootstrap_interval(per_patient, ratio_loss, bootstrap, level, sums=drawn)
    p_patients = bootstrap_p_value(per_patient, ratio_loss, bootstrap, endpoint.margin, level, sums=drawn)
    equality: McNemar | None = None
    clustered: float | None = None
    if (unseen := _changes(endpoint)) is not None:
        entering = rows[rows.any(axis=1)]
        beat_level: tuple[Interval, ...] = (paired_ratio_delta(entering, level, unseen=unseen),)
        p_beats = paired_ratio_p_value(entering, endpoint.margin, unseen=unseen)
    else:
        table = _table(rows)
        beat_level = (tango(table, level), newcombe_paired(table, level))
        p_beats = tango_p_value(table, endpoint.margin)
        equality = mcnemar(table.first_only, table.second_only)
        counting = per_patient[per_patient[:, 1] > 0]
        clustered = obuchowski_p_value(counting[:, 0] - counting[:, 2]) if len(counting) > 1 else None
    judged = None if by_patient is None else _hull(by_patient, beat_level[0])
    shortages, enough_patients = _shortages(endpoint, protocol, beats)
    verdict, reason = _verdict(loss, judged, endpoint.margin, shortages)
    worst = _worst_records(rows, beats.records, loss)
    if verdict != "pass" and worst:
        reason += f"; most of the loss is in record{'s' * (len(worst) > 1)} {', '.join(name for name, _ in worst)}"
    return EndpointResult(
        endpoint=endpoint.name,
        float_value=float_value,
        int8_value=int8_value,
        loss=Statistic(name=f"loss of {endpoint.name}", estimate=loss, interval=by_patient),
        beat_level=beat_level,
        margin=endpoint.margin,
        verdict=verdict,
        reason=reason,
        judged=judged,
        mcnemar_mid_p=None if equality is None else equality.mid_p,
        mcnemar_exact=None if equality is None else equality.exact,
        clustered_p=clustered,
        p_value=max(p_patients, p_beats) if p_patients is not None and isfinite(loss) else None,
        patients_needed=_needed(verdict, loss, judged, endpoint.margin, protocol, len(per_patient), enough_patients),
        worst_records=worst,
    )


def _worst_records(rows: Floats, records: Sequence[str], loss: float) -> tuple[tuple[str, float], ...]:
    """The worst three records without which the loss would be smaller by a tenth of it or more, with by how much."""
    if not isfinite(loss) or loss <= 0:
        return ()
    per_record = sum_by_patient(rows, records)
    shares = loss - ratio_loss(per_record.sum(axis=0) - per_record)
    names = sorted(set(records))
    order = sorted(range(len(names)), key=lambda i: (-shares[i], names[i]) if isfinite(shares[i]) else (inf, names[i]))
    return tuple((names[i], float(shares[i])) for i in order[:_RECORDS_NAMED] if shares[i] >= loss / 10)


def _table(rows: Floats) -> PairedTable:
    """Accuracy and sensitivity have the same denominator in both runtimes: the beats that count."""
    counting = rows[rows[:, 1] == 1]
    first, second = counting[:, 0] == 1, counting[:, 2] == 1
    return PairedTable(
        both=int(np.count_nonzero(first & second)),
        first_only=int(np.count_nonzero(first & ~second)),
        second_only=int(np.count_nonzero(~first & second)),
        neither=int(np.count_nonzero(~first & ~second)),
    )


def _hull(one: Interval, other: Interval) -> Interval:
    """Resampling patients sees that beats of a patient belong together; the closed form sees that n beats without a
    change do not prove that none can change. Neither may be forgotten, so the wider limit counts on each side."""
    return Interval(
        low=min(one.low, other.low),
        high=max(one.high, other.high),
        level=one.level,
        method=f"hull of {one.method} and {other.method}",
    )


def _shortages(endpoint: Endpoint, protocol: Protocol, beats: Beats) -> tuple[list[str], int]:
    """What the protocol's minimum demands and the data lack, and the patients at which it would be there."""
    everyone = len(set(beats.patients))
    lacks: list[str] = []
    needed = 0
    demands = [("patients", everyone, protocol.minimum_patients)]
    for label in endpoint.classes:
        rule = protocol.class_rule(label)
        of_class = np.flatnonzero(beats.reference == protocol.labels.index(label))
        with_class = len({beats.patients[int(beat)] for beat in of_class})
        demands.append((f"{label} beats", len(of_class), rule.minimum_beats))
        demands.append((f"patients with {label} beats", with_class, rule.minimum_patients))
    for what, found, demanded in demands:
        if found < demanded:
            lacks.append(f"{found} {what} of at least {demanded}")
            if found:
                needed = max(needed, ceil(everyone * demanded / found))
    return lacks, needed


def _verdict(loss: float, judged: Interval | None, margin: float, shortages: list[str]) -> tuple[Verdict, str]:
    if not isfinite(loss):
        return "inconclusive", "undefined: no beat enters the figure" + _also(shortages)
    if judged is None:
        return "inconclusive", "too few patients have beats that enter the figure" + _also(shortages)
    if judged.low > margin:
        return "fail", f"lower limit {_points(judged.low)} is above the margin {_points(margin)}"
    if shortages:
        return "inconclusive", "; ".join(shortages)
    if judged.high < margin:
        return "pass", f"upper limit {_points(judged.high)} is below the margin {_points(margin)}"
    return "inconclusive", f"upper limit {_points(judged.high)} is not below the margin {_points(margin)}"


def _also(shortages: list[str]) -> str:
    return "".join(f"; {shortage}" for shortage in shortages)


def _points(value: float) -> str:
    return f"{100 * value:.2f} points"


def _needed(
    verdict: Verdict,
    loss: float,
    judged: Interval | None,
    margin: float,
    protocol: Protocol,
    patients: int,
    enough_patients: int,
) -> int | None:
    """Patients that would settle an inconclusive endpoint: for the minimum, and for the width of the interval."""
    if verdict != "inconclusive":
        return None
    if judged is None or judged.high < margin:
        return enough_patients or None
    for_width = clusters_needed(
        clusters=patients,
        estimate=loss,
        upper=judged.high,
        margin=margin,
        level=protocol.statistics.level,
        power=protocol.statistics.power,
    )
    return None if for_width is None else max(for_width, enough_patients)

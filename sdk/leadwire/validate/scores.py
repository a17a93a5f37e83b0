"""Accuracy, sensitivity, positive predictivity and F1 of one runtime, each as a ratio of per-beat counts.

A figure is sum(numerator) / sum(denominator) over beats, or the mean of such ratios over classes, so that sums per
patient are all that the bootstrap needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from leadwire.artifacts import Interval, RuntimeMetrics, Statistic
from leadwire.datasets.dataset import Dataset
from leadwire.protocols import Endpoint, Measure, Protocol
from leadwire.stats import Bootstrap, Floats, bootstrap_interval, bootstrap_sums, ratio, wilson

from .inputs import Integers, Run


def ratio_parts(
    measure: str,
    label: str,
    protocol: Protocol,
    reference: Integers,
    decided: Integers,
    excused_labels: Sequence[str] | None = None,
) -> Floats:
    """Numerator and denominator of a figure, beat by beat: float64 [n, 2]. `label` is ignored for accuracy.

    Beats of the excused reference classes, those of the protocol's `not_false_positive` unless they are given, do not
    enter a denominator by being called `label`.
    """
    if measure == "accuracy":
        return np.stack([reference == decided, np.ones(len(reference))], axis=1).astype(np.float64)
    index = protocol.labels.index(label)
    names = protocol.class_rule(label).not_false_positive if excused_labels is None else excused_labels
    excused = [protocol.labels.index(other) for other in names if other in protocol.labels]
    is_class, called = reference == index, decided == index
    hit, counted = is_class & called, called & ~np.isin(reference, excused)
    if measure == "sensitivity":
        parts = [hit, is_class]
    elif measure == "positive_predictivity":
        parts = [hit, counted]
    else:
        parts = [2 * hit.astype(np.int64), is_class.astype(np.int64) + counted]
    return np.stack(parts, axis=1).astype(np.float64)


def paired_parts(endpoint: Endpoint, protocol: Protocol, reference: Integers, decided: Sequence[Integers]) -> Floats:
    """What the beats add to an endpoint's figure as `ratio_loss` takes it: float64 [n, 4 x classes], for each class
    numerator and denominator of either runtime in `decided`, float first."""
    parts = []
    for label in endpoint.classes or ("",):
        excused = protocol.excused(endpoint, label) if label else ()
        measure = "f1" if endpoint.measure == "macro_f1" else endpoint.share
        parts += [ratio_parts(measure, label, protocol, reference, side, excused) for side in decided]
    return np.concatenate(parts, axis=1)


def sum_by_patient(rows: Floats, patients: Sequence[str]) -> Floats:
    """Sums of rows [n, columns] for each patient, in sorted order of the patients' names: [patients, columns]."""
    names, patient = np.unique(np.asarray(patients, dtype=np.str_), return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]))
    for column in range(rows.shape[1]):
        sums[:, column] = np.bincount(patient, weights=rows[:, column], minlength=len(names))
    return sums


def runtime_metrics(run: Run, dataset: Dataset, protocol: Protocol, bootstrap: Bootstrap) -> RuntimeMetrics:
    """Figures of one runtime over the beats it predicted."""
    reference = dataset.labels[run.beats].astype(np.int64)
    classes = len(protocol.labels)
    confusion = np.bincount(reference * classes + run.decided, minlength=classes * classes).reshape(classes, classes)
    figures: list[tuple[str, Measure, str]] = [("accuracy", "accuracy", "")]
    figures += [(f"{label} sensitivity", "sensitivity", label) for label in protocol.labels]
    figures += [(f"{label} positive predictivity", "positive_predictivity", label) for label in protocol.labels]
    parts = np.concatenate(
        [ratio_parts(measure, label, protocol, reference, run.decided) for _, measure, label in figures], axis=1
    )
    patients = [dataset.patients[beat] for beat in run.beats]
    statistics = proportions([name for name, _, _ in figures], parts, patients, bootstrap, protocol.statistics.level)
    return RuntimeMetrics(
        runtime=run.runtime,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        accuracy=statistics[0],
        sensitivity=tuple(statistics[1 : 1 + classes]),
        positive_predictivity=tuple(statistics[1 + classes :]),
    )


def proportions(
    names: Sequence[str], parts: Floats, patients: Sequence[str], bootstrap: Bootstrap, level: float
) -> list[Statistic]:
    """One proportion per pair of columns of `parts` [n, 2 x names], with an interval over resampled patients.

    Where resampling tells nothing (one patient, a figure of exactly 0 or 1, a class few patients have) the interval is
    Wilson's over the beats, and says so.
    """
    per_patient = sum_by_patient(parts, patients)
    sums = bootstrap_sums(per_patient, bootstrap)
    return [
        _proportion(name, per_patient[:, 2 * i : 2 * i + 2], sums[:, 2 * i : 2 * i + 2], bootstrap, level)
        for i, name in enumerate(names)
    ]


def _proportion(name: str, per_patient: Floats, sums: Floats, bootstrap: Bootstrap, level: float) -> Statistic:
    numerator, denominator = (int(total) for total in per_patient.sum(axis=0))
    if denominator == 0:
        return Statistic(name=name, estimate=nan, numerator=0, denominator=0)
    interval = bootstrap_interval(per_patient, ratio, bootstrap, level, sums=sums)
    if interval is None or interval.low == interval.high:
        by_beat = wilson(numerator, denominator, level)
        interval = Interval(low=by_beat.low, high=by_beat.high, level=level, method="Wilson score over beats")
    return Statistic(
        name=name,
        estimate=numerator / denominator,
        interval=interval,
        numerator=numerator,
        denominator=denominator,
    )

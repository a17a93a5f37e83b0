"""What an operating point fixed on the float model becomes on INT8: sensitivity, specificity, threshold drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from leadwire.artifacts import Interval, OperatingPointResult, Statistic
from leadwire.protocols import OperatingPoint, Protocol
from leadwire.stats import Bootstrap, Floats, bootstrap_interval, bootstrap_sums, ratio_loss

from .inputs import Integers
from .scores import proportions, sum_by_patient

_RESAMPLES_AT_ONCE = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Judged beats: whether each is of the class, the class's output of float and INT8, and whose beat it is."""

    is_class: np.ndarray
    float_output: Floats
    int8_output: Floats
    patients: Sequence[str]


def grid(raw: np.ndarray, outputs: Floats) -> tuple[float, int] | None:
    """(scale, zero point) of INT8 outputs from their raw and real values; None where they are not on one grid."""
    if raw.shape != outputs.shape or raw.min() == raw.max():
        return None
    low, high = int(raw.argmin()), int(raw.argmax())
    flat, real = raw.ravel().astype(np.int64), outputs.ravel()
    scale = float((real[high] - real[low]) / (flat[high] - flat[low]))
    zero_point = round(float(flat[low] - real[low] / scale))
    return (scale, zero_point) if np.allclose(scale * (flat - zero_point), real, rtol=0, atol=scale / 1e3) else None


def operating_point(
    point: OperatingPoint, protocol: Protocol, outputs: Outputs, on_grid: tuple[float, int], bootstrap: Bootstrap
) -> OperatingPointResult | None:
    """None where no beat of the class is there. INT8 is asked with the float threshold: output >= threshold."""
    if not outputs.is_class.any() or outputs.is_class.all():
        return None
    level, (scale, zero_point) = protocol.statistics.level, on_grid
    threshold = fixed_threshold(outputs.float_output[outputs.is_class], point.sensitivity)
    step = first_step(threshold, scale, zero_point)
    called = (outputs.float_output >= threshold, outputs.int8_output >= scale * (step - zero_point) - scale / 2)
    rows = [np.stack([hit & of, of], axis=1) for of, hits in _sides(outputs.is_class, called) for hit in hits]
    parts = np.concatenate(rows, axis=1).astype(np.float64)
    names = [f"{runtime} {what}" for what in ("sensitivity", "specificity") for runtime in ("float", "INT8")]
    figures = proportions(names, parts, outputs.patients, bootstrap, level)
    losses = []
    for first, what in ((0, "sensitivity"), (4, "specificity")):
        per_patient = sum_by_patient(parts[:, first : first + 4], outputs.patients)
        losses.append(
            Statistic(
                name=f"loss of {what}",
                estimate=float(ratio_loss(per_patient.sum(axis=0))),
                interval=bootstrap_interval(per_patient, ratio_loss, bootstrap, level),
            )
        )
    return OperatingPointResult(
        name=point.name,
        label=point.label,
        target=point.sensitivity,
        threshold=threshold,
        scale=scale,
        zero_point=zero_point,
        int8_step=step,
        float_sensitivity=figures[0],
        int8_sensitivity=figures[1],
        float_specificity=figures[2],
        int8_specificity=figures[3],
        sensitivity_loss=losses[0],
        specificity_loss=losses[1],
        drift=drift(point.sensitivity, outputs, bootstrap, level),
    )


def _sides(is_class: np.ndarray, called: tuple[np.ndarray, np.ndarray]) -> list[tuple[np.ndarray, list[np.ndarray]]]:
    """Sensitivity counts calls among the class, specificity silence among the others; float, then INT8."""
    return [(is_class, list(called)), (~is_class, [~one for one in called])]


def fixed_threshold(of_class: Floats, target: float) -> float:
    """The largest output at which at least `target` of the class is called."""
    return float(np.sort(of_class)[::-1][_rank(target, len(of_class)) - 1])


def _rank(target: float, beats: float) -> int:
    """How many beats `target` of them are: rounded up, with an allowance for binary fractions."""
    return max(1, ceil(target * beats - 1e-9))


def first_step(threshold: float, scale: float, zero_point: int) -> int:
    """The lowest raw value whose real value is at least the threshold; it may lie beyond the ends of the range."""
    return ceil(threshold / scale - 1e-9) + zero_point


def drift(target: float, outputs: Outputs, bootstrap: Bootstrap, level: float) -> Statistic:
    """INT8's own threshold less float's, both fixed anew in each resample of the patients (percentile interval)."""
    names, patient = np.unique(np.asarray(outputs.patients), return_inverse=True)
    of_class = np.flatnonzero(outputs.is_class)
    owner, sides = patient[of_class], (outputs.float_output[of_class], outputs.int8_output[of_class])
    estimate = fixed_threshold(sides[1], target) - fixed_threshold(sides[0], target)
    times = bootstrap_sums(np.eye(len(names)), bootstrap)
    drawn = _thresholds(times, owner, sides[1], target) - _thresholds(times, owner, sides[0], target)
    drawn = drawn[np.isfinite(drawn)]
    tail = (1 - level) / 2
    interval = None
    if len(names) >= 2 and len(drawn) >= (1 - tail) * len(times):
        low, high = (float(value) for value in np.quantile(drawn, (tail, 1 - tail)))
        how = f"patient bootstrap percentile, B={bootstrap.resamples}, seed {bootstrap.seed}"
        interval = Interval(low=low, high=high, level=level, method=how)
    return Statistic(name="drift of the threshold", estimate=estimate, interval=interval)


def _thresholds(times: Floats, owner: Integers, values: Floats, target: float) -> Floats:
    """`fixed_threshold` of each resample: [B]; NaN where it holds no beat of the class."""
    order = np.argsort(-values, kind="stable")
    ranked, ranked_owner = values[order], owner[order]
    found = np.full(len(times), np.nan)
    for start in range(0, len(times), _RESAMPLES_AT_ONCE):
        counted = np.cumsum(times[start : start + _RESAMPLES_AT_ONCE][:, ranked_owner], axis=1)
        needed = np.maximum(1, np.ceil(target * counted[:, -1:] - 1e-9))
        place = (counted < needed).sum(axis=1)
        some = counted[:, -1] > 0
        found[start : start + _RESAMPLES_AT_ONCE][some] = ranked[place[some]]
    return found

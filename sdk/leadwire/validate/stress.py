"""Does quantization hurt more when the signal is bad? The protocol's figures of float and INT8 under each condition.

Only counts, like all of this package: the predictions are made elsewhere. Each condition is compared with the same
beats undisturbed, patient by patient, so that the excess has an interval of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import Statistic, StressCondition, StressFigure, StressWitness
from leadwire.protocols import Endpoint, Protocol
from leadwire.stats import (
    Bootstrap,
    Floats,
    bootstrap_interval,
    bootstrap_sums,
    excess_loss,
    mean_ratios,
    ratio_loss,
)

from .inputs import Integers
from .scores import paired_parts, sum_by_patient


@dataclass(frozen=True, slots=True, kw_only=True)
class StressRun:
    """Answers under one condition. `beats` int64 [k] are beats of the stress set, rising; `float_decided` and
    `int8_decided` int64 [k]; `device_beats` of them were sent to the device, `device_identical` gave the same bytes.
    """

    title: str
    level: float | None
    unit: str
    beats: Integers
    float_decided: Integers
    int8_decided: Integers
    device_beats: int
    device_identical: int
    witnesses: tuple[StressWitness, ...] = ()


def judge_stress(
    protocol: Protocol,
    labels: npt.NDArray[np.int64],
    patients: Sequence[str],
    records: Sequence[str],
    runs: Sequence[StressRun],
) -> tuple[StressCondition, ...]:
    """`runs[0]` is undisturbed and covers all beats; `labels`, `patients`, `records` are those of the stress set."""
    rule = protocol.statistics
    bootstrap = Bootstrap(resamples=rule.resamples, seed=rule.seed, method=rule.method)
    return tuple(_condition(protocol, labels, patients, records, run, runs[0], bootstrap) for run in runs)


def _condition(
    protocol: Protocol,
    labels: npt.NDArray[np.int64],
    patients: Sequence[str],
    records: Sequence[str],
    run: StressRun,
    clean: StressRun,
    bootstrap: Bootstrap,
) -> StressCondition:
    owners = [patients[beat] for beat in run.beats]
    reference = labels[run.beats]
    decisions = (run.float_decided, run.int8_decided, clean.float_decided[run.beats], clean.int8_decided[run.beats])
    columns: list[Floats] = []  # of each endpoint: as `ratio_loss` takes them, then the same undisturbed
    for endpoint in protocol.endpoints:
        population = protocol.population(endpoint.population)
        belongs = np.asarray(
            [population is None or population.holds(records[beat], patients[beat]) for beat in run.beats], dtype=bool
        )
        both = [paired_parts(endpoint, protocol, reference, sides) for sides in (decisions[:2], decisions[2:])]
        columns.append(np.where(belongs[:, None], np.concatenate(both, axis=1), 0.0))
    per_patient = sum_by_patient(np.concatenate(columns, axis=1), owners)
    sums = bootstrap_sums(per_patient, bootstrap)
    figures = []
    end = 0
    for endpoint, own in zip(protocol.endpoints, columns, strict=True):
        of = slice(end, end := end + own.shape[1])
        figures.append(_figure(endpoint, per_patient[:, of], sums[:, of], bootstrap, protocol.statistics.level))
    return StressCondition(
        title=run.title,
        level=run.level,
        unit=run.unit,
        beats=len(run.beats),
        patients=len(set(owners)),
        device_beats=run.device_beats,
        device_identical=run.device_identical,
        figures=tuple(figures),
        witnesses=run.witnesses,
    )


def _figure(endpoint: Endpoint, per_patient: Floats, sums: Floats, bootstrap: Bootstrap, level: float) -> StressFigure:
    total, half = per_patient.sum(axis=0), per_patient.shape[1] // 2
    float_value, int8_value = mean_ratios(total[:half]).tolist()
    loss = bootstrap_interval(per_patient[:, :half], ratio_loss, bootstrap, level, sums=sums[:, :half])
    excess = bootstrap_interval(per_patient, excess_loss, bootstrap, level, sums=sums)
    return StressFigure(
        endpoint=endpoint.name,
        float_value=float_value,
        int8_value=int8_value,
        loss=Statistic(name=f"loss of {endpoint.name}", estimate=float(ratio_loss(total[:half])), interval=loss),
        excess=Statistic(name=f"excess loss of {endpoint.name}", estimate=float(excess_loss(total)), interval=excess),
    )

"""Which beats: exclusions before anything is judged, populations of endpoints, and the groups of subgroups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from leadwire.artifacts import EndpointResult, ExclusionResult, RecordAttributes, SubgroupResult
from leadwire.datasets.dataset import Dataset, take
from leadwire.errors import DatasetError
from leadwire.protocols import Endpoint, Protocol, Subgroup
from leadwire.protocols.scope import Exclusion, Population

from .inputs import Integers


def exclude(dataset: Dataset, protocol: Protocol) -> tuple[Dataset, tuple[ExclusionResult, ...]]:
    """The data set without the beats that the protocol excludes, and how many each exclusion took.

    DatasetError where none is left."""
    if not protocol.exclusions:
        return dataset, ()
    held = _holding(dataset, protocol.exclusions)
    counts = [int(np.count_nonzero(held == i)) for i in range(len(protocol.exclusions))]
    results = tuple(
        ExclusionResult(reason=rule.reason, beats=count)
        for rule, count in zip(protocol.exclusions, counts, strict=True)
    )
    kept = np.flatnonzero(held < 0)
    if not len(kept):
        raise DatasetError(
            dataset.name,
            f"protocol '{protocol.name}' excludes all {len(dataset)} beats of split '{dataset.split}'",
            hint="read the protocol's exclusions",
        )
    return (take(dataset, kept) if len(kept) < len(dataset) else dataset), results


def check_excluded(dataset: Dataset, protocol: Protocol) -> None:
    """DatasetError where a beat is still there that the protocol excludes."""
    if not protocol.exclusions:
        return
    left = np.flatnonzero(_holding(dataset, protocol.exclusions) >= 0)
    if len(left):
        raise DatasetError(
            dataset.name,
            f"{len(left)} beats are there that protocol '{protocol.name}' excludes, the first is {int(left[0])}",
            hint="take them away before the runtimes are asked: validate.exclude",
        )


def _holding(dataset: Dataset, exclusions: Sequence[Exclusion]) -> Integers:
    """For each beat the first exclusion that holds, -1 where none does."""
    names = dataset.label_names
    held = np.full(len(dataset), -1, dtype=np.int64)
    for beat in range(len(dataset)):
        described = (
            dataset.records[beat],
            dataset.patients[beat],
            names[int(dataset.labels[beat])],
            float(dataset.times_s[beat]),
        )
        held[beat] = next((i for i, rule in enumerate(exclusions) if rule.holds(*described)), -1)
    return held


def in_population(population: Population | None, dataset: Dataset, beats: Integers) -> Integers:
    """Places in `beats` of those that belong to a population; None is everybody."""
    if population is None:
        return np.arange(len(beats), dtype=np.int64)
    belongs = {
        (record, patient): population.holds(record, patient)
        for record, patient in set(zip(dataset.records, dataset.patients, strict=True))
    }
    return np.flatnonzero([belongs[dataset.records[beat], dataset.patients[beat]] for beat in beats]).astype(np.int64)


def known_attributes(dataset: Dataset, beats: Integers) -> tuple[RecordAttributes, ...]:
    """One for each record of these beats, in sorted order; bare ones where the data set says nothing."""
    given = {one.record: one for one in dataset.attributes}
    patients = {dataset.records[beat]: dataset.patients[beat] for beat in beats}
    return tuple(
        given.get(record, RecordAttributes(record=record, patient=patients[record])) for record in sorted(patients)
    )


def value_of(subgroup: Subgroup, one: RecordAttributes) -> str | float | None:
    return {
        "age": one.age,
        "sex": one.sex,
        "record": one.record,
        "patient": one.patient,
        "lead": one.lead,
        "noise": one.snr_db,
    }[subgroup.by]


def subgroup_results(
    protocol: Protocol,
    dataset: Dataset,
    beats: Integers,
    attributes: Sequence[RecordAttributes],
    judge_part: Callable[[Endpoint, Integers], EndpointResult],
) -> tuple[SubgroupResult, ...]:
    """Every endpoint in every group that has beats. `judge_part` judges an endpoint on places in `beats`."""
    results = []
    for subgroup in protocol.subgroups:
        group_of = {one.record: subgroup.group(value_of(subgroup, one)) for one in attributes}
        groups = np.asarray([group_of[dataset.records[beat]] for beat in beats])
        for group in ordered_groups(subgroup, group_of.values()):
            places = np.flatnonzero(groups == group).astype(np.int64)
            results.append(
                SubgroupResult(
                    subgroup=subgroup.name,
                    group=group,
                    beats=len(places),
                    patients=len({dataset.patients[beats[place]] for place in places}),
                    endpoints=tuple(judge_part(endpoint, places) for endpoint in protocol.endpoints),
                )
            )
    return tuple(results)


def ordered_groups(subgroup: Subgroup, found: Iterable[str]) -> list[str]:
    """The groups that occur: in the order of their edges, else sorted."""
    present = set(found)
    return [one for one in subgroup.groups if one in present] if subgroup.groups else sorted(present)

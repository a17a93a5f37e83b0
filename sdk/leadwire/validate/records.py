"""Recording by recording, and group by group: a loss in one of them hides in a pooled figure."""

from __future__ import annotations

import numpy as np

from leadwire.artifacts import RecordClass, RecordResult, SubgroupResult
from leadwire.datasets.dataset import Dataset
from leadwire.protocols import Protocol

from .inputs import Run

_ROUNDING = 1e-9  # of a difference of two shares, far below one beat


def records_of(dataset: Dataset, runs: dict[str, Run], judged: Run) -> tuple[RecordResult, ...]:
    """Accuracy of each record over the judged beats, in sorted order of the records' names."""
    scope = judged.beats
    reference = dataset.labels[scope]
    right = {
        "float": runs["float"].decided[scope] == reference,
        "host": runs["tflite"].decided[scope] == reference,
        "device": judged.decided == reference,
    }
    names, first, record = np.unique(
        np.asarray([dataset.records[beat] for beat in scope]), return_index=True, return_inverse=True
    )
    beats = np.bincount(record, minlength=len(names))
    share = {key: np.bincount(record, weights=hits, minlength=len(names)) / beats for key, hits in right.items()}
    return tuple(
        RecordResult(
            record=str(name),
            patient=dataset.patients[int(scope[first[i]])],
            beats=int(beats[i]),
            float_accuracy=float(share["float"][i]),
            host_accuracy=float(share["host"][i]),
            device_accuracy=float(share["device"][i]),
            classes=tuple(
                RecordClass(
                    label=label,
                    beats=int(np.count_nonzero(of)),
                    float_right=int(np.count_nonzero(of & right["float"])),
                    int8_right=int(np.count_nonzero(of & right["device"])),
                )
                for place, label in enumerate(dataset.label_names)
                if (of := (record == i) & (reference == place)).any()
            ),
        )
        for i, name in enumerate(names)
    )


def record_failures(protocol: Protocol, records: tuple[RecordResult, ...]) -> list[str]:
    limit = protocol.record_limit
    if limit is None:
        return []
    failures = [
        f"record {one.record} loses {100 * (one.float_accuracy - one.device_accuracy):.2f} points of accuracy, "
        f"at most {100 * limit.max_accuracy_loss:g} allowed"
        for one in records
        if one.beats >= limit.minimum_beats
        and one.float_accuracy - one.device_accuracy > limit.max_accuracy_loss + _ROUNDING
    ]
    if limit.max_sensitivity_loss is None:
        return failures
    judged = {label for endpoint in protocol.endpoints for label in endpoint.classes}
    for one in records:
        for part in one.classes:
            loss = (part.float_right - part.int8_right) / part.beats
            if (
                part.label in judged
                and part.beats >= limit.minimum_class_beats
                and loss > limit.max_sensitivity_loss + _ROUNDING
            ):
                failures.append(
                    f"record {one.record} loses {100 * loss:.2f} points of sensitivity to {part.label} "
                    f"({part.float_right} of {part.beats} beats found by float, {part.int8_right} by INT8), "
                    f"at most {100 * limit.max_sensitivity_loss:g} allowed"
                )
    return failures


def subgroup_failures(protocol: Protocol, results: tuple[SubgroupResult, ...]) -> list[str]:
    judged = {subgroup.name for subgroup in protocol.subgroups if subgroup.judged}
    return [
        f"{one.subgroup} {one.group}: {item.endpoint}: {item.reason}"
        for one in results
        if one.subgroup in judged
        for item in one.endpoints
        if item.verdict == "fail"
    ]

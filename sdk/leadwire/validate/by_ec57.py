"""Each runtime's decisions as annotations, scored by ANSI/AAMI EC57: NON-STANDARD, for beats are classified where the
reference has them.
"""

from __future__ import annotations

import numpy as np

from leadwire.artifacts import Ec57Result
from leadwire.datasets.annotations import Annotation, AnnotationFile
from leadwire.datasets.dataset import Dataset
from leadwire.ec57 import CODES, score
from leadwire.protocols import EC57_START_S

from .inputs import Integers, Run

_CLOCK_HZ = 1_000_000.0
AT_REFERENCE = "beats are classified where the reference has them: none can be missed or found in excess"
OWN_CLASSES = "the reference's classes are the data set's"


def can_be_scored(dataset: Dataset) -> str:
    """Why the data set cannot be scored by EC57; empty where it can."""
    if not set(dataset.label_names) <= set(CODES):
        return f"its classes are {' '.join(dataset.label_names)}, not some of {' '.join(CODES)}"
    last: dict[str, float] = {}
    for record, time in zip(dataset.records, dataset.times_s.tolist(), strict=True):
        if time <= last.get(record, -1.0):
            return f"the times of record {record} do not rise"
        last[record] = time
    if max(last.values()) < EC57_START_S:
        return "no record lasts beyond the first five minutes, which do not count"
    return ""


def by_ec57(runs: dict[str, Run], judged: Run, dataset: Dataset) -> tuple[Ec57Result, ...]:
    """Float, INT8 on the host and the judged runtime over the judged beats."""
    if can_be_scored(dataset):
        return ()
    found = []
    for name in dict.fromkeys(("float", "tflite", judged.runtime)):
        decided = judged.decided if name == judged.runtime else runs[name].decided[judged.beats]
        found.append(_scored(name, decided, judged.beats, dataset))
    return tuple(found)


def _scored(runtime: str, decided: Integers, beats: Integers, dataset: Dataset) -> Ec57Result:
    records = np.asarray([dataset.records[beat] for beat in beats])
    pairs = []
    for record in sorted(set(records.tolist())):
        places = np.flatnonzero(records == record)
        times = dataset.times_s[beats[places]]
        pairs.append(
            (
                _file(record, dataset.name, times, dataset.labels[beats[places]], dataset.label_names),
                _file(record, runtime, times, decided[places], dataset.label_names),
            )
        )
    deviations = [AT_REFERENCE, OWN_CLASSES]
    if len(beats) < len(dataset):
        deviations.append(f"{len(beats)} of {len(dataset)} beats: runs are of beats that need not follow each other")
    return score(pairs, also_deviates=deviations)


def _file(
    record: str, annotator: str, times_s: np.ndarray, labels: np.ndarray, names: tuple[str, ...]
) -> AnnotationFile:
    marked = zip(times_s.tolist(), labels.tolist(), strict=True)
    return AnnotationFile(
        record=record,
        annotator=annotator,
        sample_rate_hz=_CLOCK_HZ,
        length_samples=0,
        annotations=tuple(
            Annotation(sample=round(time * _CLOCK_HZ), code=CODES[names[label]]) for time, label in marked
        ),
    )

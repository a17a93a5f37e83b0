"""Annotation files written down in a line, for tests that count by hand."""

from __future__ import annotations

from leadwire.datasets.annotations import Annotation, AnnotationFile
from leadwire.ec57 import CODES
from leadwire.ec57.labels import NOISE, PACED, RHYTHM, VF_OFF, VF_ON

RATE = 360
START = 300 * RATE
Marks = list[tuple[int, str]]


def annotations(marks: Marks) -> tuple[Annotation, ...]:
    """`[ ]` fibrillation, `~ =` shutdown from and to, `/` a paced beat, `(N` and the like a change of rhythm."""
    special = {"[": (VF_ON, 0), "]": (VF_OFF, 0), "~": (NOISE, 0x30), "=": (NOISE, 0), "/": (PACED, 0), "!": (31, 0)}
    found = []
    for sample, mark_ in marks:
        code, subtype = special.get(mark_, (RHYTHM if mark_[0] == "(" else CODES.get(mark_, 0), 0))
        found.append(Annotation(sample=sample, code=code, subtype=subtype, aux=mark_ if mark_[0] == "(" else ""))
    return tuple(found)


def file(marks: Marks, *, record: str = "100", length: int = 2 * START, rate: float = RATE) -> AnnotationFile:
    return AnnotationFile(
        record=record, annotator="atr", sample_rate_hz=rate, length_samples=length, annotations=annotations(marks)
    )


def rhythm(labels: str, first: int = START + 1000, every: int = 300) -> Marks:
    return [(first + every * place, label) for place, label in enumerate(labels)]

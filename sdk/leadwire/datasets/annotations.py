"""Annotations of one recording: what a person or an algorithm marked, and when."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_RATE_HZ, LARGEST_RATE_HZ = 1.0, 1e6
"""A sampling rate outside is a mistake: EC57 counts in whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """`sample` counts from the start of the record at its own sampling rate; `code`, `subtype` and `aux` as WFDB stores
    them ('+' with aux '(AFIB' is code 28: a change of rhythm).
    """

    sample: int
    code: int
    subtype: int = 0
    aux: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationFile:
    """All annotations of a record in order of time. `length_samples` is 0 where the record's length is unknown;
    `digest` the SHA-256 of the file, empty where there is none.
    """

    record: str
    annotator: str
    sample_rate_hz: float
    length_samples: int
    annotations: tuple[Annotation, ...]
    digest: str = ""

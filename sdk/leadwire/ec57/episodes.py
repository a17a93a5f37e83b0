"""Episode by episode: atrial and ventricular fibrillation, by number and by duration; any overlap is a detection."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Literal

from leadwire.artifacts import Ec57Episodes
from leadwire.datasets.annotations import Annotation

from .labels import RHYTHM, VF_OFF, VF_ON

_Span = tuple[float, float]


def compare_episodes(
    reference: Sequence[Annotation], test: Sequence[Annotation], *, start: int, end: int, sample_rate_hz: float
) -> tuple[Ec57Episodes, ...]:
    """AF and VF from `start` to `end` (0: unknown) in samples."""
    found = []
    for kind in ("AF", "VF"):
        one, other = _episodes(reference, kind, end), _episodes(test, kind, end)
        detected, missed, reference_overlap, reference_total = _covered(one, other, start, end)
        confirmed, false, test_overlap, test_total = _covered(other, one, start, end)
        found.append(
            Ec57Episodes(
                kind="AF" if kind == "AF" else "VF",
                detected=detected,
                missed=missed,
                confirmed=confirmed,
                false=false,
                reference_overlap_s=reference_overlap / sample_rate_hz,
                reference_s=reference_total / sample_rate_hz,
                test_overlap_s=test_overlap / sample_rate_hz,
                test_s=test_total / sample_rate_hz,
            )
        )
    return tuple(found)


def _episodes(annotations: Sequence[Annotation], kind: str, end: int) -> list[_Span]:
    """From its beginning to its end; one without an end lasts to the end of the record or the last annotation."""
    spans: list[_Span] = []
    begun: int | None = None
    for one in annotations:
        change = _change(one, kind)
        if begun is None and change == "begins":
            begun = one.sample
        elif begun is not None and change == "ends":
            spans.append((begun, one.sample))
            begun = None
    if begun is not None:
        spans.append((begun, max(end, annotations[-1].sample)))
    return spans


def _change(one: Annotation, kind: str) -> Literal["begins", "ends", ""]:
    if kind == "VF":
        return "begins" if one.code == VF_ON else "ends" if one.code == VF_OFF else ""
    if one.code != RHYTHM:
        return ""
    return "begins" if one.aux.startswith("(AFIB") else "ends"


def _covered(spans: list[_Span], others: list[_Span], start: int, end: int) -> tuple[int, int, float, float]:
    """How many of `spans` overlap with one of `others` and how many with none; the time of overlap and of all."""
    hits = misses = 0
    overlap = total = 0.0
    last = end or inf
    for begin, until in spans:
        if until < start or begin >= last:
            continue
        begin, until = max(begin, start), min(until, last)
        common = sum(max(0.0, min(until, to) - max(begin, since)) for since, to in others)
        hits, misses = hits + (common > 0), misses + (common <= 0)
        overlap, total = overlap + common, total + until - begin
    return hits, misses, overlap, total

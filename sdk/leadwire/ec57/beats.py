"""Beat by beat: annotations of reference and test that are of one beat are paired, and the pairs counted.

Of two annotations at most the match window apart the earlier is paired with the later, unless its neighbour is closer
to that one; then the neighbour's own better partner decides (the alternative of November 2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from leadwire.datasets.annotations import Annotation

from .labels import ROWS, VF_OFF, VF_ON, beat_class, starts_shutdown

Span = tuple[float, float]
Matrix = list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """`rr` is the interval since the beat before; 0 where fibrillation or shutdown began in between, or none was
    before.
    """

    time: float
    label: str
    rr: int


_NONE = Beat(time=inf, label="", rr=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Beats of one annotator, and when it marked ventricular fibrillation and shutdown. Within fibrillation no beats
    count. `shutdown_samples` leaves out a shutdown that has no end where the record's end is unknown.
    """

    beats: tuple[Beat, ...]
    fibrillation: tuple[Span, ...]
    shutdown: tuple[Span, ...]
    shutdown_samples: int

    def following(self, place: int) -> Beat:
        return self.beats[place] if place < len(self.beats) else _NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`matrix` has rows and columns of ROWS; the errors of `rr_intervals` intervals are summed in squared samples."""

    matrix: tuple[tuple[int, ...], ...]
    rr_squared: int
    rr_intervals: int


def mark(annotations: Sequence[Annotation], window: int, end: int) -> Marked:
    """The beats of an annotator. `end` is 0 where the record's length is unknown; `window` in samples."""
    found: list[tuple[int, str]] = []
    fibrillation: list[Span] = []
    shutdown: list[Span] = []
    begun: list[tuple[int, float]] = []
    lost = 0
    place = 0
    while place < len(annotations):
        one = annotations[place]
        place += 1
        label = beat_class(one)
        if label is not None:
            found.append((one.sample, label))
        elif starts_shutdown(one):
            last = max(found[-1][0] if found else 0, int(fibrillation[-1][1]) if fibrillation else 0)
            span = _shutdown(one, annotations[place] if place < len(annotations) else None, last, window)
            shutdown.append(span)
            begun.append((len(found), span[0]))
            until = span[1] if span[1] != inf else end
            lost += max(0, int(until - span[0]))
        elif one.code == VF_ON:
            begun.append((len(found), one.sample))
            while place < len(annotations) and annotations[place].code != VF_OFF:
                place += 1
            fibrillation.append((one.sample, annotations[place].sample if place < len(annotations) else inf))
    return Marked(
        beats=tuple(_with_intervals(found, begun)),
        fibrillation=tuple(fibrillation),
        shutdown=tuple(shutdown),
        shutdown_samples=lost,
    )


def _shutdown(one: Annotation, following: Annotation | None, last: int, window: int) -> Span:
    """From where to where. Where the next annotation does not end it, one annotation stands for a stretch around it:
    from `window` after the last beat to `window` before the next annotation.
    """
    if following is None:
        return one.sample, inf
    if following.code == one.code and not starts_shutdown(following):
        return one.sample, following.sample
    until = following.sample - window
    return min(last + window, until), until


def _with_intervals(found: list[tuple[int, str]], begun: list[tuple[int, float]]) -> list[Beat]:
    """`begun` holds how many beats were before the annotation, and when fibrillation or shutdown began by it."""
    beats: list[Beat] = []
    previous = place = 0
    latest: list[float] = []
    for index, (sample, label) in enumerate(found):
        while place < len(begun) and begun[place][0] <= index:
            latest = [*latest[-1:], begun[place][1]]
            place += 1
        broken = any(previous <= start < sample for start in latest)
        beats.append(Beat(time=sample, label=label, rr=0 if previous == 0 or broken else sample - previous))
        previous = sample
    return beats


def compare_beats(reference: Marked, test: Marked, *, window: int, start: int, end: int) -> Comparison:
    """Pair and count from `start` to `end` (0: to the reference's last beat), all in samples."""
    matrix: Matrix = [[0] * len(ROWS) for _ in ROWS]
    squared = intervals = 0
    r = next((i for i, beat in enumerate(reference.beats) if beat.time >= start), len(reference.beats))
    t = next((i for i, beat in enumerate(test.beats) if beat.time >= start), len(test.beats))

    def count(row: str, column: str, of_reference: int, of_test: int) -> None:
        nonlocal squared, intervals
        if row in ROWS and column in ROWS and not (row in "OX" and column in "OX"):
            matrix[ROWS.index(row)][ROWS.index(column)] += 1
        one, other = reference.following(of_reference), test.following(of_test)
        if one.rr > 0 and other.rr > 0:
            squared += (one.rr - other.rr) ** 2
            intervals += 1

    if start > 0:
        first, at, before = reference.following(r).time, test.following(t).time, test.beats[t - 1] if t else None
        if before is not None and first - before.time <= window and first - before.time < _apart(first, at):
            count(reference.beats[r].label, before.label, r, t - 1)
            r += 1
        elif at - start <= window and _apart(first, test.following(t + 1).time) < _apart(first, at):
            t += 1
    while _goes_on(reference.following(r).time, test.following(t).time, end):
        one, other = reference.following(r), test.following(t)
        one_next, other_next = reference.following(r + 1).time, test.following(t + 1).time
        gap = _apart(one.time, other.time)
        if other.time < one.time:
            better = gap < _apart(one.time, other_next) or _apart(one_next, other_next) < _apart(one.time, other_next)
        else:
            better = gap < _apart(other.time, one_next) or _apart(one_next, other_next) < _apart(other.time, one_next)
        if gap <= window and better:
            count(one.label, other.label, r, t)
            r, t = r + 1, t + 1
        elif other.time < one.time:
            count(_unmatched_test(other.time, reference), other.label, r, t)
            t += 1
        else:
            count(one.label, "X" if _within(one.time, test.shutdown) else "O", r, t)
            r += 1
    return Comparison(matrix=tuple(map(tuple, matrix)), rr_squared=squared, rr_intervals=intervals)


def _goes_on(reference: float, test: float, end: int) -> bool:
    if reference == inf and test == inf:
        return False
    return (reference <= end or test <= end) if end else reference != inf


def _apart(one: float, other: float) -> float:
    """Distance; of two that are not there it is 0, for neither is then a better partner than the other."""
    return 0.0 if one == other else abs(one - other)


def _unmatched_test(time: float, reference: Marked) -> str:
    """The row of a test beat without a partner: during fibrillation of the reference it does not count ('*')."""
    if _within(time, reference.fibrillation):
        return "*"
    return "X" if _within(time, reference.shutdown) else "O"


def _within(time: float, spans: tuple[Span, ...]) -> bool:
    return any(begin <= time <= end for begin, end in spans)

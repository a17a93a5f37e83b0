"""Records one by one, then gross and average, and whether the standard's way was kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from leadwire.artifacts import Ec57Episodes, Ec57Record, Ec57Result, Ec57Runs
from leadwire.datasets.annotations import AnnotationFile
from leadwire.errors import BadInputError

from .beats import compare_beats, mark
from .databases import database_of
from .episodes import compare_episodes
from .figures import averages, figures, summed
from .labels import is_paced
from .runs import compare_runs

WINDOW_S, START_S = 0.15, 300.0
_MAX_S = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The standard's rule, and what a user may change of it: then the result is NON-STANDARD. `end_s` None is the end
    of the record, or of the reference's annotations where its length is unknown.
    """

    window_s: float = WINDOW_S
    start_s: float = START_S
    end_s: float | None = None
    include_paced: bool = False

    def __post_init__(self) -> None:
        mistakes = []
        if not (isfinite(self.window_s) and 0 < self.window_s <= 2):
            mistakes.append(f"a match window of {self.window_s} s; at most 2")
        if not (isfinite(self.start_s) and 0 <= self.start_s <= _MAX_S):
            mistakes.append(f"a start at {self.start_s} s")
        if self.end_s is not None and not (isfinite(self.end_s) and self.start_s < self.end_s <= _MAX_S):
            mistakes.append(f"an end at {self.end_s} s, which must be after the start")
        if mistakes:
            raise BadInputError("; ".join(mistakes))

    @property
    def deviations(self) -> tuple[str, ...]:
        found = []
        if self.window_s != WINDOW_S:
            found.append(f"match window {self.window_s:g} s instead of {WINDOW_S:g} s")
        if self.start_s != START_S:
            found.append(f"scored from {self.start_s:g} s instead of {START_S:g} s")
        if self.end_s is not None:
            found.append(f"scored until {self.end_s:g} s instead of to the end of the record")
        return tuple(found)


def samples(seconds: float, sample_rate_hz: float) -> int:
    """Rounded half up."""
    return int(seconds * sample_rate_hz + 0.5)


def score_record(reference: AnnotationFile, test: AnnotationFile, rule: Rule) -> Ec57Record:
    """One record; BadInputError where its two files have not the same sampling rate."""
    rate = reference.sample_rate_hz
    if test.sample_rate_hz != rate:
        raise BadInputError(
            f"record {reference.record}: reference at {rate:g} Hz, test at {test.sample_rate_hz:g} Hz",
            hint="write both with the sampling rate of the record",
        )
    end = reference.length_samples if rule.end_s is None else samples(rule.end_s, rate)
    window, start = samples(rule.window_s, rate), samples(rule.start_s, rate)
    if end and end < start:
        raise BadInputError(
            f"record {reference.record} ends at {end / rate:g} s, before scoring starts at {rule.start_s:g} s",
            hint="leave the record out, or give --start (the result is then NON-STANDARD)",
        )
    marked = [mark(one.annotations, window, end) for one in (reference, test)]
    compared = compare_beats(marked[0], marked[1], window=window, start=start, end=end)
    both = reference.annotations, test.annotations
    squared, intervals = compared.rr_squared, compared.rr_intervals
    return Ec57Record(
        record=reference.record,
        matrix=compared.matrix,
        figures=figures(compared.matrix),
        rr_error_ms=sqrt(squared / intervals) * 1000.0 / samples(1.0, rate) if intervals else None,
        shutdown_s=(marked[1].shutdown_samples + samples(0.5, rate)) // samples(1.0, rate),
        runs=compare_runs(*both, window=window, start=start, end=end),
        episodes=compare_episodes(*both, start=start, end=end, sample_rate_hz=rate),
    )


def score(
    pairs: Iterable[tuple[AnnotationFile, AnnotationFile]],
    rule: Rule | None = None,
    *,
    without_test: Collection[str] = (),
    also_deviates: Sequence[str] = (),
) -> Ec57Result:
    """All records. Of each pair the first is the reference. `without_test` names reference records that the algorithm
    did not annotate; `also_deviates` is what the caller did otherwise than the standard asks.

    BadInputError where no record is left to score.
    """
    rule = rule or Rule()
    given = sorted(pairs, key=lambda pair: pair[0].record)
    paced = [one.record for one, _ in given if is_paced(one.annotations)]
    left_out = [] if rule.include_paced else paced
    scored = [pair for pair in given if pair[0].record not in left_out]
    if not scored:
        raise BadInputError(
            "no record is left to score", hint=f"paced records are left out: {' '.join(left_out)}" if left_out else ""
        )
    records = tuple(score_record(reference, test, rule) for reference, test in scored)
    names = [one.record for one, _ in given]
    database = database_of([*names, *without_test])
    deviations = [*rule.deviations, *also_deviates]
    if rule.include_paced and paced:
        deviations.append(f"paced records were not left out: {' '.join(paced)}")
    if without_test:
        deviations.append(f"records without test annotations: {' '.join(sorted(without_test))}")
    if database is None:
        deviations.append("the records are of no one database that the standard names")
    elif lacking := database.lacking(names):
        deviations.append(f"records of the {database.title} are missing: {lacking}")
    files = [one for pair in given for one in pair if one.digest]
    rr_errors = [round(one.rr_error_ms, 2) for one in records if one.rr_error_ms is not None]
    return Ec57Result(
        reference=scored[0][0].annotator,
        test=scored[0][1].annotator,
        database=database.title if database is not None else "",
        records=records,
        matrix=summed(one.matrix for one in records),
        gross=figures(summed(one.matrix for one in records)),
        average=averages(one.figures for one in records),
        rr_error_ms=sum(rr_errors) / len(rr_errors) if rr_errors else None,
        runs=tuple(_all_runs([one.runs[place] for one in records]) for place in range(2)),
        episodes=tuple(_all_episodes([one.episodes[place] for one in records]) for place in range(2)),
        excluded=tuple((record, "paced") for record in left_out),
        deviations=tuple(deviations),
        files=tuple((f"{one.record}.{one.annotator}", one.digest) for one in files),
    )


def _all_runs(runs: Sequence[Ec57Runs]) -> Ec57Runs:
    return Ec57Runs(
        kind=runs[0].kind,
        sensitivity=summed(one.sensitivity for one in runs),
        positive_predictivity=summed(one.positive_predictivity for one in runs),
    )


def _all_episodes(episodes: Sequence[Ec57Episodes]) -> Ec57Episodes:
    return Ec57Episodes(
        kind=episodes[0].kind,
        detected=sum(one.detected for one in episodes),
        missed=sum(one.missed for one in episodes),
        confirmed=sum(one.confirmed for one in episodes),
        false=sum(one.false for one in episodes),
        reference_overlap_s=sum(one.reference_overlap_s for one in episodes),
        reference_s=sum(one.reference_s for one in episodes),
        test_overlap_s=sum(one.test_overlap_s for one in episodes),
        test_s=sum(one.test_s for one in episodes),
    )

"""Run by run: each run of one annotator against the longest run of the other in the same stretch of time.

Runs are of ventricular ectopic beats (V and F) or of supraventricular ones (S); ventricular and atrial fibrillation
count as runs of the longest kind. The stretch is widened by the match window on both sides. Lengths stop at 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Literal

from leadwire.artifacts import Ec57Runs
from leadwire.datasets.annotations import Annotation

from .labels import run_symbols

LONGEST = 6
_Symbols = list[tuple[int, str]]
# Per kind: beats of a run, what begins and ends its fibrillation, what else ends that.
_KINDS: tuple[tuple[Literal["VE", "SVE"], str, str, str, str], ...] = (
    ("VE", "VF", "[", "]", "]{U"),
    ("SVE", "S", "{", "}", "}[U"),
)


def compare_runs(
    reference: Sequence[Annotation], test: Sequence[Annotation], *, window: int, start: int, end: int
) -> tuple[Ec57Runs, ...]:
    """VE and SVE runs from `start` to `end` (0: unknown), all in samples."""
    one, other = run_symbols(reference), run_symbols(test)
    found = []
    for kind, beats, begins, ends, breaks in _KINDS:
        rule = _Rule(beats, begins, ends, breaks, window, start, end)
        seen, said = _empty(), _empty()
        for length, longest in rule.compare(one, other):
            seen[length][longest] += 1
        for length, longest in rule.compare(other, one):
            said[longest][length] += 1
        found.append(
            Ec57Runs(kind=kind, sensitivity=tuple(map(tuple, seen)), positive_predictivity=tuple(map(tuple, said)))
        )
    return tuple(found)


def _empty() -> list[list[int]]:
    return [[0] * (LONGEST + 1) for _ in range(LONGEST + 1)]


class _Rule:
    def __init__(self, beats: str, begins: str, ends: str, breaks: str, window: int, start: int, end: int) -> None:
        self.beats, self.begins, self.ends, self.breaks = beats, begins, ends, breaks
        self.window, self.start, self.end = window, start, end

    def compare(self, one: _Symbols, other: _Symbols) -> list[tuple[int, int]]:
        """Length of each run of `one`, and of the longest of `other` in its stretch."""
        longest = _Longest(other, self)
        return [(length, longest.between(begin, end)) for length, begin, end in self._runs(one)]

    def _runs(self, symbols: _Symbols) -> list[tuple[int, float, float]]:
        runs: list[tuple[int, float, float]] = []
        length, begin, until = 0, 0.0, 0.0
        if not any(sample >= self.start for sample, _ in symbols):
            return runs
        for sample, symbol in symbols:
            if sample < self.start:
                if symbol == self.begins:
                    length, begin, until = LONGEST, self.start - self.window, self.start + self.window
                elif symbol in "]}":
                    length = 0
                continue
            if self.end and sample > self.end:
                return runs
            if symbol in self.beats:
                if not length:
                    begin = sample - self.window
                length, until = min(LONGEST, length + 1), sample + self.window
            elif symbol == self.begins:
                if not length:  # its stretch ends where its last beat or its end is marked, not here
                    length, begin = LONGEST, sample - self.window
            elif length and symbol == self.ends:
                until = sample + self.window
            elif length and symbol in "NQUVFS":
                runs.append((length, begin, until))
                length = 0
        return [*runs, (length, begin, until)] if length else runs


class _Longest:
    """Reads the other annotator's symbols forward once, stretch by stretch."""

    def __init__(self, symbols: _Symbols, rule: _Rule) -> None:
        self.symbols, self.rule, self.place = symbols, rule, 0
        self.fibrillates_until = 0.0

    def between(self, begin: float, end: float) -> int:
        """Beats of the longest run from `begin` to `end`."""
        if self.fibrillates_until > begin:
            return LONGEST
        while self.place < len(self.symbols) and self.symbols[self.place][0] < begin:
            if self.symbols[self.place][1] == self.rule.begins and self._skip_fibrillation() > begin:
                return LONGEST
            self.place += 1
        length = longest = 0
        while self.place < len(self.symbols) and self.symbols[self.place][0] <= end:
            symbol = self.symbols[self.place][1]
            if symbol == self.rule.begins:
                self._skip_fibrillation()
                return LONGEST
            if symbol in self.rule.beats:
                length = min(LONGEST, length + 1)
            elif symbol in "NQUVFS[{":
                length = 0
            longest = max(longest, length)
            self.place += 1
        return longest

    def _skip_fibrillation(self) -> float:
        """Go to where it ends; without an end it lasts."""
        while self.place + 1 < len(self.symbols):
            self.place += 1
            if self.symbols[self.place][1] in self.rule.breaks:
                self.fibrillates_until = float(self.symbols[self.place][0])
                return self.fibrillates_until
        self.place, self.fibrillates_until = len(self.symbols), inf
        return inf

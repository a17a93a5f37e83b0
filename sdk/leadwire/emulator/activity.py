"""What the board shows to the outside besides bytes: its marker pin, and whether its core runs or waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

MOST_CHANGES = 65_536
Change = tuple[int, bool, bool]
"""Virtual time, whether the core executes (else it waits for an interrupt), and the level of the marker pin."""


class ActivityLog:
    """`now()` is the virtual time. Changes of core and marker are kept from the first `take` on."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._edges: deque[tuple[int, bool]] = deque([(0, False)], maxlen=MOST_CHANGES)
        self._runs, self._high = True, False
        self._changes: list[Change] | None = None
        self._lost = False

    def core_runs(self, runs: bool) -> None:
        if runs != self._runs:
            self._runs = runs
            self._note()

    def marker(self, high: bool) -> None:
        if high != self._high:
            self._high = high
            self._edges.append((self._now(), high))
            self._note()

    def take_marker_edges(self) -> list[tuple[int, bool]]:
        """(virtual time, level) of the marker's changes, the first one what it was before; the last one is kept."""
        edges = list(self._edges)
        self._edges.clear()
        self._edges.append(edges[-1])
        return edges

    def take(self) -> tuple[int, list[Change]]:
        """Virtual time, and the changes since the last call; the first call begins with what is. OverflowError where
        there were more than are kept."""
        now = self._now()
        taken = [(now, self._runs, self._high)] if self._changes is None else self._changes
        lost, self._changes, self._lost = self._lost, [], False
        if lost:
            raise OverflowError(f"more than {MOST_CHANGES} changes since the last look")
        return now, taken

    def _note(self) -> None:
        if self._changes is None:
            return
        if len(self._changes) < MOST_CHANGES:
            self._changes.append((self._now(), self._runs, self._high))
        else:
            self._lost = True

"""Progress of a run, for whoever shows it."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Who is told of progress."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


class Quiet:
    """Tells nobody."""

    def stage(self, name: str, skipped: bool) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def progress(self, label: str, done: int, total: int) -> None:
        pass

"""The consoles, the watcher that shows progress on stderr, and the shapes that every view is made of."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

WIDTH = 140
"""Columns where the output is not a terminal."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDTH)

VERDICT_STYLE = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow", "partial": "bold yellow"}


class ConsoleWatcher:
    """Progress on stderr: one line per stage, a bar for long work. A context manager."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._tasks: dict[str, Any] = {}
        self._began: float | None = None

    def __enter__(self) -> ConsoleWatcher:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_stage()
        self._progress.stop()

    def _end_stage(self) -> None:
        if self._began is not None:
            err.print(Text(f"  {time.monotonic() - self._began:.1f} s", style="dim"))
        self._began = None

    def stage(self, name: str, skipped: bool) -> None:
        self._end_stage()
        self._began = None if skipped else time.monotonic()
        note = " (unchanged, skipped)" if skipped else ""
        err.print(Text(f"• {name}{note}", style="dim" if skipped else ""))

    def note(self, text: str) -> None:
        err.print(Text(f"  {text}", style="dim"))

    def progress(self, label: str, done: int, total: int) -> None:
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[label], completed=done, total=total)
        if done >= total:
            self._progress.remove_task(self._tasks.pop(label))


def size(value: float) -> str:
    """'12 345 B', thousands apart."""
    return f"{value:,.0f} B".replace(",", " ")


def grid(rows: Iterable[tuple[str, str]]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    out.print(table)


def table_of(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
    """A table whose first `left` columns are text and the rest figures."""
    out.print(Text(title, style="bold"))
    table = Table(header_style="bold", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)

"""What the verbs of a rig show: a live table of its boards, and what came of them."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table
from rich.text import Text

from .console import err, grid, out, table_of

if TYPE_CHECKING:
    from leadwire.rig.crew import Row
    from leadwire.rig.enroll import Enrolled
    from leadwire.rig.file import Rig
    from leadwire.rig.presence import Presence
    from leadwire.rig.records import RigReport

_STYLE = {"passed": "green", "failed": "bold red", "error": "bold red", "interrupted": "yellow", "running": "cyan"}
_BAR = 12


class LiveBoards:
    """A table on stderr that changes in place; where that is no terminal, a line for each change. A context manager."""

    def __init__(self) -> None:
        self._live = Live(console=err, refresh_per_second=4, transient=True) if err.is_terminal else None
        self._told: dict[str, tuple[str, ...]] = {}

    def __enter__(self) -> LiveBoards:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, rows: tuple[Row, ...]) -> None:
        if self._live is not None:
            self._live.update(_live_table(rows))
            return
        for row in rows:
            told = (row.state, row.stage if row.state == "running" else "", str(row.attempt), row.note)
            if self._told.get(row.name) == told or (row.state in ("queued", "locking") and not row.note):
                continue
            self._told[row.name] = told
            what = row.stage if row.state == "running" else row.state
            again = f", attempt {row.attempt}" if row.attempt > 1 else ""
            err.print(Text(f"  {row.name}: {what}{again}" + (f"  {row.note}" if row.note else "")))


def _live_table(rows: tuple[Row, ...]) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("board", "kind", "state", "stage", "samples", "attempt", "s", "note"):
        table.add_column(column, justify="right" if column in ("attempt", "s") else "left", no_wrap=column != "note")
    for row in rows:
        filled = _BAR * row.done // row.total if row.total else 0
        bar = f"{'█' * filled}{'·' * (_BAR - filled)} {row.done}/{row.total}" if row.total else ""
        table.add_row(
            Text(row.name),
            Text(row.board_id, style="dim"),
            Text(row.state, style=_STYLE.get(row.state, "dim")),
            row.stage if row.state == "running" else "",
            bar,
            str(row.attempt or ""),
            f"{row.seconds:.0f}" if row.seconds else "",
            Text(row.note, overflow="ellipsis", no_wrap=True),
        )
    return table


def report(result: RigReport) -> None:
    rows = []
    for board in result.boards:
        measured = board.measured
        benchmark = measured.benchmark if measured else None
        rows.append(
            (
                board.name,
                board.board_id,
                board.state,
                str(len(board.attempts)),
                "-" if measured is None else f"{measured.compared.identical}/{measured.compared.samples}",
                "-" if benchmark is None else f"{benchmark.latency_us.p50:,.0f}",
                "-" if benchmark is None else benchmark.basis,
                "-" if measured is None or measured.validation is None else measured.validation.verdict,
                "-" if measured is None else measured.after.unique_id or "-",
                f"{board.seconds:.1f}",
            )
        )
    table_of(
        f"rig '{result.rig}'",
        ["board", "kind", "state", "attempts", "right bytes", "latency p50, us", "basis", "verdict", "unique id", "s"],
        rows,
        left=3,
    )
    passed = sum(board.state == "passed" for board in result.boards)
    grid(
        [
            ("passed", f"{passed} of {len(result.boards)}"),
            ("model", f"sha-256 {result.model_digest}"),
            ("bytes against", result.witness),
            ("time", f"{result.seconds:.1f} s"),
            *(
                (f"{board.name}, attempt {one.number}", f"{one.stage}: {one.problem.message}  ({one.policy})")
                for board in result.boards
                for one in board.attempts
                if one.problem is not None
            ),
            *(
                (board.name, board.problem.message)
                for board in result.boards
                if board.state == "failed" and board.problem is not None
            ),
        ]
    )


def listing(rig: Rig) -> None:
    table_of(
        f"rig '{rig.name}'",
        ["board", "kind", "where", "probe", "unique id", "attempts", "power cycle"],
        [
            (
                board.name,
                board.board.id,
                board.entry.port
                or " at ".join(part for part in (board.entry.usb_serial, board.entry.usb_location) if part)
                or "started by the rig",
                board.entry.probe_serial or "-",
                board.entry.unique_id or "-",
                str(board.retry.attempts),
                " ".join(board.entry.power_cycle) or "-",
            )
            for board in rig.boards
        ],
        left=7,
    )


def presence(found: tuple[Presence, ...]) -> None:
    table_of(
        "boards",
        ["board", "kind", "state", "port", "unique id", "note"],
        [
            (one.name, one.board_id, one.state, one.port or "-", one.identity.unique_id or "-", one.note)
            for one in found
        ],
        left=6,
    )


def enrolled(found: tuple[Enrolled, ...]) -> None:
    for one in found:
        out.print(Text(one.entry))
        if one.note:
            err.print(Text(f"{one.identity.port}: {one.note}", style="yellow"))

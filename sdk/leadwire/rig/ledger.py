"""A rig run on disk, as it goes: a file for each board that has ended, and both reports, rewritten each time.

Each write is atomic, so that a rig run that is killed leaves what finished, and never half of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from leadwire.errors import BusyBoardError
from leadwire.workspace import write_atomically

from . import locks, policy
from .file import Rig
from .junit import junit
from .records import BoardResult, PolicyLine, RigReport, to_json
from .workload import Workload

REPORT, JUNIT, BOARDS = "rig.json", "junit.xml", "boards"


class Ledger:
    """Context manager: the output folder is this run's alone. `folder` is for files of boards."""

    def __init__(self, rig: Rig, xml: Path | None = None) -> None:
        self.folder = rig.output / BOARDS
        self._rig = rig
        self._xml = xml or rig.output / JUNIT
        self._workload: Workload | None = None
        self._held: tuple[locks.Held, ...] = ()

    def __enter__(self) -> Ledger:
        """BusyBoardError where another rig run writes into this folder. What an earlier run left is removed."""
        key = f"output {self._rig.output}"
        try:
            self._held = locks.take([key], f"rig '{self._rig.name}' ({self._rig.path})")
        except locks.TakenError as taken:
            raise BusyBoardError(self._rig.name, "its output folder", taken.holder, 0.0) from None
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for stale in (self._rig.output / REPORT, self._xml):
            stale.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        locks.release(self._held)

    def begin(self, workload: Workload) -> None:
        self._workload = workload

    def keep(self, result: BoardResult) -> None:
        """A board has ended."""
        write_atomically(self.folder / f"{result.name}.json", to_json(result, indent=2) + b"\n")
        (self.folder / f"{result.name}.job").unlink(missing_ok=True)

    def report(self, boards: tuple[BoardResult, ...], seconds: float) -> RigReport:
        load = self._workload
        return RigReport(
            rig=self._rig.name,
            model_digest=load.model_digest if load else "",
            witness=load.witness if load else "",
            inputs=load.samples if load else 0,
            complete=all(board.state in ("passed", "failed", "error") for board in boards),
            boards=boards,
            retry_policy=tuple(
                PolicyLine(kind=kind, tried_again=again, reason=why) for kind, again, why in policy.stated()
            ),
            seconds=seconds,
        )

    def write(self, report: RigReport) -> None:
        write_atomically(self._rig.output / REPORT, to_json(report, indent=2) + b"\n")
        write_atomically(self._xml, junit(report))

"""All boards of a rig at once, each in its own process: bounds, locks, time-outs, retries; no board stops another."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from leadwire import errors

from . import locks, policy
from .child import Child
from .file import STAGES, Rig, RigBoard, Stage
from .ledger import Ledger
from .records import Attempt, BoardResult, Measured, Problem, RigReport
from .workload import Workload

_TICK_SECONDS = 0.1
_START_SECONDS = 60.0
"""A process must name its first stage within this time; ten of them may start on one processor."""
_OWN_CLOCK_SECONDS = 5.0
"""Longer than the time-out of stages that keep it themselves and say more about it."""
_OWN_CLOCK: tuple[Stage, ...] = ("lock", "power")
_MEASURED: TypeAdapter[Measured] = TypeAdapter(Measured)
_PROBLEM: TypeAdapter[Problem] = TypeAdapter(Problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One board as it stands at this moment, for whoever shows it."""

    name: str
    board_id: str
    state: str
    stage: str
    attempt: int
    done: int
    total: int
    seconds: float
    note: str


Show = Callable[[tuple[Row, ...]], None]


@dataclass
class _Task:
    board: RigBoard
    phase: str = "queued"
    """queued, locking, running, pausing, ended."""
    stage: Stage | Literal["start"] = "start"
    attempts: list[Attempt] = field(default_factory=list)
    child: Child | None = None
    held: tuple[locks.Held, ...] = ()
    message: dict[str, Any] = field(default_factory=dict)
    ending: Problem | None = None
    began: float | None = None
    attempt_began: float = 0.0
    deadline: float = 0.0
    until: float = 0.0
    done: int = 0
    total: int = 0
    note: str = ""
    result: BoardResult | None = None


class Crew:
    """One rig run. `show` is told how all boards stand, a few times a second."""

    def __init__(self, rig: Rig, boards: Sequence[RigBoard], workload: Workload, ledger: Ledger, show: Show) -> None:
        self._rig = rig
        self._workload = workload
        self._ledger = ledger
        self._show = show
        self._tasks = [_Task(board) for board in boards]
        self._began = time.monotonic()

    def run(self) -> RigReport:
        """The report when every board has ended. Left early (Ctrl-C), every process is ended in order, the report says
        so, and what finished stays on disk."""
        try:
            while any(task.result is None for task in self._tasks):
                self._wait()
                for task in self._tasks:
                    self._step(task)
                self._show(self._rows())
        except BaseException:
            with _undisturbed():
                self._end_all()
                self._close()
            raise
        return self._close()

    def _close(self) -> RigReport:
        for task in self._tasks:
            locks.release(task.held)
            task.held = ()
        report = self.report()
        self._ledger.write(report)
        return report

    def report(self) -> RigReport:
        boards = tuple(task.result or self._so_far(task, "waiting", None) for task in self._tasks)
        return self._ledger.report(boards, time.monotonic() - self._began)

    # ------------------------------------------------------------------------------------------ one board

    def _step(self, task: _Task) -> None:
        now = time.monotonic()
        if task.phase == "queued" and self._has_place(task):
            task.began = task.began or now
            task.phase, task.until = "locking", now + task.board.timeout_s("lock")
        if task.phase == "locking":
            self._lock(task, now)
        elif task.phase == "running":
            self._listen(task, now)
        elif task.phase == "pausing" and now >= task.until:
            task.phase = "queued"

    def _has_place(self, task: _Task) -> bool:
        here = _started_here(task.board)
        limit = self._rig.run.emulated_at_once or (os.cpu_count() or 1) if here else self._rig.run.real_at_once
        busy = [one for one in self._tasks if one.phase in ("locking", "running") and _started_here(one.board) == here]
        return not limit or len(busy) < limit

    def _lock(self, task: _Task, now: float) -> None:
        """Keeps the board for all attempts, by what a power cycle does not change."""
        try:
            task.held = task.held or locks.take(task.board.stable_keys(), self._owner(task.board))
        except locks.TakenError as taken:
            task.note = f"waits for {taken.holder}"
            if now >= task.until:
                seconds = task.board.timeout_s("lock")
                error = errors.BusyBoardError(task.board.name, taken.key, taken.holder, seconds)
                problem = Problem(kind=type(error).__name__, message=error.message, hint=error.hint)
                task.stage, task.attempt_began = "lock", now - seconds
                self._after(task, problem)
            return
        self._start(task, now)

    def _start(self, task: _Task, now: float) -> None:
        board, load = task.board, self._workload
        again = bool(task.attempts)
        cycled = again and bool(board.retry.power_cycle) and bool(board.power_cycle)
        job = load.job(board, self._owner(board), [one.key for one in task.held], power_cycle=cycled)
        task.message, task.ending, task.stage, task.note = {}, None, "start", ""
        task.done = task.total = 0
        task.attempt_began, task.deadline = now, now + _START_SECONDS
        task.child = Child(job, self._ledger.folder, [one.descriptor for one in task.held])
        task.phase = "running"

    def _listen(self, task: _Task, now: float) -> None:
        child = task.child
        assert child is not None
        over = child.ended()
        for message in child.said():
            self._hear(task, message, now)
        if over:
            child.close()
            task.child = None
            self._after(task, self._problem_of(task, child))
        elif now >= task.deadline and task.ending is None:
            limit = _START_SECONDS if task.stage == "start" else task.board.timeout_s(task.stage)
            task.ending = Problem(
                kind="StageTimeout",
                message=f"stage '{task.stage}' of '{task.board.name}' did not end within {limit:g} s and was ended",
                hint=f"check the board; a longer {task.stage}_s in [timeouts] where it is only slow",
            )
            child.end()

    def _hear(self, task: _Task, message: dict[str, Any], now: float) -> None:
        stage, progress = message.get("stage"), message.get("progress")
        if stage in STAGES:
            task.stage = stage
            own = _OWN_CLOCK_SECONDS if stage in _OWN_CLOCK else 0.0
            task.deadline = now + task.board.timeout_s(stage) + own
        elif isinstance(progress, list):
            task.done, task.total = int(progress[0]), int(progress[1])
        else:
            task.message = message

    def _problem_of(self, task: _Task, child: Child) -> Problem | None:
        """Why the attempt is not whole; None where it is."""
        if "measured" in task.message:
            return None
        if task.ending is not None:
            return task.ending
        try:
            return _PROBLEM.validate_python(task.message["problem"])
        except (KeyError, ValidationError):
            died = f"the process that worked on '{task.board.name}' died: {child.died()}"
            return Problem(kind="ProcessDied", message=died, hint=f"its log is {child.log}")

    def _after(self, task: _Task, problem: Problem | None) -> None:
        """An attempt is over: pause for another, or an end."""
        now = time.monotonic()
        number, limit = len(task.attempts) + 1, task.board.retry.attempts or 1
        again = problem is not None and policy.tried_again(problem.kind) and number < limit
        if problem is None:
            said = ""
        elif again:
            said = f"tried again: {policy.reason(problem.kind)}"
        elif policy.tried_again(problem.kind):
            said = f"not tried again: {limit} of {limit} attempts are used"
        else:
            said = f"never tried again: {policy.reason(problem.kind)}"
        seconds = now - task.attempt_began
        task.attempts.append(Attempt(number=number, stage=task.stage, seconds=seconds, problem=problem, policy=said))
        if again:
            task.phase, task.until = "pausing", now + float(task.board.retry.wait_s or 0.0)
            task.note = problem.message.partition("\n")[0] if problem else ""
            return
        task.phase = "ended"
        locks.release(task.held)
        task.held = ()
        if problem is not None:
            task.result = self._so_far(task, "error", problem)
        else:
            task.result = self._judged(task)
        self._ledger.keep(task.result)
        self._ledger.write(self.report())

    def _judged(self, task: _Task) -> BoardResult:
        try:
            measured = _MEASURED.validate_python(task.message["measured"], strict=False)
        except ValidationError as error:
            problem = Problem(kind="ProcessDied", message=f"the process of '{task.board.name}' gave no result: {error}")
            return self._so_far(task, "error", problem)
        if (twin := self._twin(task, measured)) is not None:
            told = f"'{task.board.name}' and '{twin}' are one board: both answer unique id {measured.after.unique_id}"
            hint = "two entries of the rig file lead to it; 'leadwire rig enroll' tells them apart"
            return self._so_far(task, "error", Problem(kind="SameBoard", message=told, hint=hint))
        compared, budget = measured.compared, measured.budget
        problem_found: Problem | None = None
        if compared.identical < compared.samples:
            wrong = compared.samples - compared.identical
            problem_found = Problem(
                kind="WrongBytes",
                message=f"{wrong} of {compared.samples} outputs of '{task.board.name}' are not those of "
                f"{self._workload.witness}, the first at sample {compared.first_difference}",
                hint="run 'leadwire bench' on this board alone: an operator, the compiler or the board is wrong",
                exit_code=7,
            )
        elif not budget.fits:
            over = [line for line in budget.lines if line.over > 0 or not line.proven]
            listed = ", ".join(f"{line.resource} {line.used:g} of {line.limit or 0:g} {line.unit}" for line in over)
            problem_found = Problem(
                kind="OverBudget",
                message=f"'{task.board.name}' is over budget: {listed}",
                hint="a smaller model, or a larger share in the board file",
                exit_code=7,
            )
        elif measured.validation is not None and measured.validation.verdict != "pass":
            verdict = errors.ValidationError(measured.validation.verdict, measured.validation.reasons)
            problem_found = Problem(
                kind="NotValidated",
                message=f"'{task.board.name}': {verdict.message}",
                hint="run 'leadwire report' on this board alone and read its accuracy section",
                exit_code=7,
            )
        state = "failed" if problem_found else "passed"
        return replace(self._so_far(task, state, problem_found), measured=measured)

    def _twin(self, task: _Task, measured: Measured) -> str | None:
        """Another board on a port of its own that answered the same unique id."""
        results = (other.result for other in self._tasks if other.board.entry.plugged and task.board.entry.plugged)
        ended = ((one.name, one.measured) for one in results if one is not None and one.measured is not None)
        uid = measured.after.unique_id
        return next((name for name, other in ended if uid and other.after.unique_id == uid), None)

    def _so_far(self, task: _Task, state: Any, problem: Problem | None) -> BoardResult:
        return BoardResult(
            name=task.board.name,
            board_id=task.board.board.id,
            state=state,
            attempts=tuple(task.attempts),
            problem=problem,
            seconds=0.0 if task.began is None else time.monotonic() - task.began,
        )

    # ------------------------------------------------------------------------------------------ all boards

    def _wait(self) -> None:
        select.select([task.child.descriptor for task in self._tasks if task.child is not None], [], [], _TICK_SECONDS)

    def _end_all(self) -> None:
        """Every process at the same time, and none is left."""
        running = [task for task in self._tasks if task.child is not None]
        for task in running:
            assert task.child is not None
            task.child.end()
        for task in running:
            assert task.child is not None
            while not task.child.ended():
                time.sleep(_TICK_SECONDS / 2)
            task.child.close()
            task.child = None
        for task in self._tasks:
            if task.result is None:
                problem = Problem(kind="Interrupted", message="the rig run was ended before this board had finished")
                if task.began is not None:
                    seconds = time.monotonic() - task.attempt_began
                    number = len(task.attempts) + 1
                    task.attempts.append(Attempt(number=number, stage=task.stage, seconds=seconds, problem=problem))
                task.result = self._so_far(task, "interrupted", problem)

    def _owner(self, board: RigBoard) -> str:
        return f"rig '{self._rig.name}' ({self._rig.path}), board '{board.name}'"

    def _rows(self) -> tuple[Row, ...]:
        return tuple(self._row(task) for task in self._tasks)

    def _row(self, task: _Task) -> Row:
        result = task.result
        now = time.monotonic()
        return Row(
            name=task.board.name,
            board_id=task.board.board.id,
            state=result.state if result else task.phase,
            stage=task.stage,
            attempt=len(task.attempts) + (task.phase == "running"),
            done=task.done,
            total=task.total,
            seconds=result.seconds if result else 0.0 if task.began is None else now - task.began,
            note=result.problem.message.partition("\n")[0] if result and result.problem else task.note,
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C, or SIGTERM after it, does not break off what the first one began: it takes seconds at most."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _started_here(board: RigBoard) -> bool:
    """Emulated boards that run on this machine's processors because the rig run starts them."""
    return board.emulated and not board.entry.plugged

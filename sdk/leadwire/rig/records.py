"""What a rig run hands around: a job to a board's process, what that process says, and what came of every board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from leadwire.artifacts import BenchmarkResult, BudgetReport, FirmwareImage, MemoryPlan, ValidationResult
from leadwire.device.running import Flashed
from leadwire.pipeline.predict import HostPredictions

from .file import RigBoard
from .identity import Identity

BOARD_VARIABLE = "LEADWIRE_RIG_BOARD"
"""Environment variable by which hooks, flash tools and emulators know the board's name in the rig."""
State = Literal["passed", "failed", "error", "interrupted", "waiting"]
"""`failed`: measured, and a result is not as it must be. `error`: it could not be measured. `waiting`: not yet begun,
or not ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationWork:
    """What a validation is done with, on every board alike: the project, with what its stages wrote into `output`, and
    what the runtimes of this computer answer to the test set."""

    project: Path
    output: Path
    quantized: Path
    calibration_patients: tuple[str, ...]
    on_host: HostPredictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt at one board. `held`: keys of locks that the process was handed; `power_cycle`: the hook first.
    `validation` None: not asked for.

    `inputs` and `expected` hold the bytes of all samples, and of the outputs that the witness gives to them.
    """

    owner: str
    board: RigBoard
    image: FirmwareImage
    plan: MemoryPlan
    model: Path
    inputs: Path
    expected: Path
    warmup: int
    held: tuple[str, ...]
    power_cycle: bool
    validation: ValidationWork | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The board's outputs against the witness's, byte for byte; `first_difference` is a sample's number or None."""

    samples: int
    identical: int
    first_difference: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a whole attempt gives. `before` is who answered before writing, `flashed` how the image came
    there, `after` who answered after the run; `validation` None where it was not asked for."""

    before: Identity
    flashed: Flashed | None
    after: Identity
    benchmark: BenchmarkResult
    budget: BudgetReport
    compared: Compared
    validation: ValidationResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why an attempt or a board did not end well; `kind` is a class of leadwire.errors or one of the rig's own."""

    kind: str
    message: str
    hint: str = ""
    exit_code: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """`stage` is the one it ended in; `policy` says whether and why another attempt followed."""

    number: int
    stage: str
    seconds: float
    problem: Problem | None = None
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardResult:
    name: str
    board_id: str
    state: State
    attempts: tuple[Attempt, ...] = ()
    problem: Problem | None = None
    measured: Measured | None = None
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        return self.state != "waiting"

    @property
    def stage(self) -> str:
        return self.attempts[-1].stage if self.attempts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLine:
    kind: str
    tried_again: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RigReport:
    """`complete`: every board ended by itself. `witness` is who the expected bytes come from."""

    rig: str
    model_digest: str
    witness: str
    inputs: int
    complete: bool
    boards: tuple[BoardResult, ...]
    retry_policy: tuple[PolicyLine, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """6 where a board could not be measured, else 7 where a result is not as it must be, else 0."""
        states = {board.state for board in self.boards}
        return 6 if states & {"error", "interrupted", "waiting"} else 7 if "failed" in states else 0


def to_json(record: Any, *, indent: int | None = None) -> bytes:
    return TypeAdapter(type(record)).dump_json(record, indent=indent)

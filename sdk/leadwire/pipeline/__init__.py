"""The flow, written once: quantize → budget → generate → build → flash → bench → validate → report.

`run_project` strings the stages together; nothing else does. The same budget is checked three times, each with better
knowledge: planned, linked, measured. A stage whose inputs did not change is not run again (`workspace`, `line`).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from leadwire.artifacts import (
    BackendComparison,
    BenchmarkResult,
    BudgetReport,
    DeviceInfo,
    FirmwareImage,
    FirmwareProject,
    MemoryPlan,
    QuantizedModel,
    StressResult,
    UserImage,
    ValidationResult,
)
from leadwire.board import Board, load_board, require_port
from leadwire.budget import check_benchmark, check_image, check_plan, require_fit
from leadwire.device.target import Target
from leadwire.errors import BadInputError
from leadwire.evidence.audited import AuditedRun
from leadwire.evidence.bundle import Bundle
from leadwire.project import LoadedProject
from leadwire.protocols import load_protocol

from .audit import audited_run
from .line import Line
from .sources import host_board, is_host, read_model
from .watcher import Watcher

STAGES = ("quantize", "budget", "generate", "build", "flash", "bench", "validate", "stress", "report")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardOutcome:
    """What the line gave on one board, as far as it went; `folder` holds the files."""

    board: str
    folder: Path
    quantized: QuantizedModel
    plan: MemoryPlan | None = None
    budgets: tuple[BudgetReport, ...] = ()
    project: FirmwareProject | None = None
    image: FirmwareImage | None = None
    device: DeviceInfo | None = None
    benchmark: BenchmarkResult | None = None
    comparison: BackendComparison | None = None
    validation: ValidationResult | None = None
    stress: StressResult | None = None
    bundle: Bundle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    project: str
    boards: tuple[BoardOutcome, ...]


def run_project(
    project: LoadedProject,
    *,
    until: str,
    watcher: Watcher,
    fresh: bool = False,
    target: Target | None = None,
    user_image: UserImage | None = None,
) -> Outcome:
    """Run a project's line up to stage `until`.

    The first board goes the whole way and has its files in the output folder; further boards are built and benchmarked,
    each in a folder of its name, and stand in the first one's report. With a `target` it is the only board, and
    `user_image` the image for it.
    Raises the errors of the stages; a validation that fails is a result and not an error.
    """
    if until not in STAGES:
        raise BadInputError(f"there is no stage '{until}'", hint=f"stages: {', '.join(STAGES)}")
    boards = [load_board(name) for name in project.boards] if target is None else [target.board]
    with audited_run(project, until, tuple(board.id for board in boards)) as run:
        outcome = _run_boards(project, boards, until, run, watcher, fresh=fresh, target=target, user_image=user_image)
        ended = outcome.boards[0]
        run.note(
            "end",
            verdict=ended.validation.verdict if ended.validation else None,
            bundle_sha256=ended.bundle.digest if ended.bundle else None,
        )
    return outcome


def _run_boards(
    project: LoadedProject,
    boards: list[Board],
    until: str,
    run: AuditedRun,
    watcher: Watcher,
    *,
    fresh: bool,
    target: Target | None,
    user_image: UserImage | None,
) -> Outcome:
    """The first board all the way, the others as far as the benchmark."""
    images = {load_board(name).id: image for name, image in project.images.items()}
    if target is not None and user_image is not None:
        images[target.board.id] = user_image
    folders = [project.output, *(project.output / board.id for board in boards[1:])]
    lines = [
        Line(project, board, folder, watcher, fresh=fresh, target=target, user_image=images.get(board.id), run=run)
        for board, folder in zip(boards, folders, strict=True)
    ]
    last = STAGES.index(until)
    if is_host(boards[0]) and last > STAGES.index("bench"):
        raise BadInputError(
            f"board '{boards[0].id}' has no link to validate over", hint="name another board first in target.boards"
        )
    if last > STAGES.index("budget"):
        for board in boards:
            if board.id not in images:
                require_port(board)
    if project.settings.target.personality != "bench" and last > STAGES.index("build"):
        raise BadInputError(
            f"stage '{until}' needs the bench firmware, target.personality is '{project.settings.target.personality}'",
            hint="run the line up to 'build', and measure with 'leadwire mlperf'",
        )
    for line in lines:
        line.check_image_settings()
    lines[0].check_mode(to_device=last > STAGES.index("quantize"))
    lines[0].check_beforehand(last >= STAGES.index("validate"), last == STAGES.index("report"))
    others = tuple(_run_line(line, min(last, STAGES.index("bench"))) for line in lines[1:])
    return Outcome(project=project.settings.name, boards=(_run_line(lines[0], last, others), *others))


def _run_line(line: Line, last: int, others: tuple[BoardOutcome, ...] = ()) -> BoardOutcome:
    """One model on one board: the story of leadwire."""
    board = line.board
    quantized = line.quantize()
    outcome = BoardOutcome(board=board.id, folder=line.folder, quantized=quantized)
    if last == STAGES.index("quantize"):
        return outcome

    model = read_model(quantized.path, labels=load_protocol(line.project.protocol).labels)
    line.data.check_classes(model)
    plan = line.plan(model)
    planned = require_fit(check_plan(plan, model, board), model)
    outcome = replace(outcome, plan=plan, budgets=(planned,))
    if last == STAGES.index("budget"):
        return outcome

    sources = line.generate(quantized, model, board)
    outcome = replace(outcome, project=sources)
    if last == STAGES.index("generate"):
        return outcome

    image = line.build(sources, board, model, plan)
    linked = require_fit(check_image(image, plan, board, model), model)
    outcome = replace(outcome, image=image, budgets=(planned, linked))
    if last == STAGES.index("build"):
        return outcome

    with ExitStack() as running:
        device = line.flash(image, running)
        if last == STAGES.index("flash"):
            return replace(outcome, device=line.ask(image, device()))

        benchmark = line.bench(image, device, model, plan)
        measured = require_fit(check_benchmark(benchmark, board, image, plan), model)
        budgets = (planned, linked, measured)
        outcome = replace(outcome, device=benchmark.device, benchmark=benchmark, budgets=budgets)
        if last > STAGES.index("bench"):
            on_host = line.generate(quantized, model, host_board())
            library = line.build(on_host, host_board(), model, plan)
            predictions = line.predict(quantized, model, image, library, device)
            if last > STAGES.index("validate"):
                stress = line.stress(quantized, model, image, library, device)
                outcome = replace(outcome, stress=stress)

    comparison = line.compare(quantized, model, image, benchmark)
    outcome = replace(outcome, comparison=comparison)
    if last == STAGES.index("bench"):
        return outcome

    validation = line.validate(quantized, model, image, predictions)
    outcome = replace(outcome, validation=validation)
    if last < STAGES.index("report"):
        return outcome

    also = tuple(other.benchmark for other in others if other.benchmark is not None)
    bundle = line.report(
        quantized, model, plan, sources, image, budgets, benchmark, validation, predictions, also, comparison, stress
    )
    return replace(outcome, bundle=bundle)

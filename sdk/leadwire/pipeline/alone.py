"""A full-INT8 model on its own, without project, dataset or protocol: analyze, generate, build, flash, bench."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np

from leadwire.artifacts import (
    Backend,
    BenchmarkResult,
    BudgetReport,
    DeviceInfo,
    FastMemory,
    FirmwareImage,
    FirmwareProject,
    Goal,
    MemoryPlan,
    Personality,
    UserImage,
)
from leadwire.bench import pattern_input, run_benchmark
from leadwire.board import Board, load_board, require_port
from leadwire.budget import check_image, check_plan, require_fit
from leadwire.build import build_image
from leadwire.device.client import DeviceClient
from leadwire.device.running import Flashed
from leadwire.device.target import Target
from leadwire.errors import BadInputError, BuildError
from leadwire.flash import flash_image
from leadwire.flash.tool import require_tool
from leadwire.generate import backends
from leadwire.generate.project import BackendOptions
from leadwire.model.graph import Model
from leadwire.ops import registry
from leadwire.planner import FastRequest

from .sources import NOTHING_FAST, generate_sources, is_host, overflows, plan_model, plan_package, read_model, too_large
from .user_image import sources_for, take_image
from .watcher import Watcher

Toolchain = Literal["auto", "zig", "arm-none-eabi-gcc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Choices of a command; `work` keeps sources and image, None uses a temporary folder.

    `glue` and `arena_bytes` are for the backend tflm; None: the model's array where the compiler wants it, the arena
    computed. With a `user_image` nothing is built: that is the image. `fast` asks for a second memory region.
    """

    target: Target
    backend: Backend
    toolchain: Toolchain
    work: Path | None = None
    goal: Goal = "size"
    personality: Personality = "bench"
    glue: BackendOptions | None = None
    arena_bytes: int | None = None
    user_image: UserImage | None = None
    fast: FastRequest = NOTHING_FAST

    @property
    def board(self) -> Board:
        return self.target.board


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    model: Model
    plan: MemoryPlan
    board: Board
    backend: Backend
    image: FirmwareImage | None
    """None where model and bench firmware are larger than the board's memory, or the board has no port."""
    budgets: tuple[BudgetReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLine:
    """`live_bytes`: arena bytes that are alive while the operator runs."""

    index: int
    kind: str
    tensor: str
    shape: tuple[int, ...]
    macs: int
    live_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the budget judges: `flash_bytes` are weights, tables and code of model and runtime, `ram_bytes` arena, state
    and the bound of the stack, from the linked image. `image_*` are those of the whole bench firmware. Where that is
    larger than the board's memory there is no image: basis is 'planned', the figures are weights and arena alone. What
    lies in a second memory region is `fast`.
    """

    model: str
    model_digest: str
    board: str
    backend: Backend
    macs: int
    parameters: int
    arena_bytes: int
    arena_lower_bound_bytes: int
    peak: str
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int | None
    image_flash_bytes: int | None
    image_ram_bytes: int | None
    basis: Literal["planned", "linked"]
    fits: bool
    budgets: tuple[BudgetReport, ...]
    operators: tuple[OperatorLine, ...]
    fast: FastMemory | None = None


def choose(
    board: str,
    backend: str,
    toolchain: str,
    port: str = "",
    work: Path | None = None,
    personality: str = "bench",
    goal: str = "size",
    user_image: UserImage | None = None,
    **place: Any,
) -> Options:
    """Options from text, `place` are further fields of Target; BadInputError names what there is to choose from."""
    known = get_args(Backend)
    if backend not in known or backend not in backends():
        raise BadInputError(f"there is no backend '{backend}'", hint=f"backends: {', '.join(backends())}")
    if toolchain not in get_args(Toolchain):
        raise BadInputError(
            f"there is no toolchain '{toolchain}'", hint=f"toolchains: {', '.join(get_args(Toolchain))}"
        )
    if goal not in get_args(Goal):
        raise BadInputError(f"there is no goal '{goal}'", hint=f"goals: {', '.join(get_args(Goal))}")
    if personality not in get_args(Personality):
        raise BadInputError(
            f"there is no personality '{personality}'", hint=f"personalities: {', '.join(get_args(Personality))}"
        )
    loaded = load_board(board)
    if personality != "bench" and is_host(loaded):
        raise BadInputError(f"board '{loaded.id}' has no firmware and so no personality", hint="choose another board")
    if user_image is not None and (personality != "bench" or goal != "size" or toolchain != "auto" or is_host(loaded)):
        raise BadInputError(
            "personality, goal and toolchain are of images that leadwire builds, and board 'host' has none",
            hint="leave them out with --image",
        )
    target = Target(board=loaded, port=port, **place)
    if target.tool:
        require_tool(target)
    return Options(
        target=target,
        backend=backend,  # type: ignore[arg-type]
        toolchain=toolchain,  # type: ignore[arg-type]
        work=work,
        goal=goal,  # type: ignore[arg-type]
        personality=personality,  # type: ignore[arg-type]
        user_image=user_image,
    )


def generate_model(path: Path, options: Options, out: Path) -> FirmwareProject:
    """Sources of a model that fits the board's plan; BudgetError otherwise, with nothing written."""
    model = read_model(path)
    plan = plan_model(model, options.board, options.backend, options.arena_bytes, options.goal, options.fast)
    require_fit(check_plan(plan, model, options.board), model)
    return generate_sources(path, model, plan, options.board, out, options.backend, options.personality, options.glue)


def build_model(path: Path, options: Options, folder: Path, watcher: Watcher) -> Built:
    """Plan, generate and build; `budgets` are the planned and the linked check, over budget or not."""
    model = read_model(path)
    watcher.stage("plan", False)
    if options.user_image is not None:
        return _take(path, model, options, options.user_image, folder, watcher)
    plan = plan_model(model, options.board, options.backend, options.arena_bytes, options.goal, options.fast)
    planned = check_plan(plan, model, options.board)
    watcher.stage("generate", False)
    project = generate_sources(
        path, model, plan, options.board, folder / "source", options.backend, options.personality, options.glue
    )
    watcher.stage("build", False)
    image: FirmwareImage | None = None
    budgets: tuple[BudgetReport, ...] = (planned,)
    try:
        image = build_image(project, options.board, toolchain=options.toolchain, out=folder / "image")
        budgets = (planned, check_image(image, plan, options.board, model))
    except BuildError as error:
        if not overflows(error):
            raise
    return Built(model=model, plan=plan, board=options.board, backend=options.backend, image=image, budgets=budgets)


def _take(path: Path, model: Model, options: Options, user: UserImage, folder: Path, watcher: Watcher) -> Built:
    """The same of an image that the board's user built: its package's sources are made to prove it by."""
    board, backend = options.board, options.backend
    plan = plan_package(model, backend, options.arena_bytes, board, options.fast)
    watcher.stage("generate", False)
    sources = sources_for(path, model, plan, backend, board, folder / "source", options.glue)
    watcher.stage("take image", False)
    image = take_image(user, sources, board, folder / "image", plan)
    budgets = (check_plan(plan, model, board), check_image(image, plan, board, model))
    return Built(model=model, plan=plan, board=board, backend=backend, image=image, budgets=budgets)


def plan_only(path: Path, options: Options) -> Built:
    """What can be known of a model on a board that leadwire builds no image for: the plan and its check."""
    model = read_model(path)
    plan = plan_model(model, options.board, options.backend, options.arena_bytes, options.goal, options.fast)
    budgets = (check_plan(plan, model, options.board),)
    return Built(model=model, plan=plan, board=options.board, backend=options.backend, image=None, budgets=budgets)


def require_budget(built: Built) -> FirmwareImage:
    """The image; BudgetError (4) where the model is over the board's budget, planned or linked, or over its memory,
    NoPortError (2) where the board has no port."""
    require_reports(built)
    return require_image(built)


def require_reports(built: Built) -> None:
    """BudgetError (4) where a report is over the board's budget."""
    for report in built.budgets:
        require_fit(report, built.model)


def require_image(built: Built) -> FirmwareImage:
    """The image; BudgetError (4) where there is none because it is larger than the board's memory, NoPortError (2)
    where the board has no port."""
    if built.image is None:
        require_port(built.board)
        raise too_large(built.model, built.plan, built.board.id)
    return built.image


def analyze_model(built: Built) -> Analysis:
    """Everything that can be known of a model on a board before it runs there."""
    model, plan, image = built.model, built.plan, built.image
    planned = {line.resource: int(line.used) for line in built.budgets[0].lines}
    macs = registry.macs(model)
    return Analysis(
        model=model.name,
        model_digest=model.digest,
        board=built.board.id,
        backend=built.backend,
        macs=sum(macs),
        parameters=sum(tensor.elements for tensor in model.tensors if tensor.is_constant),
        arena_bytes=plan.arena_bytes,
        arena_lower_bound_bytes=plan.lower_bound_bytes,
        peak=model.describe(model.operators[plan.peak_operator]),
        flash_bytes=planned["flash"] if image is None else image.model_flash_bytes,
        ram_bytes=planned["ram"] if image is None else image.model_ram_bytes + image.stack.bytes,
        stack_bytes=None if image is None else image.stack.bytes,
        image_flash_bytes=None if image is None else image.flash_bytes,
        image_ram_bytes=None if image is None else image.ram_bytes,
        basis="planned" if image is None else "linked",
        fits=(image is not None or not built.board.port) and all(report.fits for report in built.budgets),
        budgets=built.budgets,
        operators=tuple(
            OperatorLine(
                index=operator.index,
                kind=operator.kind,
                tensor=model.output(operator).label,
                shape=model.output(operator).shape,
                macs=macs[operator.index],
                live_bytes=live_bytes(plan, operator.index),
            )
            for operator in model.operators
        ),
        fast=plan.fast,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashedBoard:
    """What the board says of itself, and how the image came onto it."""

    device: DeviceInfo
    flashed: Flashed


def flash_model(path: Path, options: Options, watcher: Watcher) -> FlashedBoard:
    """Build, flash, and ask the board who it is."""
    with work_folder(options) as folder:
        image = require_image(build_model(path, options, folder, watcher))
        watcher.stage("flash", False)
        if is_host(options.board):
            raise BadInputError("board 'host' has no link to ask over", hint="use 'leadwire bench --board host'")
        with (
            flash_image(image, options.target) as running,
            DeviceClient(running.port, options.board.link.baud) as client,
        ):
            assert running.flashed is not None
            return FlashedBoard(device=client.expect(image), flashed=running.flashed)


def bench_model(
    path: Path, options: Options, watcher: Watcher, *, pattern: bool, inputs: int, warmup: int
) -> BenchmarkResult:
    """Build, flash and run a model alone, on the fixed pattern input; unless `pattern`, on seeded random ones too."""
    with work_folder(options) as folder:
        built = build_model(path, options, folder, watcher)
        samples = bench_inputs(built.model, pattern=pattern, count=inputs)
        watcher.stage("flash", False)
        with flash_image(require_image(built), options.target) as running:
            watcher.stage("bench", False)
            return run_benchmark(
                running,
                built.model,
                built.plan,
                inputs=samples,
                warmup=warmup,
                progress=lambda done, total: watcher.progress("bench", done, total),
            )


def bench_inputs(model: Model, *, pattern: bool, count: int) -> tuple[bytes, ...]:
    """The fixed pattern input, `count` times or followed by random ones that are the same in every run."""
    samples = [pattern_input(model.input_bytes)] * (count if pattern else 1)
    random = np.random.default_rng(0)
    return (*samples, *(random.bytes(model.input_bytes) for _ in range(count - len(samples))))


def live_bytes(plan: MemoryPlan, operator: int) -> int:
    """Bytes of the arena in use while an operator runs: the union of what is placed there, and what always is."""
    spans = sorted(
        (placed.offset_bytes, placed.offset_bytes + placed.size_bytes)
        for placed in plan.placed
        if placed.first_operator <= operator <= placed.last_operator
    )
    total, reached = plan.resident_bytes, 0
    for start, end in spans:
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


@contextmanager
def work_folder(options: Options) -> Iterator[Path]:
    """Where sources and image go: the folder asked for, or one that is removed at the end."""
    if options.work is not None:
        yield options.work
    else:
        with TemporaryDirectory(prefix="leadwire-") as folder:
            yield Path(folder)

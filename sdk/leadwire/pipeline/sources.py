"""Sources of a model with a golden self-test compiled in, for a board or for the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from leadwire import reference
from leadwire.artifacts import Backend, FirmwareProject, Goal, MemoryPlan, Personality
from leadwire.bench import pattern_input
from leadwire.board import Board, load_board
from leadwire.budget import constant_bytes
from leadwire.build import build_image
from leadwire.build.cores import CORES
from leadwire.device.host_library import HostLibrary
from leadwire.errors import BadInputError, BudgetError, BuildError
from leadwire.generate import generate_project
from leadwire.generate.project import BackendOptions
from leadwire.model.graph import Model
from leadwire.model.tflite import read_tflite
from leadwire.ops import registry
from leadwire.ops.choice import choose_kernels
from leadwire.ops.edges import integer_interface
from leadwire.planner import FastRequest, fast_space, plan_memory
from leadwire.quantize.found import refuse_host_mode
from leadwire.tflm_arena import plan_tflm, trust_arena

from .golden import golden_by_tflm
from .packing import plan_packed

ANY_BOARD = "virtual-stm32f405"
"""The model part of a project is the same for every board."""
NOTHING_FAST = FastRequest()
_CODE_BYTES = 32_768
"""Code and tables of a model beyond its weights and biases, on the safe side."""


def read_model(path: Path, labels: Sequence[str] = ()) -> Model:
    """The model as the device runs it: float inputs and outputs around an integer body are the host's to convert.

    UnsupportedModelError (3) names every operator, layer and remedy, or the mode that firmware cannot be made in.
    """
    model = integer_interface(read_tflite(path, labels=labels))
    refuse_host_mode(model)
    registry.check(model)
    return model


def plan_model(
    model: Model,
    board: Board,
    backend: Backend = "aot",
    arena_bytes: int | None = None,
    goal: Goal = "size",
    fast: FastRequest = NOTHING_FAST,
) -> MemoryPlan:
    """The memory of `model` as the backend uses it: TFLite Micro's arena, or with kernels for the board's core and the
    goal: 'size' stores weights that take few values in 4 bits or less where that saves flash, 'balanced' all as bytes,
    'speed' wider ones as far as the board's flash budget goes. The host's library is not packed.

    `arena_bytes` is an arena of the user's choice, for TFLite Micro alone; `fast` a second memory region of the board,
    for aot alone. BadInputError (2) for an arena that is too small, or where it is leadwire's to plan, and for a region
    that the board does not have.
    """
    if backend == "tflm":
        if not fast.is_off:
            raise BadInputError(
                "backend tflm places nothing in a second memory region: its arena is one",
                hint="leave fast_memory off; the array of the model goes to a linker section of your choice (section)",
            )
        return plan_tflm(model, arena_bytes)
    if arena_bytes is not None:
        raise BadInputError(
            f"backend {backend} plans its arena itself, {arena_bytes} B cannot be given",
            hint="leave the size out, or use the backend tflm",
        )
    extensions = CORES[board.core].extensions if board.core in CORES else frozenset()
    spare = board.budget.flash_bytes - constant_bytes(model) - _CODE_BYTES if goal == "speed" else 0
    kernels = choose_kernels(model, extensions, spare_flash_bytes=max(0, spare))
    space = fast_space(board, fast)
    if goal == "size" and not is_host(board):
        return plan_packed(model, kernels, fast=space)
    return plan_memory(model, kernels=kernels, fast=space)


def plan_package(
    model: Model,
    backend: Backend,
    arena_bytes: int | None,
    board: Board | None = None,
    fast: FastRequest = NOTHING_FAST,
) -> MemoryPlan:
    """The plan of a package's sources: portable kernels, because any core may come. `fast` names a region of `board`,
    BadInputError (2) without one."""
    if fast.is_off:
        if backend == "aot" and arena_bytes is None:
            return plan_packed(model, choose_kernels(model, ()))
        return plan_model(model, host_board(), backend, arena_bytes)
    if board is None:
        raise BadInputError(
            f"fast memory '{fast.region}' of which board?", hint="name the board that has the region, with --board"
        )
    core_of_any = replace(board, core=host_board().core)
    return plan_model(model, core_of_any, backend, arena_bytes, fast=fast)


def package_sources(
    path: Path, model: Model, plan: MemoryPlan, backend: Backend, folder: Path, glue: BackendOptions | None
) -> FirmwareProject:
    """The sources that a package is made from; the same for every board."""
    return generate_sources(path, model, plan, load_board(ANY_BOARD), folder, backend, options=glue)


def glue_options(section: str, alignment: int) -> BackendOptions | None:
    """None for the options that every backend has: none."""
    chosen = BackendOptions(section=section, alignment=alignment)
    return None if chosen == BackendOptions() else chosen


def overflows(error: BuildError) -> bool:
    """Whether the linker failed because a memory region is full (LLD's and GNU ld's words)."""
    return "will not fit in region" in error.message or ("region" in error.message and "overflowed" in error.message)


def too_large(model: Model, plan: MemoryPlan, board_id: str) -> BudgetError:
    """The image does not even link: larger than the board's memory, whatever the budget."""
    peak = model.describe(model.operators[plan.peak_operator])
    table = (
        f"  weights, arena of {plan.arena_bytes} B and bench firmware are together larger than the board's memory\n"
        f"  peak at {peak}"
    )
    return BudgetError(model.name, board_id, table, hint="a smaller model, or a board with more memory")


def is_host(board: Board) -> bool:
    return board.emulation is not None and board.emulation.engine == "host"


def host_board() -> Board:
    return load_board("host")


def generate_sources(
    path: Path,
    model: Model,
    plan: MemoryPlan,
    board: Board,
    out: Path,
    backend: Backend,
    personality: Personality = "bench",
    options: BackendOptions | None = None,
) -> FirmwareProject:
    """Sources with a golden self-test: an input, and what TFLite Micro's interpreter answers to it (`golden`).

    Where that interpreter is not to be had, the generated C itself answers on the host: then the self-test shows that
    the device computes what the host does.
    """
    if backend == "tflm" and plan == plan_tflm(model):
        trust_arena(read_tflite(path), reference.tflm_arena_bytes(path))
    if reference.has_tflm():
        given, expected = golden_by_tflm(path, model)
    else:
        given = pattern_input(model.input_bytes)
        expected = _answer_of_generated_c(model, given)
    return generate_project(
        model,
        plan,
        board,
        out,
        backend=backend,
        self_test_input=given,
        self_test_output=expected,
        source=path.read_bytes(),
        personality=personality,
        options=options,
    )


def _answer_of_generated_c(model: Model, given: bytes) -> bytes:
    with TemporaryDirectory(prefix="leadwire-") as folder:
        project = generate_project(model, plan_memory(model), host_board(), Path(folder) / "source")
        return HostLibrary(build_image(project, host_board(), out=Path(folder) / "image").elf).infer(given)

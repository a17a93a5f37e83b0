"""Forecasts for boards that are not at hand: work counted on the emulated board, and boards ranked for a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from leadwire.artifacts import BudgetReport, Goal, LatencyForecast
from leadwire.bench import pattern_input, run_benchmark
from leadwire.board import Board, Budget, list_boards, load_board
from leadwire.build import build_image
from leadwire.device.target import Target
from leadwire.errors import BadInputError, BuildError
from leadwire.flash import flash_image
from leadwire.forecast import check_forecast, forecast_latency
from leadwire.forecast.tables import timing_of
from leadwire.forecast.work import OperatorWork, Work, work_from_macs
from leadwire.model.graph import Model

from .alone import Options, build_model
from .sources import generate_sources, overflows, plan_model, read_model
from .watcher import Quiet

CODES = ("cortex-m4f", "cortex-m3", "cortex-m0")
"""Cores whose code the emulated STM32F405 executes in place of all others': with DSP instructions, without, Thumb-1."""
By = Literal["counts", "macs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A forecast and what it is worth for the board's limit of latency."""

    model: str
    forecast: LatencyForecast
    budget: BudgetReport
    verdict: Literal["fail", "inconclusive", "not limited"]


def count_work(path: Path, code: str, budget: Budget | None = None, goal: Goal = "size") -> Work | None:
    """Build the model for core `code`, execute it on the emulated board and count; None where it does not fit there.

    `budget` is that of the board in question: with the goal 'speed' it says how much flash wider weights may take.
    """
    virtual = load_board("virtual-stm32f405")
    board = replace(virtual, core=code, budget=budget or virtual.budget)
    model = read_model(path)
    plan = plan_model(model, board, goal=goal)
    with TemporaryDirectory(prefix="leadwire-") as folder:
        project = generate_sources(path, model, plan, board, Path(folder) / "source", "aot")
        project = replace(project, defines=(*project.defines, ("LW_CORE_HAS_DWT", "1")))
        try:
            image = build_image(project, board, out=Path(folder) / "image")
        except BuildError as error:
            if overflows(error):
                return None
            raise
        with flash_image(image, Target(board=board)) as running:
            result = run_benchmark(running, model, plan, inputs=[pattern_input(model.input_bytes)], warmup=0)
    return Work(
        model_digest=model.digest,
        code=code,
        how=f"executed on {virtual.id} as {code} code, goal {goal}: {result.instructions_per_inference:,} instructions",
        counted=True,
        instructions=result.instructions_per_inference,
        operators=tuple(
            OperatorWork(index=one.index, kind=one.kind, tensor=one.tensor, macs=one.macs, cycles=one.cycles)
            for one in result.operators
        ),
    )


def forecast_model(path: Path, board: Board, by: str = "counts", goal: str = "size") -> Forecast:
    """Counted, or from multiplications where `by` says so or the model is larger than the emulated board's memory.

    BadInputError (2) for a `by` or goal that does not exist and a board whose core has no timing.
    """
    for name, value, known in (("by", by, get_args(By)), ("goal", goal, get_args(Goal))):
        if value not in known:
            raise BadInputError(f"there is no '{value}' to forecast with ({name})", hint=f"one of: {', '.join(known)}")
    model, code = read_model(path), timing_of(board.core).code
    counted = count_work(path, code, board.budget, goal) if by == "counts" else None  # type: ignore[arg-type]
    work = counted or work_from_macs(model, code)
    forecast = forecast_latency(model, board, work)
    budget = check_forecast(forecast, board)
    limited = board.budget.latency_us is not None
    return Forecast(
        model=model.name,
        forecast=forecast,
        budget=budget,
        verdict="fail" if budget.lines[0].over else "inconclusive" if limited else "not limited",
    )


# ---------------------------------------------------------------------------------------------- boards for a model


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFit:
    """`margin` is the free share of the scarcest resource, below 0 where the model does not fit; `reasons` say why.
    `through`: 'bare metal', or the ecosystems whose packages take the model there."""

    board_id: str
    core: str
    clock_hz: int
    margin: float
    scarcest: str
    flash_bytes: int
    flash_limit_bytes: int
    ram_bytes: int
    ram_limit_bytes: int
    latency_us: float
    latency_low_us: float
    latency_high_us: float
    through: str
    reasons: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Boards that the model fits, largest margin first, then the others. `note` says where the bytes come from."""

    model: str
    model_digest: str
    note: str
    boards: tuple[BoardFit, ...]


def rank_boards(path: Path) -> Ranking:
    """Every known board but computers: the planned arena with its kernels, code, state and stack as linked for a
    Cortex-M4F, against its budget; and a forecast of the latency from multiplications."""
    model = read_model(path)
    options = Options(target=Target(board=load_board("virtual-stm32f405")), backend="aot", toolchain="auto")
    with TemporaryDirectory(prefix="leadwire-") as folder:
        linked = build_model(path, options, Path(folder), Quiet())
    image, planned = linked.image, {line.resource: int(line.used) for line in linked.budgets[0].lines}
    flash = planned["flash"] if image is None else image.model_flash_bytes
    beside_arena = 0 if image is None else image.model_ram_bytes - linked.plan.arena_bytes + image.stack.bytes
    boards = [board for board in map(load_board, list_boards()) if board.core != "host"]
    fits = [_fit(model, board, flash, plan_model(model, board).arena_bytes + beside_arena) for board in boards]
    return Ranking(
        model=model.name,
        model_digest=model.digest,
        note="weights and arena alone: the model is too large to link for the emulated board"
        if image is None
        else "arena as planned for the board; code, state and stack as linked for a Cortex-M4F",
        boards=tuple(sorted(fits, key=lambda one: (not one.fits, -one.margin, one.board_id))),
    )


def _fit(model: Model, board: Board, flash: int, ram: int) -> BoardFit:
    forecast = forecast_latency(model, board, work_from_macs(model, timing_of(board.core).code))
    budget = board.budget
    used = [("flash", flash, float(budget.flash_bytes)), ("ram", ram, float(budget.ram_bytes))]
    reasons = [f"{name} {size:,} B of {limit:,.0f} B" for name, size, limit in used if size > limit]
    if budget.latency_us is not None and forecast.low_us > budget.latency_us:
        reasons.append(f"latency at least {forecast.low_us:,.0f} us of {budget.latency_us:,.0f} us, estimated")
    margin, scarcest = min((1 - size / limit, name) for name, size, limit in used)
    return BoardFit(
        board_id=board.id,
        core=board.core,
        clock_hz=board.clock_hz,
        margin=margin,
        scarcest=scarcest,
        flash_bytes=flash,
        flash_limit_bytes=budget.flash_bytes,
        ram_bytes=ram,
        ram_limit_bytes=budget.ram_bytes,
        latency_us=forecast.latency_us,
        latency_low_us=forecast.low_us,
        latency_high_us=forecast.high_us,
        through=board.through,
        reasons=tuple(reasons),
    )

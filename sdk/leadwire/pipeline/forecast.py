"""Forecasts for boards that are not at hand: work counted on the emulated board, and boards ranked for a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from leadwire.artifacts import BudgetReport, LatencyForecast
from leadwire.bench import pattern_input, run_benchmark
from leadwire.board import Board, load_board
from leadwire.device.target import Target
from leadwire.errors import BadInputError
from leadwire.flash import flash_image
from leadwire.forecast import check_forecast, forecast_latency
from leadwire.forecast.tables import timing_of
from leadwire.forecast.work import OperatorWork, Work, work_from_macs

from .alone import Options, build_model
from .sources import read_model
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


def count_work(path: Path, code: str) -> Work | None:
    """Build the model for core `code`, execute it on the emulated board and count; None where it does not fit there."""
    virtual = load_board("virtual-stm32f405")
    board = replace(virtual, core=code)
    with TemporaryDirectory(prefix="leadwire-") as folder:
        options = Options(target=Target(board=board), backend="aot", toolchain="auto")
        built = build_model(path, options, Path(folder), Quiet())
        if built.image is None:
            return None
        with flash_image(built.image, options.target) as running:
            inputs = [pattern_input(built.model.input_bytes)]
            result = run_benchmark(running, built.model, built.plan, inputs=inputs, warmup=0)
    return Work(
        model_digest=built.model.digest,
        code=code,
        how=f"executed on {virtual.id} as {code} code: {result.instructions_per_inference:,} instructions",
        counted=True,
        operators=tuple(
            OperatorWork(index=one.index, kind=one.kind, tensor=one.tensor, macs=one.macs, cycles=one.cycles)
            for one in result.operators
        ),
    )


def forecast_model(path: Path, board: Board, by: str = "counts") -> Forecast:
    """Counted, or from multiplications where `by` says so or the model is larger than the emulated board's memory."""
    if by not in get_args(By):
        raise BadInputError(f"work cannot be had by '{by}'", hint=f"one of: {', '.join(get_args(By))}")
    model, code = read_model(path), timing_of(board.core).code
    work = (count_work(path, code) if by == "counts" else None) or work_from_macs(model, code)
    forecast = forecast_latency(model, board, work)
    budget = check_forecast(forecast, board)
    limited = board.budget.latency_us is not None
    return Forecast(
        model=model.name,
        forecast=forecast,
        budget=budget,
        verdict="fail" if budget.lines[0].over else "inconclusive" if limited else "not limited",
    )

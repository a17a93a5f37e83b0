"""Stage forecast: the latency of a model on a board that nobody has on the desk, with a band. Basis 'estimated'.

    work         cycles of each operator on an emulated Cortex-M4, counted or from multiplications  (work.py, pipeline)
    timing       how many cycles the board's core needs for one of those                            (boards/timing)
    calibration  what published figures say about the core, and how far off forecasts were          (calibration.py)

docs/manual/forecast.md says what the band means; `python -m leadwire.forecast` prints its tables.
"""

from __future__ import annotations

import math

from leadwire.artifacts import BudgetLine, BudgetReport, ForecastShare, LatencyForecast
from leadwire.board import Board
from leadwire.model.graph import Model

from .calibration import REFERENCE_CORE, Calibration, calibrate
from .tables import timing_of
from .work import Work, work_from_macs

__all__ = ["Work", "check_forecast", "forecast_latency", "work_from_macs"]

EMULATED_TO_SILICON = (0.95, 1.30)
"""Real cycles lie between these times the emulator's estimate (docs/manual/timing-model.md, 'How far off')."""
MACS_FACTOR = 1.5
"""Work from multiplications alone may be so far off the counted work: as it was on the reference models when its costs
were measured (see the head of boards/timing/costs.toml), and some for kernels that change after that."""


def forecast_latency(model: Model, board: Board, work: Work, calibration: Calibration | None = None) -> LatencyForecast:
    """`work` must be of this model and of the code that stands for the board's core (`timing_of(core).code`).

    BadInputError (2) for a board whose core has no timing, such as the host.
    """
    timing = timing_of(board.core)
    if work.code != timing.code or work.model_digest != model.digest:
        raise ValueError("the work is of another model or of another core's code")
    known = calibration or calibrate()
    low, high = EMULATED_TO_SILICON
    factor = timing.relative_cycles * math.exp(known.deviation(board.core) - known.deviation(REFERENCE_CORE))
    band = known.band(board.core)
    spread = band.factor * (1.0 if work.counted else MACS_FACTOR)
    cycles = work.cycles * factor * math.sqrt(low * high)
    latency = cycles / board.clock_hz * 1e6
    half = spread * math.sqrt(high / low)
    return LatencyForecast(
        board_id=board.id,
        core=board.core,
        clock_hz=board.clock_hz,
        model_digest=model.digest,
        work=work.how,
        cycles=cycles,
        latency_us=latency,
        low_us=latency / half,
        high_us=latency * half,
        coverage=band.coverage,
        band=f"{band.how}; times {low:g} to {high:g} for emulated cycles"
        + ("" if work.counted else f"; times or divided by {MACS_FACTOR:g} for work from multiplications alone"),
        core_is_calibrated=band.calibrated,
        operators=tuple(
            ForecastShare(index=op.index, kind=op.kind, tensor=op.tensor, macs=op.macs, share=op.cycles / work.cycles)
            for op in work.operators
        ),
    )


def check_forecast(forecast: LatencyForecast, board: Board) -> BudgetReport:
    """A forecast breaks the limit where even its lowest figure (`used`) is over it, and never keeps it."""
    line = BudgetLine(
        resource="latency",
        used=forecast.low_us,
        limit=board.budget.latency_us,
        unit="us",
        basis="estimated",
        note=f"forecast {forecast.latency_us:,.0f} us, band {forecast.low_us:,.0f} to {forecast.high_us:,.0f} us",
        required_basis=board.basis,
    )
    return BudgetReport(
        board_id=board.id, subject_digest=forecast.model_digest, basis="estimated", lines=(line,), peak=""
    )

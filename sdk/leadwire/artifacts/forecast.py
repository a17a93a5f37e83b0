"""Estimated latency of a model on a board that is not at hand."""

from __future__ import annotations

from dataclasses import dataclass

from .words import Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastShare:
    """`share` of the cycles of one operator."""

    index: int
    kind: str
    tensor: str
    macs: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyForecast:
    """The latency of one inference on a board that was not measured; a measurement lies between `low_us` and `high_us`
    for `coverage` of boards, as far as the published boards are like this one. `band` says how that was made, `work`
    where the cycles come from. `core_is_calibrated`: whether boards with this core are among the published ones.
    """

    board_id: str
    core: str
    clock_hz: int
    model_digest: str
    work: str
    cycles: float
    latency_us: float
    low_us: float
    high_us: float
    coverage: float
    band: str
    core_is_calibrated: bool
    operators: tuple[ForecastShare, ...]
    basis: Basis = "estimated"

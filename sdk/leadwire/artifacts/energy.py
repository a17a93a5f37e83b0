"""Energy of an inference, and what a battery gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .statistic import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintyPart:
    """One contribution to the uncertainty of an energy, as a standard uncertainty; `kind` is the GUM's type."""

    name: str
    kind: Literal["A", "B"]
    standard_j: float
    degrees: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyEstimate:
    """Energy of one inference: `energy_j` plus and minus `expanded_j` at `level` with `coverage_factor`.

    `net_energy_j` is less the idle power between the inferences times their duration; None where the trace shows no
    time between them. `degrees` None: so many that the normal distribution serves.
    """

    energy_j: float
    combined_j: float
    expanded_j: float
    coverage_factor: float
    level: float
    degrees: float | None
    parts: tuple[UncertaintyPart, ...]
    windows: int
    inferences_per_window: int
    duration_s: float
    mean_power_w: float
    idle_power_w: float | None
    net_energy_j: float | None
    voltage_v: float
    mean_current_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintyShare:
    """The share of the variance that an input is to blame for."""

    name: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryLife:
    """`assumptions` lists (input, value, standard uncertainty), in the units of their names."""

    hours: float
    interval: Interval
    mean_current_a: float
    inference_share: float
    self_discharge_a: float
    assumptions: tuple[tuple[str, float, float], ...]
    shares: tuple[UncertaintyShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyResult:
    """Energy per inference of one image on one board, from one trace.

    `basis` is 'measured' only where board and meter are both real; `simulated` names those that are not, and then
    nothing of this is a measurement. `trace_digest` is the SHA-256 that `Trace.digest` documents; `sync` says how the
    inferences were found in the trace. What is not known (a trace from a file) is empty.
    """

    basis: Literal["measured", "simulated"]
    simulated: tuple[str, ...]
    board_id: str
    model_digest: str
    image_digest: str
    build_id: str
    meter: str
    meter_serial: str
    meter_accuracy: str
    trace_source: str
    trace_digest: str
    sample_hz: float
    samples: int
    sync: str
    clock_drift: float | None
    clock_residual_s: float | None
    estimate: EnergyEstimate
    battery: BatteryLife | None = None

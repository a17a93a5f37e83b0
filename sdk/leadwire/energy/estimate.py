"""Energy per inference with its uncertainty by the GUM (JCGM 100:2008).

The measurand is the mean energy of one inference in the marked windows, voltage times current integrated over time.
Mean current and voltage are of the windows too: charge over time, and energy over charge.

    type A    scatter of the windows: s / sqrt(n), n - 1 degrees of freedom
    type B    the meter's limits of error as half-widths of rectangular distributions: gain and offset of current and
              voltage and its clock, the same in all windows, so that repeating does not lessen them; and where the
              windows' edges lie between samples, times the step of power at an edge

They are combined as the root of the sum of squares, with Welch and Satterthwaite's degrees of freedom; the expanded
uncertainty has the coverage factor of Student's t for the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np

from leadwire.artifacts import EnergyEstimate, UncertaintyPart
from leadwire.errors import BadInputError

from .trace import Floats, Trace
from .windows import Window, integral

FEWEST_WINDOWS = 3
FEWEST_SAMPLES = 10
"""In a window: below, the shape of an inference is not seen, and a slow meter's filter smears it over its edges."""


def estimate_energy(
    trace: Trace, windows: Sequence[Window], *, per_window: int = 1, level: float = 0.95
) -> EnergyEstimate:
    """BadInputError where windows are too few or too short to say anything."""
    if len(windows) < FEWEST_WINDOWS:
        raise BadInputError(
            f"{len(windows)} marked window(s) in the trace, at least {FEWEST_WINDOWS} are needed for their scatter",
            hint="run more inferences while the meter records, and check the marker's wire",
        )
    shortest = min(window.seconds for window in windows)
    if shortest * trace.sample_hz < FEWEST_SAMPLES:
        raise BadInputError(
            f"a window of {shortest * 1e6:.1f} us has fewer than {FEWEST_SAMPLES} samples at {trace.sample_hz:g} Hz",
            hint="sample faster, or mark several inferences with one window",
        )

    def integrals(samples: Floats) -> Floats:
        return np.array([integral(samples, trace.step_s, w.start_s, w.end_s) for w in windows]) / per_window

    energies = integrals(trace.power_w)
    seconds = np.array([window.seconds for window in windows]) / per_window
    mean, duration = float(energies.mean()), float(seconds.mean())
    charge = float(integrals(trace.current_a).mean())
    if mean <= 0 or charge <= 0:
        raise BadInputError(
            f"the energy of an inference is {mean:g} J, its charge {charge:g} C",
            hint="check the direction of the current and the supply voltage",
        )
    idle = _idle_power(trace, windows)
    scatter = float(energies.std(ddof=1)) / sqrt(len(windows))
    voltage, current = mean / charge, charge / duration
    accuracy = trace.meter.accuracy
    edge_power = max(0.0, mean / duration - (idle or 0.0))
    limits = (
        ("current gain", accuracy.gain * mean),
        ("current offset", accuracy.offset_a * voltage * duration),
        ("voltage gain", accuracy.voltage_gain * mean),
        ("voltage offset", accuracy.voltage_offset_v * current * duration),
        ("meter clock", accuracy.clock * mean),
    )
    edges = sqrt(2.0) * max(window.edge_s for window in windows) * edge_power / per_window
    parts = (
        UncertaintyPart(name="scatter of the windows", kind="A", standard_j=scatter, degrees=len(windows) - 1),
        *(UncertaintyPart(name=name, kind="B", standard_j=limit / sqrt(3.0)) for name, limit in limits),
        UncertaintyPart(name="edges of the windows", kind="B", standard_j=edges),
    )
    combined = sqrt(sum(part.standard_j**2 for part in parts))
    degrees = inf if scatter <= 1e-9 * combined else (len(windows) - 1) * (combined / scatter) ** 4
    factor = _coverage_factor(level, degrees)
    return EnergyEstimate(
        energy_j=mean,
        combined_j=combined,
        expanded_j=factor * combined,
        coverage_factor=factor,
        level=level,
        degrees=degrees if degrees < 1e6 else None,
        parts=parts,
        windows=len(windows),
        inferences_per_window=per_window,
        duration_s=duration,
        mean_power_w=mean / duration,
        idle_power_w=idle,
        net_energy_j=None if idle is None else mean - idle * duration,
        voltage_v=voltage,
        mean_current_a=current,
    )


def _idle_power(trace: Trace, windows: Sequence[Window]) -> float | None:
    """Mean power between the windows, two samples left out at each edge; None where there is none."""
    times = np.arange(len(trace.current_a)) * trace.step_s
    between = (times > windows[0].end_s) & (times < windows[-1].start_s)
    for window in windows:
        between &= (times < window.start_s - 2 * trace.step_s) | (times > window.end_s + 2 * trace.step_s)
    return float(trace.power_w[between].mean()) if between.sum() >= FEWEST_SAMPLES else None


def _coverage_factor(level: float, degrees: float) -> float:
    from scipy.stats import t as student

    return float(student.ppf(0.5 + level / 2, min(degrees, 1e6)))

"""Windows, energies, uncertainties and battery life, each against a value known in another way."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadwire.energy.battery import DutyCycle, Quantity, battery_life, life_hours
from leadwire.energy.estimate import estimate_energy
from leadwire.energy.trace import Accuracy, MeterIdentity, Trace
from leadwire.energy.windows import (
    Window,
    fit_clocks,
    integral,
    windows_by_clock,
    windows_by_edges,
    windows_by_level,
)
from leadwire.errors import BadInputError

EXACT = Accuracy(gain=0.0, clock=0.0, source="test")
RATE = 10_000.0


def trace_of(current: np.ndarray, *, marker: np.ndarray | None = None, accuracy: Accuracy = EXACT) -> Trace:
    meter = MeterIdentity(kind="test", serial="", simulated=True, accuracy=accuracy)
    return Trace(sample_hz=RATE, current_a=current, voltage_v=np.array([2.0]), meter=meter, marker=marker)


def square(runs: int = 8, *, on: int = 100, off: int = 200, accuracy: Accuracy = EXACT, noise: float = 0.0) -> Trace:
    """A load of 10 mA for `on` samples, 1 mA for `off`, `runs` times."""
    flags = np.tile(np.concatenate((np.zeros(off, bool), np.ones(on, bool))), runs)
    flags = np.concatenate((flags, np.zeros(off, bool)))
    current = np.where(flags, 10e-3, 1e-3)
    if noise:
        level = np.random.default_rng(4).normal(1, noise, runs)
        current = current * np.where(
            flags, level[np.minimum(np.cumsum(np.diff(flags, prepend=False) & flags) - 1, 7)], 1
        )
    return trace_of(current, marker=flags, accuracy=accuracy)


def test_energy_of_a_square_load() -> None:
    trace = square()
    found = estimate_energy(trace, windows_by_level(trace))
    assert (found.windows, found.duration_s) == (8, pytest.approx(0.01))
    assert found.energy_j == pytest.approx(2.0 * 10e-3 * 0.01)
    assert found.idle_power_w == pytest.approx(2e-3)
    assert found.net_energy_j == pytest.approx(2.0 * 9e-3 * 0.01)
    assert found.mean_current_a == pytest.approx(10e-3)


def test_windows_cut_by_the_ends_of_the_trace_are_left_out() -> None:
    flags = np.array([1] * 20 + [0] * 20 + [1] * 20 + [0] * 20 + [1] * 20, bool)
    found = windows_by_level(trace_of(np.ones(100), marker=flags))
    assert [(w.start_s, w.end_s) for w in found] == [(39.5 / RATE, 59.5 / RATE)]


def test_pairs_of_falling_edges() -> None:
    flags = np.ones(100, bool)
    flags[[10, 40, 60, 90]] = False
    found = windows_by_edges(trace_of(np.ones(100), marker=flags))
    assert [(round(w.start_s * RATE, 6), round(w.end_s * RATE, 6)) for w in found] == [(9.5, 39.5), (59.5, 89.5)]
    with pytest.raises(BadInputError, match="3 edges"):
        windows_by_edges(replace(trace_of(np.ones(100)), edges=(1, 5, 9)))
    with pytest.raises(BadInputError, match="no marker"):
        windows_by_edges(trace_of(np.ones(100)))
    with pytest.raises(BadInputError, match="no marker"):
        windows_by_level(trace_of(np.ones(100)))


def test_what_says_too_little_is_refused() -> None:
    trace = square(2)
    with pytest.raises(BadInputError, match="2 marked window"):
        estimate_energy(trace, windows_by_level(trace))
    trace = square(on=9)
    with pytest.raises(BadInputError, match="fewer than 10 samples"):
        estimate_energy(trace, windows_by_level(trace))
    trace = replace(square(), current_a=-square().current_a)
    with pytest.raises(BadInputError, match=r"is -0\.0002 J"):
        estimate_energy(trace, windows_by_level(trace))


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 0.9), st.floats(0, 0.09))
def test_the_integral_is_that_of_the_steps(start: float, length: float) -> None:
    power = np.random.default_rng(1).uniform(0, 1, 100)
    step, fine = 0.01, 10_000
    times = start + (np.arange(fine) + 0.5) * length / fine
    direct = power[np.clip(np.floor(times / step + 0.5).astype(int), 0, 99)].mean() * length
    assert integral(power, step, start, start + length) == pytest.approx(direct, abs=5e-5)


def test_voltage_and_current_are_those_of_the_windows() -> None:
    """The supply was off before the run and lower between the inferences: neither says anything of an inference."""
    trace = square()
    assert trace.marker is not None
    dark = np.zeros(5000)
    found = estimate_energy(
        *_marked(
            replace(
                trace,
                current_a=np.concatenate((dark, trace.current_a)),
                voltage_v=np.concatenate((dark, np.where(trace.marker, 2.0, 1.5))),
                marker=np.concatenate((dark.astype(bool), trace.marker)),
            )
        )
    )
    assert (found.voltage_v, found.mean_current_a) == (pytest.approx(2.0), pytest.approx(10e-3))
    with pytest.raises(BadInputError, match="its charge -"):
        estimate_energy(*_marked(replace(trace, current_a=-trace.current_a, voltage_v=np.array([-2.0]))))


def _marked(trace: Trace) -> tuple[Trace, tuple[Window, ...]]:
    return trace, windows_by_level(trace)


@pytest.mark.requirement("LW-PWR-001")
def test_each_part_of_the_uncertainty_is_the_gums() -> None:
    accuracy = Accuracy(gain=0.02, offset_a=1e-4, voltage_gain=0.01, voltage_offset_v=0.05, clock=1e-3, source="test")
    trace = square(accuracy=accuracy)
    found = estimate_energy(trace, windows_by_level(trace))
    parts = {part.name: part.standard_j for part in found.parts}
    energy = found.energy_j
    assert parts["current gain"] == pytest.approx(0.02 * energy / math.sqrt(3))
    assert parts["current offset"] == pytest.approx(1e-4 * 2.0 * 0.01 / math.sqrt(3))
    assert parts["voltage gain"] == pytest.approx(0.01 * energy / math.sqrt(3))
    assert parts["voltage offset"] == pytest.approx(0.05 * 10e-3 * 0.01 / math.sqrt(3))
    assert parts["meter clock"] == pytest.approx(1e-3 * energy / math.sqrt(3))
    assert parts["edges of the windows"] == pytest.approx(math.sqrt(2 / 12) / RATE * 18e-3)
    assert parts["scatter of the windows"] == pytest.approx(0, abs=1e-18)
    assert found.combined_j == pytest.approx(math.sqrt(sum(part**2 for part in parts.values())))
    assert found.coverage_factor == pytest.approx(1.95996, abs=1e-4)


def test_scatter_alone_is_students_interval() -> None:
    """Against scipy's interval of a mean: one witness for factor, degrees and root."""
    from scipy import stats

    trace = square(noise=0.05)
    found = estimate_energy(trace, windows_by_level(trace))
    scatter = found.parts[0]
    only = estimate_energy(replace(trace, current_a=trace.current_a), windows_by_level(trace))
    energies = [integral(trace.power_w, trace.step_s, w.start_s, w.end_s) for w in windows_by_level(trace)]
    low, high = stats.t.interval(0.95, 7, np.mean(energies), stats.sem(energies))
    assert scatter.degrees == 7
    assert scatter.standard_j * stats.t.ppf(0.975, 7) == pytest.approx((high - low) / 2)
    assert only.expanded_j >= (high - low) / 2 * 0.98


def test_the_smallest_scatter_has_degrees_too() -> None:
    trace = square()
    assert trace.marker is not None
    smallest = np.where(np.cumsum(trace.marker) == 50, 1e-3 + 1e-18, 1e-3)
    for scale in (1.0, 1e-90):
        found = estimate_energy(*_marked(replace(trace, current_a=scale * smallest)))
        assert found.degrees is None or found.degrees > 0


@pytest.mark.requirement("LW-PWR-001")
def test_the_stated_interval_holds_the_true_value() -> None:
    """Meters drawn from their limits of error, runs that scatter: the interval holds in about 95 of 100."""
    draw = np.random.default_rng(8)
    accuracy = Accuracy(gain=0.03, offset_a=2e-4, clock=0.0, source="test")
    base = square(8)
    assert base.marker is not None
    number = np.cumsum(np.diff(base.marker, prepend=False) & base.marker) - 1
    truth, held = 2.0 * 10e-3 * 0.01, 0
    for _ in range(300):
        runs = draw.normal(1, 0.02, 8)
        current = base.current_a * np.where(base.marker, runs[np.clip(number, 0, 7)], 1)
        seen = current * (1 + draw.uniform(-0.03, 0.03)) + draw.uniform(-2e-4, 2e-4)
        trace = trace_of(seen, marker=base.marker, accuracy=accuracy)
        found = estimate_energy(trace, windows_by_level(trace))
        held += abs(found.energy_j - truth) <= found.expanded_j
    assert 0.93 <= held / 300 <= 1.0


def test_clocks_are_fitted_and_windows_found_by_them() -> None:
    """The device's clock runs 80 ppm slow and started 1.25 s later; the pairs scatter by 5 us."""
    draw = np.random.default_rng(2)
    device = np.linspace(0, 4, 40)
    meter = 1.25 + device * (1 + 80e-6) + draw.normal(0, 5e-6, 40)
    fit = fit_clocks(device.tolist(), meter.tolist())
    assert fit.offset_s == pytest.approx(1.25, abs=1e-5)
    assert abs(fit.drift - 80e-6) < 4 * fit.drift_uncertainty
    assert 3e-6 < fit.residual_s < 8e-6
    assert fit.uncertainty(2.0) < fit.uncertainty(4.0) < 5e-6
    trace = square(200)
    truth = windows_by_level(trace)
    told = [((w.start_s - fit.offset_s) / (1 + 80e-6), (w.end_s - fit.offset_s) / (1 + 80e-6)) for w in truth[50:]]
    found = windows_by_clock(trace, fit, told)
    assert all(abs(a.start_s - b.start_s) < 2e-5 for a, b in zip(found, truth[50:], strict=True))
    assert found[0].edge_s > trace.step_s / math.sqrt(12)
    one = estimate_energy(trace, found).energy_j
    assert one == pytest.approx(2.0 * 10e-3 * 0.01, rel=0.01)
    with pytest.raises(BadInputError, match="outside the trace"):
        windows_by_clock(trace, fit, [(1000.0, 1000.1)])


def test_windows_by_clock_lie_where_the_traces_own_times_are() -> None:
    """The meter's clock read 0.53 s at the first sample: the same windows, 0.53 s later by that clock."""
    trace = square(20)
    truth = windows_by_level(trace)
    fit = fit_clocks([0, 1, 2], [0, 1, 2])
    told = [(window.start_s + 0.53, window.end_s + 0.53) for window in truth]
    late = replace(trace, start_s=0.53)
    found = windows_by_clock(late, fit, told)
    assert [window.start_s for window in found] == pytest.approx([window.start_s for window in truth])
    assert estimate_energy(late, found).energy_j == pytest.approx(2.0 * 10e-3 * 0.01)
    assert late.digest() != trace.digest()
    with pytest.raises(
        BadInputError, match=r"from 0\.100000 to 0\.200000 s lies outside .* from 0\.530000 to 1\.150000 s"
    ):
        windows_by_clock(late, fit, [(0.1, 0.2)])


@pytest.mark.parametrize(
    ("device", "meter"),
    [([0, 1], [0, 1]), ([0, 1, 1], [0, 1, 2]), ([0, 1, 2], [0, 1]), ([0, 1, 2], [0, 1000, 2000]),
     ([0, 1, math.nan], [0, 1, 2])],
)  # fmt: skip
def test_sync_pairs_that_mean_nothing_are_refused(device: list[float], meter: list[float]) -> None:
    with pytest.raises(BadInputError):
        fit_clocks(device, meter)


def test_overlapping_windows_are_refused() -> None:
    fit = fit_clocks([0, 1, 2], [0, 1, 2])
    with pytest.raises(BadInputError, match="overlap"):
        windows_by_clock(square(20), fit, [(0.1, 0.2), (0.15, 0.25), (0.3, 0.4)])
    assert Window(start_s=1, end_s=3, edge_s=0).seconds == 2


DUTY = DutyCycle(
    energy_j=Quantity(value=2e-3, uncertainty=1e-4),
    inferences_hz=Quantity(value=0.2),
    sleep_a=Quantity(value=5e-6, uncertainty=5e-7),
    battery_v=Quantity(value=3.0),
    capacity_ah=Quantity(value=0.22, uncertainty=0.01),
    inference_s=Quantity(value=0.06),
    usable=Quantity(value=0.85, uncertainty=0.05),
    self_discharge=Quantity(value=0.02, uncertainty=0.005),
    efficiency=Quantity(value=0.9),
)


def test_battery_life_by_hand() -> None:
    found = battery_life(DUTY)
    current = 5e-6 * (1 - 0.2 * 0.06) + 0.2 * 2e-3 / (3.0 * 0.9)
    assert found.mean_current_a == pytest.approx(current)
    assert found.self_discharge_a == pytest.approx(0.22 * 0.02 / 8766)
    assert found.hours == pytest.approx(0.22 * 0.85 / (current + 0.22 * 0.02 / 8766))
    assert sum(share.share for share in found.shares) == pytest.approx(1.0)
    assert found.interval.low < found.hours < found.interval.high


def test_battery_interval_against_drawing() -> None:
    """JCGM 101: every input drawn from a normal distribution."""
    draw = np.random.default_rng(6)
    found = battery_life(DUTY)
    inputs = {name: draw.normal(value, spread, 20_000) for name, value, spread in found.assumptions}
    lives = [life_hours({name: values[i] for name, values in inputs.items()}) for i in range(20_000)]
    low, high = np.quantile(lives, [0.025, 0.975])
    assert found.interval.low == pytest.approx(low, rel=0.02)
    assert found.interval.high == pytest.approx(high, rel=0.02)


@pytest.mark.parametrize(
    ("name", "value"),
    [("energy_j", 0.0), ("usable", 1.5), ("usable", 0.0), ("efficiency", 0.0), ("battery_v", -3.0), ("sleep_a", -1e-9),
     ("self_discharge", 2.0), ("capacity_ah", math.nan), ("inferences_hz", 20.0)],
)  # fmt: skip
def test_batteries_that_cannot_be_are_refused(name: str, value: float) -> None:
    with pytest.raises(BadInputError, match="battery"):
        battery_life(replace(DUTY, **{name: Quantity(value=value)}))

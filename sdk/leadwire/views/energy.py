"""What the verb of power and energy shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .console import grid, out, table_of

if TYPE_CHECKING:
    from leadwire.artifacts import BatteryLife, EnergyResult

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def _si(value: float, unit: str, digits: int = 4) -> str:
    factor, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / factor:.{digits}g} {prefix}{unit}"


def result(one: EnergyResult) -> None:
    if one.basis == "simulated":
        what = " and ".join(one.simulated)
        out.print(Text(f"SIMULATED {what.upper()}: nothing of this is a measurement", style="bold red"))
    estimate = one.estimate
    stamp = "SIMULATED " if one.basis == "simulated" else ""
    table_of(
        "uncertainty of the energy of one inference",
        ("contribution", "type", "standard", "share of the variance"),
        (
            (
                part.name,
                part.kind,
                _si(part.standard_j, "J", 3),
                f"{(part.standard_j / estimate.combined_j) ** 2:.1%}" if estimate.combined_j else "",
            )
            for part in estimate.parts
        ),
        left=2,
    )
    out.print()
    per = f" of {estimate.inferences_per_window} inferences" if estimate.inferences_per_window > 1 else ""
    rows = [
        (
            "energy",
            f"{stamp}{_si(estimate.energy_j, 'J')} +- {_si(estimate.expanded_j, 'J', 2)} an inference "
            f"(k = {estimate.coverage_factor:.2f}, {estimate.level:.0%})",
        ),
        ("windows", f"{estimate.windows}{per}, {_si(estimate.duration_s, 's')} an inference, by {one.sync}"),
        ("power", f"{stamp}{_si(estimate.mean_power_w, 'W')} at {estimate.voltage_v:.3f} V"),
    ]
    if estimate.idle_power_w is not None and estimate.net_energy_j is not None:
        net = f"less idle: {_si(estimate.net_energy_j, 'J')} an inference"
        rows.append(("idle", f"{stamp}{_si(estimate.idle_power_w, 'W')}; {net}"))
    if one.clock_drift is not None and one.clock_residual_s is not None:
        drift = f"drift {one.clock_drift * 1e6:+.1f} ppm, scatter {_si(one.clock_residual_s, 's', 2)}"
        rows.append(("clocks", drift))
    rows += [
        ("meter", f"{one.meter} {one.meter_serial}, {one.sample_hz:g} Hz, {one.samples} samples"),
        ("its accuracy", one.meter_accuracy),
        ("basis", one.basis),
        ("trace", one.trace_digest),
    ]
    rows += [(name, value) for name, value in (("model", one.model_digest), ("image", one.image_digest)) if value]
    grid(rows)
    if one.battery is not None:
        _battery(one.battery, stamp)


def _battery(life: BatteryLife, stamp: str) -> None:
    interval = life.interval
    out.print()
    grid(
        [
            (
                "battery life",
                f"{stamp}{life.hours / 24:,.1f} days ({interval.level:.0%}: {interval.low / 24:,.1f} to "
                f"{interval.high / 24:,.1f}, {interval.method})",
            ),
            ("mean current", f"{_si(life.mean_current_a, 'A')}, {life.inference_share:.1%} of it for inferences"),
            ("self-discharge", f"{_si(life.self_discharge_a, 'A')}"),
            ("assumed", "; ".join(f"{name} {value:.4g} +- {spread:.2g}" for name, value, spread in life.assumptions)),
        ]
    )

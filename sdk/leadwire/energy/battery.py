"""From energy per inference to battery life, for a device that sleeps between inferences.

    I = I_sleep (1 - f T) + f E / (V efficiency)     mean current drawn from the battery, whose voltage is V
    life = usable capacity / (I + I_self)            I_self: self-discharge of the capacity, constant

Every input comes with a standard uncertainty; they are propagated to the first order (GUM 5.1.2) on the logarithm of
the life, where products come closest to being normal. No correlation between inputs is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

from leadwire.artifacts import BatteryLife, Interval, UncertaintyShare
from leadwire.errors import BadInputError
from leadwire.stats import normal_quantile

HOURS_PER_YEAR = 8766.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A value and its standard uncertainty, in one unit."""

    value: float
    uncertainty: float = 0.0

    def scaled(self, factor: float) -> Quantity:
        return Quantity(value=self.value * factor, uncertainty=self.uncertainty * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyCycle:
    """`energy_j` is all that one inference takes while it runs for `inference_s`, wake-up included where measured.

    `usable` is the share of the rated capacity that can be drawn above the cut-off voltage at this load and temperature
    (derating), `self_discharge` the share of the rated capacity lost in a year, `efficiency` that of the converter
    between battery and board. `battery_v` is the battery's mean voltage over its discharge, `sleep_a` what the battery
    gives between inferences, the converter's own current included.
    """

    energy_j: Quantity
    inferences_hz: Quantity
    sleep_a: Quantity
    battery_v: Quantity
    capacity_ah: Quantity
    inference_s: Quantity = Quantity(value=0.0)
    usable: Quantity = Quantity(value=1.0)
    self_discharge: Quantity = Quantity(value=0.0)
    efficiency: Quantity = Quantity(value=1.0)


_NAMES = (
    "energy_j", "inferences_hz", "sleep_a", "battery_v", "capacity_ah", "inference_s", "usable", "self_discharge",
    "efficiency",
)  # fmt: skip


def battery_life(duty: DutyCycle, *, level: float = 0.95) -> BatteryLife:
    """BadInputError for values outside their physical range."""
    values = {name: getattr(duty, name).value for name in _NAMES}
    _check(duty)
    hours = life_hours(values)
    variance, shares = 0.0, []
    for name in _NAMES:
        uncertainty = getattr(duty, name).uncertainty
        if uncertainty == 0:
            continue
        part = _log_slope(values, name) * uncertainty
        variance += part * part
        shares.append((name, part * part))
    spread = sqrt(variance)
    factor = normal_quantile(0.5 + level / 2)
    current, asleep = _currents(values)
    return BatteryLife(
        hours=hours,
        interval=Interval(
            low=hours * exp(-factor * spread), high=hours * exp(factor * spread), level=level,
            method="first-order propagation on the logarithm",
        ),
        mean_current_a=current,
        inference_share=1.0 - asleep / current,
        self_discharge_a=values["capacity_ah"] * values["self_discharge"] / HOURS_PER_YEAR,
        assumptions=tuple((name, values[name], getattr(duty, name).uncertainty) for name in _NAMES),
        shares=tuple(UncertaintyShare(name=name, share=part / variance) for name, part in shares),
    )  # fmt: skip


def _currents(values: dict[str, float]) -> tuple[float, float]:
    """Mean current in all, and the part of it that is drawn asleep."""
    asleep = values["sleep_a"] * (1.0 - values["inferences_hz"] * values["inference_s"])
    running = values["inferences_hz"] * values["energy_j"] / (values["battery_v"] * values["efficiency"])
    return asleep + running, asleep


def life_hours(values: dict[str, float]) -> float:
    drawn, _ = _currents(values)
    lost = values["capacity_ah"] * values["self_discharge"] / HOURS_PER_YEAR
    return values["capacity_ah"] * values["usable"] / (drawn + lost)


def _log_slope(values: dict[str, float], name: str) -> float:
    """d log(life) / d name, by central difference over a millionth of the value."""
    step = max(abs(values[name]) * 1e-6, 1e-15)
    up, down = life_hours({**values, name: values[name] + step}), life_hours({**values, name: values[name] - step})
    return (log(up) - log(down)) / (2 * step)


def require_range(name: str, quantity: Quantity) -> None:
    """BadInputError where a value of DutyCycle's is none that can be."""
    positive = name in ("energy_j", "battery_v", "capacity_ah", "usable", "efficiency")
    high = 1.0 if name in ("usable", "self_discharge", "efficiency") else 1e9
    if not (0 < quantity.value <= high if positive else 0 <= quantity.value <= high):
        raise BadInputError(
            f"battery: {name} is {quantity.value:g}, its range is {'above ' if positive else ''}0 to {high:g}"
        )
    if not 0 <= quantity.uncertainty < 1e9:
        raise BadInputError(f"battery: the uncertainty of {name} is {quantity.uncertainty:g}")


def _check(duty: DutyCycle) -> None:
    for name in _NAMES:
        require_range(name, getattr(duty, name))
    busy = duty.inferences_hz.value * duty.inference_s.value
    if busy > 1:
        raise BadInputError(
            f"battery: {duty.inferences_hz.value:g} inferences of {duty.inference_s.value:g} s in each second",
            hint="a lower rate of inferences",
        )
    if duty.sleep_a.value == 0 and duty.inferences_hz.value == 0:
        raise BadInputError("battery: neither sleep current nor inferences are given", hint="give one that is not 0")

"""Float, the quantized model on the host and on the device: who stands beside whom, and for which beats."""

from __future__ import annotations

from dataclasses import dataclass

from leadwire.artifacts import RuntimeMetrics, ValidationResult

from .numbers import runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One column of a comparison. `note` says which runtimes stand behind figures that are theirs alike."""

    name: str
    note: str
    metrics: RuntimeMetrics


def sides(validation: ValidationResult, mode: str = "INT8") -> tuple[Side, ...]:
    """Float, host and device, each shown even where equal; only host runtimes with the same figures are merged. `mode`
    is the quantized model's, in words."""
    host = f"{mode}, host"
    names = {"float": "float", "device": f"{mode}, device"}
    groups: dict[tuple[str, str], list[RuntimeMetrics]] = {}
    for item in validation.metrics:
        figures = (item.confusion, item.accuracy, item.sensitivity, item.positive_predictivity)
        groups.setdefault((names.get(item.runtime, host), repr(figures)), []).append(item)
    hosts = sum(name == host for name, _ in groups)
    return tuple(_side(name, group, is_host=name == host, alone=hosts == 1) for (name, _), group in groups.items())


def _side(name: str, group: list[RuntimeMetrics], *, is_host: bool, alone: bool) -> Side:
    if not is_host:
        return Side(name=name, note="", metrics=group[0])
    words = [runtime(item.runtime).removesuffix(" on the host") for item in group]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    note = listed if len(words) == 1 else f"{listed}, the same in every figure"
    return Side(name=name if alone else f"{name} ({listed})", note=note, metrics=group[0])


def judged_beats(validation: ValidationResult) -> int:
    """The beats behind endpoints, recordings and changed decisions."""
    found = (item.beats for item in validation.metrics if item.runtime == validation.judged_runtime)
    return next(found, validation.beats)


def partial(validation: ValidationResult) -> bool:
    """The device answered some of the test beats, not all of them."""
    return 0 < validation.device_beats < validation.beats

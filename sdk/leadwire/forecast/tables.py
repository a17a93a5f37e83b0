"""The tables of boards/timing, parsed strictly: cores, published latencies, costs of operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from leadwire import resources
from leadwire.errors import BadInputError
from leadwire.strict import load_toml

_FOLDER = resources.BOARDS / "timing"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreTiming:
    """`code`: the core whose compiled kernels are executed in its place on the emulated Cortex-M4; `relative_cycles`:
    cycles of this core for one that the emulator's timing model gives for that code."""

    name: str
    code: str
    relative_cycles: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One submission, in folder `submission` of the results of its round. `beyond` names units of the chip that
    leadwire's kernels do not use."""

    board: str
    core: str
    clock_hz: int
    software: str
    round: str
    submission: str
    milliseconds: tuple[float, ...]
    beyond: str = ""

    def megacycles(self, model: int) -> float:
        return self.milliseconds[model] * self.clock_hz / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """`relative_cycles`: of the same model compiled for this core, beside compiled for the Cortex-M4F."""

    name: str
    relative_cycles: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cycles of an operator kind: per multiplication where it has any, else per value of its largest tensor."""

    code: str
    kind: str
    cycles: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cores:
    code: tuple[Code, ...]
    core: tuple[CoreTiming, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    models: tuple[str, ...]
    result: tuple[Published, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Costs:
    cost: tuple[Cost, ...]


@cache
def _cores() -> _Cores:
    return load_toml(_Cores, _FOLDER / "cores.toml", "table of core timings")


@cache
def timings() -> Mapping[str, CoreTiming]:
    """Every core that can be forecast, by name."""
    return MappingProxyType({timing.name: timing for timing in _cores().core})


def timing_of(core: str) -> CoreTiming:
    """BadInputError (2) for a core without timing."""
    if core not in timings():
        raise BadInputError(f"core '{core}' has no timing model", hint=f"cores with one: {', '.join(timings())}")
    return timings()[core]


@cache
def published() -> tuple[tuple[str, ...], tuple[Published, ...]]:
    """The models' names and the submissions, in the order of the file."""
    table = load_toml(_Published, _FOLDER / "published.toml", "table of published latencies")
    return table.models, table.result


@cache
def code_cycles() -> Mapping[str, float]:
    """How many more cycles code takes that is compiled for a core without the Cortex-M4F's instructions."""
    return MappingProxyType({code.name: code.relative_cycles for code in _cores().code})


@cache
def costs() -> Mapping[tuple[str, str], float]:
    """Cycles by (code, kind of operator)."""
    table = load_toml(_Costs, _FOLDER / "costs.toml", "table of operator costs")
    return MappingProxyType({(cost.code, cost.kind): cost.cycles for cost in table.cost})

"""What no other candidate beats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from .plan import SearchPlan

_MOST: Final = 1e15


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate with its figures; no `instructions` where the board cannot hold it. `score` is that of the integer
    model on the patients held out, None where it was not trained because it was over budget before. `over`: one
    sentence for each limit that it passes. `model` is its .keras file, relative to the output folder of the search."""

    trial: int
    label: str
    digest: str
    score: float | None
    parameters: int
    macs: int
    flash_bytes: int
    ram_bytes: int
    instructions: int | None
    latency_us: float | None
    over: tuple[str, ...]
    model: str


def values_of(plan: SearchPlan, one: Judged) -> tuple[float, ...]:
    """The objectives in order: the score, then the resources. An untrained candidate has the score 0, one that the
    board cannot hold the most instructions."""
    found = (getattr(one, name) for name in plan.objective.resources)
    return (one.score or 0.0, *(_MOST if value is None else float(value) for value in found))


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether a is nowhere worse than b and somewhere better: first value larger, the others smaller."""
    worse = a[0] < b[0] or any(x > y for x, y in zip(a[1:], b[1:], strict=True))
    return not worse and tuple(a) != tuple(b)


def pareto_front(plan: SearchPlan, judged: Iterable[Judged]) -> tuple[Judged, ...]:
    """Candidates within budget and of at least the plan's `score_floor` that none dominates, best score first; of
    equal ones the first."""
    seen: set[str] = set()
    inside = []
    for one in judged:
        if not one.over and one.score is not None and one.score >= plan.score_floor and one.digest not in seen:
            seen.add(one.digest)
            inside.append(one)
    values = [values_of(plan, one) for one in inside]
    best = [
        one
        for index, one in enumerate(inside)
        if not any(dominates(other, values[index]) for other in values) and values[index] not in values[:index]
    ]
    return tuple(sorted(best, key=lambda one: values_of(plan, one)[0], reverse=True))

"""The memory plan, and what the budget says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .words import Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One buffer in the arena, alive from the start of `first_operator` to the end of `last_operator`.

    `tensor` is the tensor that owns the bytes; a tensor that shares them (no-copy or in place) has its own placement
    with the same offset. Scratch of an operator has tensor -1.
    """

    tensor: int
    offset_bytes: int
    size_bytes: int
    first_operator: int
    last_operator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Static arena. `lower_bound_bytes` is the largest live set of any operator, `peak_operator` its index.

    `resident_bytes`, counted in the lower bound, lie at the arena's end from start to end: an interpreter's records.
    """

    model_digest: str
    arena_bytes: int
    lower_bound_bytes: int
    peak_operator: int
    alignment_bytes: int
    placements: tuple[Placement, ...]
    scratch: tuple[Placement, ...]
    in_place: tuple[tuple[int, int], ...]
    """(operator, input tensor) pairs whose output takes the input's place."""
    resident_bytes: int = 0
    kernels: tuple[str, ...] = ()
    """The variant of each operator that the plan is for; empty: all portable."""
    overlaps: tuple[int, ...] = ()
    """Operators whose output 0 may overlap an input, as far as their kernel allows."""
    backward: tuple[int, ...] = ()
    """Those of them that must walk from the last position to the first."""

    def offset(self, tensor: int) -> int:
        return next(p.offset_bytes for p in self.placements if p.tensor == tensor)

    def scratch_offset(self, operator: int) -> int:
        return next(p.offset_bytes for p in self.scratch if p.first_operator == operator)

    def kernel(self, operator: int) -> str:
        return self.kernels[operator] if self.kernels else "portable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """One resource against its limit; `limit` None means not limited.

    `required_basis` says what may pass, None: any. A figure of another basis can break the limit but not keep it.
    """

    resource: Literal["flash", "ram", "latency"]
    used: float
    limit: float | None
    unit: Literal["B", "us"]
    basis: Basis
    note: str = ""
    required_basis: Basis | None = None

    @property
    def over(self) -> float:
        return 0.0 if self.limit is None else max(0.0, self.used - self.limit)

    @property
    def proven(self) -> bool:
        return self.limit is None or self.required_basis in (None, self.basis)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReport:
    """The same budget with better knowledge each time: planned, linked, measured (emulated boards: emulated)."""

    board_id: str
    subject_digest: str
    basis: Basis
    lines: tuple[BudgetLine, ...]
    peak: str

    @property
    def fits(self) -> bool:
        return all(line.over == 0 and line.proven for line in self.lines)

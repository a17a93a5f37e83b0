"""The memory plan, and what the budget says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
class FastTable:
    """A constant table in the fast region: `name` as in the C sources without the model's prefix ('op3_weights'),
    `reads` an inference, counted one position of the output at a time."""

    name: str
    size_bytes: int
    reads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FastMemory:
    """What of a model lies in a second memory region of the board, in `limit_bytes` of it.

    `tensors`, and the scratch of the operators `scratch`, have `arena_bytes` there: their offsets count from its
    start. `tables` are copied there from flash at start-up. `wait_states`: what the hottest of them save an inference,
    without any cache and with one read for each value, so that no saving can be larger. `notes` is for people.
    """

    region: str
    limit_bytes: int
    tables: tuple[FastTable, ...] = ()
    tensors: tuple[int, ...] = ()
    scratch: tuple[int, ...] = ()
    arena_bytes: int = 0
    wait_states: int = 0
    notes: tuple[str, ...] = ()

    @property
    def table_bytes(self) -> int:
        return sum(table.size_bytes for table in self.tables)

    @property
    def used_bytes(self) -> int:
        return self.arena_bytes + self.table_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Static arena. `lower_bound_bytes` is the largest live set of any operator, `peak_operator` its index.

    `resident_bytes`, counted in the lower bound, lie at the arena's end from start to end: an interpreter's records.
    `arena_bytes` is all of it, with the part that `fast` places in a second memory region.
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
    fast: FastMemory | None = None
    """None: everything lies in the board's first regions."""

    @property
    def fast_arena_bytes(self) -> int:
        return 0 if self.fast is None else self.fast.arena_bytes

    @property
    def placed(self) -> tuple[Placement, ...]:
        """Every buffer, scratch last, as if all lay in one arena: the fast region's behind the others."""
        fast = self.fast
        if fast is None or not fast.arena_bytes:
            return (*self.placements, *self.scratch)
        behind = self.arena_bytes - fast.arena_bytes
        return tuple(
            replace(one, offset_bytes=one.offset_bytes + behind) if there else one
            for one, there in (
                *((one, one.tensor in fast.tensors) for one in self.placements),
                *((one, one.first_operator in fast.scratch) for one in self.scratch),
            )
        )

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
    'fast' is a second memory region, whose name the note begins with.
    """

    resource: Literal["flash", "ram", "fast", "latency"]
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

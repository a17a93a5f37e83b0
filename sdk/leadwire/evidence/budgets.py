"""The budget's checkpoints held against the records that they were taken from.

Which lines each has, their limits and what a pass must rest on follow from the board's budget; what is used, from the
plan, the image and the benchmark. The planned flash of a generated model is the evidence's own word: only the model
itself has it, and the linked figure takes its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leadwire.artifacts import Basis, BudgetLine

from .recompute import same
from .record import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What a line must be; `used` None where no record has it."""

    resource: str
    used: float | None
    limit: float | None
    basis: Basis
    unit: str = "B"
    required_basis: Basis | None = None

    def is_not(self, stated: BudgetLine) -> Iterator[str]:
        """What of a stated line is another, with the value it must have."""
        if self.used is not None and not same(stated.used, self.used):
            yield f"used is {self.used:g}, not {stated.used:g}"
        for name in ("limit", "unit", "basis", "required_basis"):
            if getattr(stated, name) != getattr(self, name):
                yield f"{name} is {getattr(self, name)}, not {getattr(stated, name)}"


def false_budgets(evidence: Evidence) -> Iterator[str]:
    """Checkpoints out of their order and lines that do not follow, one sentence each."""
    expected = (("planned", _planned(evidence)), ("linked", _linked(evidence)), (evidence.board.basis, _run(evidence)))
    bases = [budget.basis for budget in evidence.budgets]
    if bases != [basis for basis, _ in expected][: len(bases)]:
        yield f"the budget's checkpoints are {', '.join(bases)}, not {', '.join(basis for basis, _ in expected)}"
        return
    for budget, (basis, lines) in zip(evidence.budgets, expected, strict=False):
        if [line.resource for line in budget.lines] != [line.resource for line in lines]:
            yield f"the {basis} budget is not about {', '.join(line.resource for line in lines)}"
            continue
        for stated, line in zip(budget.lines, lines, strict=True):
            yield from (f"the {basis} budget's {line.resource}: {what}" for what in line.is_not(stated))


def _planned(evidence: Evidence) -> tuple[_Line, ...]:
    plan, limits = evidence.plan, evidence.board.budget
    whole_file = evidence.quantized.size_bytes if plan.resident_bytes else None
    return (
        _Line(resource="flash", used=whole_file, limit=limits.flash_bytes, basis="planned"),
        _Line(resource="ram", used=plan.arena_bytes - plan.fast_arena_bytes, limit=limits.ram_bytes, basis="planned"),
        *_fast(evidence, 0 if plan.fast is None else plan.fast.used_bytes, "planned"),
    )


def _linked(evidence: Evidence) -> tuple[_Line, ...]:
    image, limits = evidence.image, evidence.board.budget
    ram = image.model_ram_bytes + image.stack.bytes
    return (
        _Line(resource="flash", used=image.model_flash_bytes, limit=limits.flash_bytes, basis="linked"),
        _Line(resource="ram", used=ram, limit=limits.ram_bytes, basis="linked"),
        *_fast(evidence, image.model_fast_bytes, "linked"),
    )


def _run(evidence: Evidence) -> tuple[_Line, ...]:
    """Flash as linked, RAM with the stack that was measured, and the largest latency. QEMU gives a lower bound of it,
    which can break the limit and is not held against it otherwise."""
    image, bench, board = evidence.image, evidence.bench, evidence.board
    ram, slowest = image.model_ram_bytes + bench.stack_high_water_bytes, bench.latency_us.max
    limit, lower_bound = board.budget.latency_us, board.emulation is not None and board.emulation.engine == "qemu"
    judged = limit is None or slowest > limit or not lower_bound
    return (
        _Line(resource="flash", used=image.model_flash_bytes, limit=board.budget.flash_bytes, basis="linked"),
        _Line(resource="ram", used=ram, limit=board.budget.ram_bytes, basis=board.basis),
        *_fast(evidence, image.model_fast_bytes, "linked"),
        _Line(
            resource="latency",
            used=slowest,
            limit=limit if judged else None,
            basis=board.basis,
            unit="us",
            required_basis=board.basis if judged else None,
        ),
    )


def _fast(evidence: Evidence, used: int, basis: Basis) -> tuple[_Line, ...]:
    fast = evidence.plan.fast
    return () if fast is None else (_Line(resource="fast", used=used, limit=fast.limit_bytes, basis=basis),)

"""Which layers with few weight values are packed: those where it saves flash, and not for more than that in memory."""

from __future__ import annotations

from typing import Final

from leadwire.artifacts import MemoryPlan
from leadwire.model.graph import Model
from leadwire.ops.choice import packed_instead
from leadwire.ops.flash import FlashOfKernels
from leadwire.planner import FastSpace, plan_memory

RAM_WEIGHT: Final = 4
"""A byte of arena counts as so many of flash: microcontrollers have four to eight times as much flash as memory."""
LEAST_SAVED: Final = 128
"""Bytes of tables; for less a layer is not made slower."""


def plan_packed(model: Model, kernels: tuple[str, ...], *, fast: FastSpace | None = None) -> MemoryPlan:
    """The plan of `kernels` with packed weights in place of those where that is smaller: all that may be packed, less
    what does not pay one by one, if the whole pays for the code that it takes. The same model gives the same plan.
    What goes to a `fast` region is seen to last."""
    plan = plan_memory(model, kernels=kernels)
    flash = FlashOfKernels(model)
    everything = tuple(
        packed if flash.saved(index, plain, packed) >= LEAST_SAVED else plain
        for index, (plain, packed) in enumerate(zip(kernels, packed_instead(model, kernels), strict=True))
    )
    if everything == kernels:
        return plan if fast is None else plan_memory(model, kernels=kernels, fast=fast)

    def cost(one: MemoryPlan) -> int:
        return flash.tables_and_code(one.kernels) + RAM_WEIGHT * one.arena_bytes

    best = plan_memory(model, kernels=everything)
    for index, (plain, packed) in enumerate(zip(kernels, everything, strict=True)):
        if plain != packed:
            without = (*best.kernels[:index], plain, *best.kernels[index + 1 :])
            best = min(best, plan_memory(model, kernels=without), key=cost)
    best = min(plan, best, key=cost)
    return best if fast is None else plan_memory(model, kernels=best.kernels, fast=fast)

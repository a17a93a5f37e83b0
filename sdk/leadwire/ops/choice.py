"""Which kernel does each operator: the best that the core can run, within the flash that may be spent on speed.

A variant whose tables are larger than the portable kernel's is taken where it saves the most instructions per byte,
until `spare_flash_bytes` are spent; the same arguments give the same choice.
"""

from __future__ import annotations

from collections.abc import Collection

from leadwire.model.graph import Model, Operator

from . import registry
from .spec import PORTABLE, Extension, Variant


def choose_kernels(model: Model, extensions: Collection[Extension], *, spare_flash_bytes: int = 0) -> tuple[str, ...]:
    """The name of a variant for each operator of `model`, which keeps all rules; 'portable' where none fits."""
    chosen: list[str] = []
    widened: list[tuple[float, int, int, str]] = []
    for operator in model.operators:
        usable = _usable(model, operator, extensions)
        chosen.append(next((one.name for one in usable if not one.extra_bytes(model, operator)), PORTABLE))
        for one in usable:
            if extra := one.extra_bytes(model, operator):
                widened.append((-one.saved(model, operator) / extra, operator.index, extra, one.name))
    for saved_per_byte, index, extra, name in sorted(widened):
        if saved_per_byte < 0 and extra <= spare_flash_bytes:
            chosen[index] = name
            spare_flash_bytes -= extra
    return tuple(chosen)


def _usable(model: Model, operator: Operator, extensions: Collection[Extension]) -> list[Variant]:
    return [
        variant
        for variant in registry.spec(operator.kind).variants
        if variant.extension in extensions and variant.fits(model, operator)
    ]

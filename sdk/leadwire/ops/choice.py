"""Which kernel does each operator: the best that the core can run, within the flash that may be spent on speed.

A variant whose tables are larger than the portable kernel's, and that is better than the best without, is taken where
it saves the most instructions per byte, until `spare_flash_bytes` are spent; where it saves as many as it says are
worth a byte, even without spare flash. The same arguments give the same choice.
Variants with packed weights are a second step, because what they are worth depends on the whole model.
"""

from __future__ import annotations

from collections.abc import Collection

from leadwire.model.graph import Model, Operator

from . import registry
from .arithmetic import is_wide
from .spec import PORTABLE, Extension, Variant


def choose_kernels(model: Model, extensions: Collection[Extension], *, spare_flash_bytes: int = 0) -> tuple[str, ...]:
    """The name of a variant for each operator of `model`, which keeps all rules; 'portable' where none fits."""
    chosen: list[str] = []
    widened: list[tuple[float, int, int, str]] = []
    for operator in model.operators:
        name = PORTABLE
        for one in _usable(model, operator, extensions):
            extra, saved = one.extra_bytes(model, operator), one.saved(model, operator)
            if not extra or saved >= one.worth * extra:
                name = one.name
                spare_flash_bytes -= extra
                break
            widened.append((-saved / extra, operator.index, extra, one.name))
        chosen.append(name)
    for saved_per_byte, index, extra, name in sorted(widened):
        if saved_per_byte < 0 and extra <= spare_flash_bytes:
            chosen[index] = name
            spare_flash_bytes -= extra
    return tuple(chosen)


def _usable(model: Model, operator: Operator, extensions: Collection[Extension]) -> list[Variant]:
    if any(tensor >= 0 and is_wide(model.tensors[tensor]) for tensor in (*operator.inputs, *operator.outputs)):
        return []  # variants are of int8
    return [
        variant
        for variant in registry.spec(operator.kind).variants
        if not variant.packs
        and (variant.extension is None or variant.extension in extensions)
        and variant.fits(model, operator)
    ]


def packed_instead(model: Model, kernels: tuple[str, ...]) -> tuple[str, ...]:
    """Of each operator the variant with packed weights that may stand in for its kernel, else the kernel."""
    found = list(kernels)
    for operator in model.operators:
        if is_wide(model.output(operator)):
            continue
        for variant in registry.spec(operator.kind).variants:
            if variant.packs == kernels[operator.index] and variant.fits(model, operator):
                found[operator.index] = variant.name
    return tuple(found)

"""TFLite Micro's memory planner: where tensors and scratch buffers lie in the non-persistent part of the arena.

The rule (micro/memory_planner/greedy_memory_planner.h): the largest buffer first, each at the lowest gap between the
buffers alive at the same time that holds it; of two as large the one added later comes first. A gap is looked for
between neighbours in the order of their offsets, and a buffer with the offset of another is entered behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leadwire.model.graph import Model

from .layout import ARENA_ALIGNMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """One buffer: alive from scope `first` to scope `last`; scope 0 is before the first operator, i + 1 operator i.

    `tensor` is -1 for scratch. A tensor that nothing writes or reads is planned too, alive at scope -1.
    """

    tensor: int
    size_bytes: int
    first: int
    last: int


def buffers(model: Model, scratch: Sequence[Iterable[int]]) -> tuple[Buffer, ...]:
    """What TFLite Micro plans for, in its order; `scratch` holds the requests of each operator in bytes."""
    first = dict.fromkeys(model.inputs, 0)
    last = dict.fromkeys(model.inputs, 0)
    for scope, operator in enumerate(model.operators, start=1):
        for tensor in operator.outputs:
            first.setdefault(tensor, scope)
        for tensor in (*operator.inputs, *operator.outputs):
            last[tensor] = scope
    for tensor in model.outputs:
        first.setdefault(tensor, len(model.operators))
        last[tensor] = len(model.operators)
    planned = [
        Buffer(
            tensor=tensor.index,
            size_bytes=aligned(tensor.size_bytes),
            first=first.get(tensor.index, -1),
            last=last.get(tensor.index, -1),
        )
        for tensor in model.tensors
        if not tensor.is_constant and tensor.size_bytes
    ]
    for scope, sizes in enumerate(scratch, start=1):
        planned += [Buffer(tensor=-1, size_bytes=aligned(size), first=scope, last=scope) for size in sizes]
    return tuple(planned)


def plan(wanted: Sequence[Buffer]) -> tuple[int, ...]:
    """The offset of each buffer."""
    order = sorted(range(len(wanted)), key=lambda i: (-wanted[i].size_bytes, -i))
    offsets: dict[int, int] = {}
    placed: list[int] = []  # by offset; of equal offsets in the order of placing
    for index in order:
        buffer = wanted[index]
        offset = 0
        for other in placed:
            if wanted[other].first > buffer.last or buffer.first > wanted[other].last:
                continue
            if offsets[other] - offset >= buffer.size_bytes:
                break
            offset = max(offset, offsets[other] + wanted[other].size_bytes)
        offsets[index] = offset
        behind = sum(offsets[other] <= offset for other in placed)
        placed.insert(behind, index)
    return tuple(offsets[index] for index in range(len(wanted)))


def height(wanted: Sequence[Buffer]) -> int:
    """Bytes of the non-persistent part."""
    return max((o + b.size_bytes for o, b in zip(plan(wanted), wanted, strict=True)), default=0)


def aligned(size: int, alignment: int = ARENA_ALIGNMENT) -> int:
    return -(-size // alignment) * alignment

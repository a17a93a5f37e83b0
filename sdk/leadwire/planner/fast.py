"""What of a model goes into a second memory region: hot tables and the arena, by wait states saved for each byte.

A constant table is read once for every position of the output: values * positions reads, where a field of a struct is
a value. An activation is read once for each multiplication and written once for each value. One position at a time is
how the formulas are written: kernels that take two positions or whole words read less, by about the same factor
everywhere, so the order stands. What saves the most wait states for a byte goes first, as long as it fits; of an arena
that does not fit, the hottest tensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from leadwire.artifacts import FastMemory, FastTable
from leadwire.model.graph import Model, Operator
from leadwire.ops.spec import Constant, OperatorSpec
from leadwire.ops.tables import direct_tensors, table_names

from .offsets import Block, Overlaps, place_blocks

Holds = Literal["both", "arena", "weights"]
_ALIGNMENT_BYTES = 8
"""No table is aligned to more, so that a table and this much always fit."""
_INTEGER = re.compile(r"u?int(\d+)_t")


@dataclass(frozen=True, slots=True, kw_only=True)
class FastSpace:
    """`size_bytes` of the memory region `region`. A read of flash there takes `flash_wait_states` less, an access of
    the RAM where the arena lies otherwise `ram_wait_states` less. `notes` is for people."""

    region: str
    size_bytes: int
    flash_wait_states: int
    ram_wait_states: int
    holds: Holds = "both"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """`blocks` lie in the fast region; `offsets` of all blocks, each in its own region."""

    memory: FastMemory
    blocks: frozenset[int]
    offsets: tuple[int, ...]


def choose(
    model: Model,
    specs: Sequence[OperatorSpec],
    blocks: Sequence[Block],
    overlaps: Overlaps,
    offsets: tuple[int, ...],
    alignment: int,
    space: FastSpace,
) -> Chosen:
    """`offsets` place all blocks in one arena; those that stay there and those that move are placed anew."""
    room = space.size_bytes - 2 * _ALIGNMENT_BYTES  # what linking may lose before each of the two sections
    heat = _accesses(model, specs, blocks)
    arena = max(offset + max(s.size for s in block) for offset, block in zip(offsets, blocks, strict=True))
    saved = sum(heat) * space.ram_wait_states
    candidates: list[tuple[float, int, FastTable | None]] = []
    if space.holds == "arena" or (space.holds == "both" and saved):
        candidates.append((saved / arena, arena, None))
    if space.holds != "arena" and space.flash_wait_states:
        for table in _tables(model, specs):
            size = _padded(table.size_bytes)
            candidates.append((table.reads * space.flash_wait_states / size, size, table))
    tables: list[FastTable] = []
    moved: frozenset[int] = frozenset()
    for _, size, candidate in sorted(candidates, key=lambda one: (-one[0], one[1], one[2].name if one[2] else "")):
        if candidate is None:
            fits = size <= room
            moved = frozenset(range(len(blocks))) if fits else _hottest(blocks, overlaps, heat, alignment, room)
            size = arena if fits else _height(blocks, overlaps, moved, alignment)
        elif size <= room:
            tables.append(candidate)
        else:
            continue
        room -= _padded(size)
    if 0 < len(moved) < len(blocks):
        offsets = _placed_apart(blocks, overlaps, moved, alignment)
    return Chosen(
        memory=FastMemory(
            region=space.region,
            limit_bytes=space.size_bytes,
            tables=tuple(tables),
            tensors=tuple(sorted(s.tensor for index in moved for s in blocks[index] if s.tensor >= 0)),
            scratch=tuple(sorted(s.first for index in moved for s in blocks[index] if s.tensor < 0)),
            arena_bytes=max((offsets[i] + max(s.size for s in blocks[i]) for i in moved), default=0),
            wait_states=sum(table.reads for table in tables) * space.flash_wait_states
            + sum(heat[index] for index in moved) * space.ram_wait_states,
            notes=space.notes,
        ),
        blocks=moved,
        offsets=offsets,
    )


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


# ---------------------------------------------------------------------------------------------- tables


def _tables(model: Model, specs: Sequence[OperatorSpec]) -> Iterator[FastTable]:
    """Every constant table that the kernels read, equal ones once with the reads of all their operators."""
    emits = {operator.index: spec.emit for operator, spec in zip(model.operators, specs, strict=True)}
    calls = {
        operator.index: () if (emit := emits[operator.index]) is None else emit(model, operator)
        for operator in model.operators
    }
    names = table_names(calls)
    sizes: dict[str, int] = {}
    reads: dict[str, int] = {}
    for operator, spec in zip(model.operators, specs, strict=True):
        positions = _positions(model, operator, spec.macs)
        found = [
            (names[operator.index, constant.suffix], len(constant.values), size_bytes(constant))
            for call in calls[operator.index]
            for constant in call.constants
        ] + [
            (f"tensor{tensor.index}", tensor.elements, tensor.size_bytes)
            for tensor in direct_tensors(model, operator, calls[operator.index])
        ]
        for name, values, size in found:
            times = values * positions if positions else model.output(operator).elements
            sizes[name], reads[name] = size, reads.get(name, 0) + times
    for name, size in sizes.items():
        yield FastTable(name=name, size_bytes=size, reads=reads[name])


def _positions(model: Model, operator: Operator, macs: Callable[[Model, Operator], int]) -> int:
    """How often each weight is read: multiplications for each of them; 0 where nothing is multiplied by weights."""
    weights = sum(
        tensor.elements
        for position in range(1, len(operator.inputs))
        if (tensor := model.input(operator, position)) is not None and tensor.is_constant and len(tensor.shape) > 1
    )
    return macs(model, operator) // weights if weights else 0


def size_bytes(constant: Constant) -> int:
    """Of the table in C; a struct counts four bytes a field, its size or more."""
    integer = _INTEGER.fullmatch(constant.ctype)
    return len(constant.values) * (int(integer.group(1)) // 8 if integer else 4)


# ---------------------------------------------------------------------------------------------- arena


def _accesses(model: Model, specs: Sequence[OperatorSpec], blocks: Sequence[Block]) -> list[int]:
    """Reads and writes of each block an inference."""
    counts: dict[tuple[int, int], int] = {}  # (tensor, -1) and (-1, operator of a scratch)
    for operator, spec in zip(model.operators, specs, strict=True):
        if spec.is_no_copy(model, operator):
            continue
        macs = spec.macs(model, operator)
        counts[-1, operator.index] = macs
        for position, index in enumerate(operator.inputs):
            if index >= 0:
                elements = model.tensors[index].elements
                counts[index, -1] = counts.get((index, -1), 0) + (macs or elements if position == 0 else elements)
        for index in operator.outputs:
            counts[index, -1] = counts.get((index, -1), 0) + model.tensors[index].elements
    return [sum(counts.get((s.tensor, -1) if s.tensor >= 0 else (-1, s.first), 0) for s in block) for block in blocks]


def _hottest(
    blocks: Sequence[Block], overlaps: Overlaps, heat: Sequence[int], alignment: int, room: int
) -> frozenset[int]:
    """As many blocks as fit, those with the most accesses for a byte first."""
    order = sorted(range(len(blocks)), key=lambda i: (-heat[i] / max(s.size for s in blocks[i]), i))
    low, high = 0, len(order)
    while low < high:
        middle = (low + high + 1) // 2
        fits = _height(blocks, overlaps, frozenset(order[:middle]), alignment) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return frozenset(order[:low])


def _height(blocks: Sequence[Block], overlaps: Overlaps, group: Collection[int], alignment: int) -> int:
    if not group:
        return 0
    members = sorted(group)
    offsets = _place_group(blocks, overlaps, members, alignment)
    return max(offset + max(s.size for s in blocks[i]) for i, offset in zip(members, offsets, strict=True))


def _placed_apart(
    blocks: Sequence[Block], overlaps: Overlaps, moved: Collection[int], alignment: int
) -> tuple[int, ...]:
    found: dict[int, int] = {}
    for group in (sorted(moved), sorted(set(range(len(blocks))) - set(moved))):
        found |= dict(zip(group, _place_group(blocks, overlaps, group, alignment), strict=True))
    return tuple(found[index] for index in range(len(blocks)))


def _place_group(blocks: Sequence[Block], overlaps: Overlaps, group: Sequence[int], alignment: int) -> tuple[int, ...]:
    """Offsets of some of the blocks in an arena of their own; what overlaps only a block elsewhere overlaps nothing."""
    number = {block: index for index, block in enumerate(group)}
    inside = {
        operator: (number[given], number[made], distance)
        for operator, (given, made, distance) in overlaps.items()
        if given in number and made in number
    }
    return place_blocks([blocks[index] for index in group], alignment, inside)

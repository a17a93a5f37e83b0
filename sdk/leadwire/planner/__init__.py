"""Static placement of all activations in one arena: live ranges, shared bytes, offsets.

Three steps. (1) Which tensors share bytes: the output of a no-copy operator (RESHAPE, a PAD that is left out) is its
input; an operator that works in place writes its output over an input that nobody needs afterwards. Tensors that share
form one block, whose members have the same offset but their own live range and size. A kernel that walks through its
input as it writes its output may also overlap the two, with a distance between their starts (`distance` of its
specification). (2) The lower bound: the largest set of bytes alive during any operator, input and output overlapped as
far as its kernel allows. No placement can be smaller. (3) Offsets by first fit in several orders; where that misses
the bound, an exact search over orders (small graphs) within a fixed number of steps, so that the same model always
gets the same plan. The problem is dynamic storage allocation (Garey and Johnson 1979, SR2); first fit by size is the
strategy of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", MLSys 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leadwire.artifacts import MemoryPlan, Placement
from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model, Operator
from leadwire.ops import registry
from leadwire.ops.padding import left_out
from leadwire.ops.spec import PORTABLE, Distance, OperatorSpec

from .fast import FastSpace, choose
from .offsets import Block, Overlaps, Segment, live_bytes, place_blocks
from .regions import FastRequest, fast_space

__all__ = ["FastRequest", "FastSpace", "fast_space", "plan_memory"]


def plan_memory(
    model: Model,
    *,
    alignment_bytes: int = 4,
    kernels: tuple[str, ...] = (),
    spec: Callable[[str], OperatorSpec] = registry.spec,
    fast: FastSpace | None = None,
) -> MemoryPlan:
    """Place every activation and scratch buffer of `model`; offsets are multiples of `alignment_bytes`.

    Graph inputs are alive from the start to their last use, graph outputs to the end. Constants are not in the arena.
    `kernels` names the variant of each operator, none: all portable. `spec` finds an operator's memory behaviour, by
    default leadwire's own operators. `fast` is room in a second memory region, for what gains most by lying there.
    UnsupportedModelError where a no-copy operator reads a constant or changes the size.
    """
    names = kernels or (PORTABLE,) * len(model.operators)
    specs = tuple(spec(operator.kind).using(name) for operator, name in zip(model.operators, names, strict=True))
    ranges = _live_ranges(model)
    held = {tensor: model.tensors[tensor].size_bytes for tensor in ranges} | left_out(model)
    owner, in_place = _share(model, specs, ranges, held)
    blocks: dict[int, list[Segment]] = {}
    for tensor, (first, last) in ranges.items():
        segment = Segment(tensor, held[tensor], first, min(last, len(model.operators) - 1))
        blocks.setdefault(owner[tensor], []).append(segment)
    scratch: list[Block] = [
        (Segment(-1, size, operator.index, operator.index),)
        for operator, its in zip(model.operators, specs, strict=True)
        if (size := its.scratch_bytes(model, operator)) > 0
    ]
    everything: list[Block] = [tuple(block) for block in blocks.values()] + scratch
    overlaps = _overlaps(model, specs, {tensor: list(blocks).index(root) for tensor, root in owner.items()}, everything)
    live = [live_bytes(everything, operator.index, overlaps) for operator in model.operators]
    offsets = place_blocks(everything, alignment_bytes, overlaps)
    chosen = None
    if fast is not None:
        chosen = choose(model, specs, everything, overlaps, offsets, alignment_bytes, fast)
        offsets = chosen.offsets
        overlaps = {
            index: pair for index, pair in overlaps.items() if len({one in chosen.blocks for one in pair[:2]}) == 1
        }
    placed = [
        Placement(tensor=s.tensor, offset_bytes=offset, size_bytes=s.size, first_operator=s.first, last_operator=s.last)
        for block, offset in zip(everything, offsets, strict=True)
        for s in block
    ]
    sizes = [max(s.size for s in block) for block in everything]
    tops = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
    there = frozenset() if chosen is None else chosen.blocks
    return MemoryPlan(
        model_digest=model.digest,
        arena_bytes=max((top for index, top in enumerate(tops) if index not in there), default=0)
        + max((tops[index] for index in there), default=0),
        lower_bound_bytes=max(live),
        peak_operator=live.index(max(live)),
        alignment_bytes=alignment_bytes,
        placements=tuple(sorted((p for p in placed if p.tensor >= 0), key=lambda p: p.tensor)),
        scratch=tuple(p for p in placed if p.tensor < 0),
        in_place=tuple(in_place),
        kernels=kernels,
        overlaps=tuple(sorted(overlaps)),
        backward=tuple(index for index in sorted(overlaps) if _backward(index, overlaps[index], everything, offsets)),
        fast=None if chosen is None else chosen.memory,
    )


def _live_ranges(model: Model) -> dict[int, tuple[int, int]]:
    """First and last operator of every activation: a graph output outlives the last operator, an output that nobody
    reads is alive during its operator."""
    ranges = dict.fromkeys(model.inputs, (0, 0))
    for operator in model.operators:
        for tensor in operator.inputs:
            if tensor >= 0 and not model.tensors[tensor].is_constant and not model.tensors[tensor].variable:
                ranges[tensor] = (ranges[tensor][0], operator.index)
        for tensor in operator.outputs:
            ranges[tensor] = (operator.index, operator.index)
    return ranges | {tensor: (ranges[tensor][0], len(model.operators)) for tensor in model.outputs}


def _share(
    model: Model, specs: Sequence[OperatorSpec], ranges: dict[int, tuple[int, int]], held: dict[int, int]
) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """The owner of each activation's bytes (a tensor index), and the (operator, input) pairs that work in place."""
    owner = {tensor: tensor for tensor in ranges}
    for operator, spec in zip(model.operators, specs, strict=True):
        if spec.is_no_copy(model, operator):
            owner[operator.outputs[0]] = owner[_no_copy_input(model, operator, held)]
    last_use: dict[int, int] = {}
    for tensor, (_, last) in ranges.items():
        last_use[owner[tensor]] = max(last, last_use.get(owner[tensor], last))
    in_place = []
    for operator, spec in zip(model.operators, specs, strict=True):
        if not spec.is_no_copy(model, operator) and len(operator.outputs) == 1:
            taken = _overwritten_input(model, operator, spec, owner, last_use)
            if taken is not None:
                in_place.append((operator.index, taken))
                _merge(owner, last_use, into=owner[taken], block=owner[operator.outputs[0]])
    return owner, in_place


def _no_copy_input(model: Model, operator: Operator, held: dict[int, int]) -> int:
    source, made = model.required(operator, 0), operator.outputs[0]
    if source.is_constant:
        raise UnsupportedModelError(
            model.describe(operator), "its input is a constant", hint="let the converter fold constants"
        )
    if held[source.index] != held[made]:
        raise UnsupportedModelError(
            model.describe(operator), f"it shares bytes but has {held[source.index]} B in and {held[made]} B out"
        )
    return source.index


def _overwritten_input(
    model: Model, operator: Operator, spec: OperatorSpec, owner: dict[int, int], last_use: dict[int, int]
) -> int | None:
    """The first input whose bytes the output may take: allowed by the kernel, large enough, dead afterwards and read
    by this operator in no other way."""
    allowed = spec.in_place(model, operator)
    size = model.output(operator).size_bytes
    for position in allowed:
        tensor = model.input(operator, position)
        if tensor is None or tensor.is_constant or tensor.size_bytes < size:
            continue
        block = owner[tensor.index]
        also = [p for p, other in enumerate(operator.inputs) if other in owner and owner[other] == block]
        if last_use[block] == operator.index and all(p in allowed and operator.inputs[p] == tensor.index for p in also):
            return tensor.index
    return None


def _merge(owner: dict[int, int], last_use: dict[int, int], *, into: int, block: int) -> None:
    for tensor, current in owner.items():
        if current == block:
            owner[tensor] = into
    last_use[into] = last_use.pop(block)


def _overlaps(
    model: Model, specs: Sequence[OperatorSpec], block_of: dict[int, int], blocks: Sequence[Block]
) -> Overlaps:
    """Operators whose output 0 may overlap an input: it is dead afterwards and read in no other way, and the output's
    block is not alive before."""
    found: Overlaps = {}
    for operator, spec in zip(model.operators, specs, strict=True):
        distance = None if spec.is_no_copy(model, operator) else spec.distance(model, operator)
        source = None if distance is None else model.required(operator, distance.position)
        if distance is None or source is None or source.is_constant:
            continue
        given, made = block_of[source.index], block_of[operator.outputs[0]]
        others = [
            block_of[tensor]
            for position, tensor in enumerate(operator.inputs)
            if tensor in block_of and position != distance.position
        ]
        dead = all(s.last <= operator.index and s.tensor not in model.outputs for s in blocks[given])
        new = min(s.first for s in blocks[made]) == operator.index
        if given != made and given not in others and dead and new:
            found[operator.index] = (given, made, distance)
    return found


def _backward(
    operator: int, overlap: tuple[int, int, Distance], blocks: Sequence[Block], offsets: Sequence[int]
) -> bool:
    """Whether the placement has the output above the input, so that the kernel must walk backward."""
    given, made, distance = overlap
    if offsets[given] >= offsets[made] + distance.below:
        return False
    end = offsets[given] + max(s.size for s in blocks[given] if s.last == operator)
    return offsets[made] < end and offsets[given] < offsets[made] + max(s.size for s in blocks[made])

"""Static placement of all activations in one arena: live ranges, shared bytes, offsets.

Three steps. (1) Which tensors share bytes: the output of a no-copy operator (RESHAPE) is its input; an operator that
works in place writes its output over an input that nobody needs afterwards. Tensors that share form one block, whose
members have the same offset but their own live range and size. A kernel that walks through its input as it writes its
output may also overlap the two, with a distance between their starts (`distance` of its specification). (2) The lower
bound: the largest set of bytes alive during any operator, input and output overlapped as far as its kernel allows. No
placement can be smaller. (3) Offsets by first fit in several orders; where that misses the bound, an exact search over
orders (small graphs) within a fixed number of steps, so that the same model always gets the same plan. The problem is
dynamic storage allocation (Garey and Johnson 1979, SR2); first fit by size is the strategy of Pisarchyk and Lee,
"Efficient Memory Management for Deep Neural Net Inference", MLSys 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from leadwire.artifacts import MemoryPlan, Placement
from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model, Operator
from leadwire.ops import registry
from leadwire.ops.spec import PORTABLE, Distance, OperatorSpec

_SEARCH_STEPS: Final = 400_000


@dataclass(frozen=True, slots=True)
class _Segment:
    """`size` bytes alive from the start of operator `first` to the end of operator `last`."""

    tensor: int
    size: int
    first: int
    last: int


_Block = tuple[_Segment, ...]
_Overlaps = dict[int, tuple[int, int, Distance]]
"""Operator to the blocks of its input and output, and how these may overlap."""


def plan_memory(
    model: Model,
    *,
    alignment_bytes: int = 4,
    kernels: tuple[str, ...] = (),
    spec: Callable[[str], OperatorSpec] = registry.spec,
) -> MemoryPlan:
    """Place every activation and scratch buffer of `model`; offsets are multiples of `alignment_bytes`.

    Graph inputs are alive from the start to their last use, graph outputs to the end. Constants are not in the arena.
    `kernels` names the variant of each operator, none: all portable. `spec` finds an operator's memory behaviour, by
    default leadwire's own operators. UnsupportedModelError where a no-copy operator reads a constant or changes the
    size.
    """
    names = kernels or (PORTABLE,) * len(model.operators)
    specs = tuple(spec(operator.kind).using(name) for operator, name in zip(model.operators, names, strict=True))
    ranges = _live_ranges(model)
    owner, in_place = _share(model, specs, ranges)
    blocks: dict[int, list[_Segment]] = {}
    for tensor, (first, last) in ranges.items():
        segment = _Segment(tensor, model.tensors[tensor].size_bytes, first, min(last, len(model.operators) - 1))
        blocks.setdefault(owner[tensor], []).append(segment)
    scratch: list[_Block] = [
        (_Segment(-1, size, operator.index, operator.index),)
        for operator, its in zip(model.operators, specs, strict=True)
        if (size := its.scratch_bytes(model, operator)) > 0
    ]
    everything: list[_Block] = [tuple(block) for block in blocks.values()] + scratch
    overlaps = _overlaps(model, specs, {tensor: list(blocks).index(root) for tensor, root in owner.items()}, everything)
    live = [_live_bytes(everything, operator.index, overlaps) for operator in model.operators]
    offsets = _place(everything, alignment_bytes, overlaps)
    placed = [
        Placement(tensor=s.tensor, offset_bytes=offset, size_bytes=s.size, first_operator=s.first, last_operator=s.last)
        for block, offset in zip(everything, offsets, strict=True)
        for s in block
    ]
    return MemoryPlan(
        model_digest=model.digest,
        arena_bytes=max(p.offset_bytes + p.size_bytes for p in placed),
        lower_bound_bytes=max(live),
        peak_operator=live.index(max(live)),
        alignment_bytes=alignment_bytes,
        placements=tuple(sorted((p for p in placed if p.tensor >= 0), key=lambda p: p.tensor)),
        scratch=tuple(p for p in placed if p.tensor < 0),
        in_place=tuple(in_place),
        kernels=kernels,
        overlaps=tuple(sorted(overlaps)),
        backward=tuple(index for index in sorted(overlaps) if _backward(index, overlaps[index], everything, offsets)),
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
    model: Model, specs: Sequence[OperatorSpec], ranges: dict[int, tuple[int, int]]
) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """The owner of each activation's bytes (a tensor index), and the (operator, input) pairs that work in place."""
    owner = {tensor: tensor for tensor in ranges}
    for operator, spec in zip(model.operators, specs, strict=True):
        if spec.emit is None:
            owner[operator.outputs[0]] = owner[_no_copy_input(model, operator)]
    last_use: dict[int, int] = {}
    for tensor, (_, last) in ranges.items():
        last_use[owner[tensor]] = max(last, last_use.get(owner[tensor], last))
    in_place = []
    for operator, spec in zip(model.operators, specs, strict=True):
        if spec.emit is not None and len(operator.outputs) == 1:
            taken = _overwritten_input(model, operator, spec, owner, last_use)
            if taken is not None:
                in_place.append((operator.index, taken))
                _merge(owner, last_use, into=owner[taken], block=owner[operator.outputs[0]])
    return owner, in_place


def _no_copy_input(model: Model, operator: Operator) -> int:
    source, output = model.required(operator, 0), model.output(operator)
    if source.is_constant:
        raise UnsupportedModelError(
            model.describe(operator), "its input is a constant", hint="let the converter fold constants"
        )
    if source.size_bytes != output.size_bytes:
        raise UnsupportedModelError(
            model.describe(operator), f"it shares bytes but has {source.size_bytes} B in and {output.size_bytes} B out"
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
    model: Model, specs: Sequence[OperatorSpec], block_of: dict[int, int], blocks: Sequence[_Block]
) -> _Overlaps:
    """Operators whose output 0 may overlap an input: it is dead afterwards and read in no other way, and the output's
    block is not alive before."""
    found: _Overlaps = {}
    for operator, spec in zip(model.operators, specs, strict=True):
        distance = None if spec.emit is None else spec.distance(model, operator)
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
    operator: int, overlap: tuple[int, int, Distance], blocks: Sequence[_Block], offsets: Sequence[int]
) -> bool:
    """Whether the placement has the output above the input, so that the kernel must walk backward."""
    given, made, distance = overlap
    if offsets[given] >= offsets[made] + distance.below:
        return False
    end = offsets[given] + max(s.size for s in blocks[given] if s.last == operator)
    return offsets[made] < end and offsets[given] < offsets[made] + max(s.size for s in blocks[made])


def _live_bytes(blocks: Sequence[_Block], operator: int, overlaps: _Overlaps) -> int:
    sizes = [max((s.size for s in block if s.first <= operator <= s.last), default=0) for block in blocks]
    if operator not in overlaps:
        return sum(sizes)
    given, made, distance = overlaps[operator]
    union = max(sizes[made], sizes[given] + max(0, distance.below))
    if distance.above is not None:
        union = min(union, max(sizes[given], sizes[made] + max(0, distance.above)))
    return sum(sizes) - max(0, sizes[given] + sizes[made] - union)


# ---------------------------------------------------------------------------------------------- offsets


def _place(blocks: Sequence[_Block], alignment: int, overlaps: _Overlaps) -> tuple[int, ...]:
    """An offset for each block such that no two segments that are alive together overlap but as `overlaps` allows."""
    above = _clearances(blocks, alignment, overlaps)
    sizes = [max(s.size for s in block) for block in blocks]
    starts = [min(s.first for s in block) for block in blocks]
    spans = [sum((s.last - s.first + 1) * s.size for s in block) for block in blocks]
    indices = range(len(blocks))
    orders = (
        sorted(indices, key=lambda i: (-sizes[i], starts[i], i)),
        sorted(indices, key=lambda i: (-spans[i], starts[i], i)),
        sorted(indices, key=lambda i: (starts[i], -sizes[i], i)),
        sorted(indices, key=lambda i: (-starts[i], -sizes[i], i)),
    )
    bound = _aligned_bound(blocks, alignment, overlaps)
    best = min((_first_fit(order, above, sizes) for order in orders), key=lambda found: _top(found, sizes))
    if _top(best, sizes) > bound:
        best = _Search(above, sizes, orders[0], best, bound).run()
    return best


def _aligned_bound(blocks: Sequence[_Block], alignment: int, overlaps: _Overlaps) -> int:
    """The least arena when offsets are aligned: of the blocks alive together, only the topmost needs no padding.
    Where two overlap, padding is left out of the account."""
    worst = 0
    for operator in {s.first for block in blocks for s in block}:
        if operator in overlaps:
            worst = max(worst, _live_bytes(blocks, operator, overlaps))
            continue
        sizes = [max((s.size for s in block if s.first <= operator <= s.last), default=0) for block in blocks]
        padding = [-size % alignment for size in sizes]
        worst = max(worst, sum(sizes) + sum(padding) - max(padding))
    return worst


def _clearances(blocks: Sequence[_Block], alignment: int, overlaps: _Overlaps) -> list[dict[int, int]]:
    """above[i][j]: how far above the offset of block j block i must start when it lies above it; absent: never alive
    together, or free to overlap."""
    above: list[dict[int, int]] = [{} for _ in blocks]
    for i, one in enumerate(blocks):
        for j, other in enumerate(blocks):
            if i != j:
                meeting = [o.size for o in other for s in one if s.first <= o.last and o.first <= s.last]
                if meeting:
                    above[i][j] = -(-max(meeting) // alignment) * alignment
    for operator, (given, made, distance) in overlaps.items():
        free = -max(s.size for s in blocks[given] if s.last == operator)
        if distance.below <= free:
            above[given].pop(made, None)
            above[made].pop(given, None)
            continue
        for high, low, least in ((given, made, distance.below), (made, given, distance.above)):
            if least is not None:
                above[high][low] = min(above[high][low], -(-max(0, least) // alignment) * alignment)
    return above


def _top(offsets: Sequence[int], sizes: Sequence[int]) -> int:
    return max(offset + size for offset, size in zip(offsets, sizes, strict=True))


def _first_fit(order: Iterable[int], above: Sequence[dict[int, int]], sizes: Sequence[int]) -> tuple[int, ...]:
    """Each block in turn at the lowest offset that is free among those already placed."""
    offsets: dict[int, int] = {}
    for block in order:
        taken = [(offsets[j], offsets[j] + gap, above[j][block]) for j, gap in above[block].items() if j in offsets]
        candidates = sorted({0, *(end for _, end, _ in taken), *(max(0, start - own) for start, _, own in taken)})
        offsets[block] = next(
            offset for offset in candidates if all(offset >= end or offset + own <= start for start, end, own in taken)
        )
    return tuple(offsets[block] for block in range(len(sizes)))


class _Search:
    """Branch and bound over the orders in which blocks are stacked, from the bottom up.

    Every placement is at least as high as the one that stacks its blocks in order of their offsets, each as low as
    those below it allow; so trying all orders with rising offsets is exact. It stops at the bound, or after a fixed
    number of steps with the best found.
    """

    def __init__(
        self,
        above: Sequence[dict[int, int]],
        sizes: Sequence[int],
        order: Sequence[int],
        best: tuple[int, ...],
        bound: int,
    ) -> None:
        self.above, self.sizes, self.order, self.best, self.bound = above, sizes, order, best, bound
        self.height = _top(best, sizes)
        self.steps = _SEARCH_STEPS // len(sizes)

    def run(self) -> tuple[int, ...]:
        stack: list[tuple[dict[int, int], list[tuple[int, int]]]] = [({}, self._choices({}, (0, -1)))]
        while stack and self.steps and self.height > self.bound:
            offsets, choices = stack[-1]
            if not choices:
                stack.pop()
                continue
            self.steps -= 1
            offset, block = choices.pop()
            grown = offsets | {block: offset}
            if len(grown) == len(self.sizes):
                found = tuple(grown[index] for index in range(len(self.sizes)))
                if (height := _top(found, self.sizes)) < self.height:
                    self.best, self.height = found, height
            else:
                stack.append((grown, self._choices(grown, (offset, block))))
        return self.best

    def _choices(self, offsets: dict[int, int], after: tuple[int, int]) -> list[tuple[int, int]]:
        """(offset, block) that may come next, the most promising last; none where some block no longer fits."""
        found = []
        for block in self.order:
            if block in offsets:
                continue
            lowest = max((offsets[j] + gap for j, gap in self.above[block].items() if j in offsets), default=0)
            if max(lowest, after[0]) + self.sizes[block] >= self.height:
                return []
            if (lowest, block) > after or (lowest == after[0] and self.above[block].get(after[1]) == 0):
                found.append((lowest, block))
        return sorted(found, key=lambda choice: (-choice[0], self.sizes[choice[1]]))

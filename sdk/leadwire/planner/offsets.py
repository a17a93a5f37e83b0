"""Offsets: first fit in several orders, then an exact search over orders within a fixed number of steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from leadwire.ops.spec import Distance

_SEARCH_STEPS: Final = 400_000


@dataclass(frozen=True, slots=True)
class Segment:
    """`size` bytes alive from the start of operator `first` to the end of operator `last`."""

    tensor: int
    size: int
    first: int
    last: int


Block = tuple[Segment, ...]
Overlaps = dict[int, tuple[int, int, Distance]]
"""Operator to the blocks of its input and output, and how these may overlap."""


def live_bytes(blocks: Sequence[Block], operator: int, overlaps: Overlaps) -> int:
    sizes = [max((s.size for s in block if s.first <= operator <= s.last), default=0) for block in blocks]
    if operator not in overlaps:
        return sum(sizes)
    given, made, distance = overlaps[operator]
    union = max(sizes[made], sizes[given] + max(0, distance.below))
    if distance.above is not None:
        union = min(union, max(sizes[given], sizes[made] + max(0, distance.above)))
    return sum(sizes) - max(0, sizes[given] + sizes[made] - union)


def place_blocks(blocks: Sequence[Block], alignment: int, overlaps: Overlaps) -> tuple[int, ...]:
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


def _aligned_bound(blocks: Sequence[Block], alignment: int, overlaps: Overlaps) -> int:
    """The least arena when offsets are aligned: of the blocks alive together, only the topmost needs no padding.
    Where two overlap, padding is left out of the account."""
    worst = 0
    for operator in {s.first for block in blocks for s in block}:
        if operator in overlaps:
            worst = max(worst, live_bytes(blocks, operator, overlaps))
            continue
        sizes = [max((s.size for s in block if s.first <= operator <= s.last), default=0) for block in blocks]
        padding = [-size % alignment for size in sizes]
        worst = max(worst, sum(sizes) + sum(padding) - max(padding))
    return worst


def _clearances(blocks: Sequence[Block], alignment: int, overlaps: Overlaps) -> list[dict[int, int]]:
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

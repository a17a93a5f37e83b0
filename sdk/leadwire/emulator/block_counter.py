"""Counts what is executed, block by block. The hook is built around local variables: it runs millions of times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .timing import Block

NEVER = 1 << 62
_Passage = tuple[int, int, int, dict[int, Any], Block]
"""A block after another: instructions, cycles, bytes, what may follow, and the block itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockCounter:
    """`on_block(engine, address, size)` is the hook. `tally()`: instructions and estimated cycles so far, only while
    blocks are counted. `charge(cycles)` adds what no instruction accounts for (exception entry). After
    `set_deadline(cycles)` the first block that begins then or later is not run. `truncate(address)` takes back the rest
    of the last block.
    `forget()`: every block is looked at again before it next runs.
    """

    on_block: Callable[[int, int, int], None]
    tally: Callable[[], tuple[int, int]]
    charge: Callable[[int], None]
    set_deadline: Callable[[int], None]
    truncate: Callable[[int], None]
    forget: Callable[[], None]


def make_counter(look: Callable[[int, int], Block | None], *, due: Callable[[], None]) -> BlockCounter:
    """`look(address, size)` is the block there, None where it must not run. `due()` ends the run, before this block.

    `followers` maps the address of the next block to what that block costs after this one; the one before matters
    because a conditional branch costs more when taken.
    """
    blocks: dict[tuple[int, int], tuple[Block, dict[int, _Passage]]] = {}
    begin: dict[int, _Passage] = {}
    instructions = cycles = 0
    deadline = NEVER
    last: Block | None = None
    followers = begin

    def passage(address: int, size: int) -> _Passage | None:
        if (address, size) not in blocks:
            found = look(address, size)
            if found is None:
                return None
            blocks[address, size] = found, {}
        block, following = blocks[address, size]
        taken = last is not None and last.conditional and last.end != address
        penalty = last.penalty if taken and last is not None else 0
        return block.instructions, block.cycles + penalty, size, following, block

    def on_block(_engine: int, address: int, size: int) -> None:
        nonlocal instructions, cycles, last, followers
        if cycles >= deadline:
            due()
            return
        try:
            count, estimate, known_size, following, block = followers[address]
        except KeyError:
            known_size = -1
        if known_size != size:
            new = passage(address, size)
            if new is None:
                return
            count, estimate, _, following, block = followers[address] = new
        instructions += count
        cycles += estimate
        followers = following
        last = block

    def tally() -> tuple[int, int]:
        return instructions, cycles

    def charge(amount: int) -> None:
        nonlocal cycles, last, followers
        cycles += amount
        last, followers = None, begin

    def set_deadline(value: int) -> None:
        nonlocal deadline
        deadline = value

    def truncate(address: int) -> None:
        nonlocal instructions, cycles, last, followers
        if last is not None:
            count, estimate = last.remainder(address)
            instructions -= count
            cycles -= estimate
            last, followers = None, begin

    def forget() -> None:
        nonlocal last, followers
        blocks.clear()
        begin.clear()
        last, followers = None, begin

    return BlockCounter(
        on_block=on_block, tally=tally, charge=charge, set_deadline=set_deadline, truncate=truncate, forget=forget
    )

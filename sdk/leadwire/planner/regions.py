"""Which second memory region of a board a model may use: `off`, `auto` or a name, `:arena` or `:weights` behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from leadwire.board import Board, MemoryRegion
from leadwire.errors import BadInputError

from .fast import FastSpace, Holds

OFF = "off"
_AUTO = "auto"
_ASSUMED_WAIT_STATES = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FastRequest:
    """What the user asks for: `region` 'off', 'auto' or a name, with ':arena' or ':weights' behind it for these alone.
    `limit_bytes` is the model's share of the region, None: all of it."""

    region: str = OFF
    limit_bytes: int | None = None

    @property
    def is_off(self) -> bool:
        return self == FastRequest()


def fast_space(board: Board, request: FastRequest) -> FastSpace | None:
    """Room in the region asked for; None for 'off', and for 'auto' where the board has no region that gains.

    'auto' is the largest region that is coupled to the core for data. Without published wait states the first regions
    are taken to have one more than the region asked for. BadInputError (2) for a region that the board does not have or
    that cannot hold data, and for a share of none.
    """
    limit_bytes = request.limit_bytes
    name, colon, holds = request.region.partition(":")
    if name == OFF and not colon:
        if limit_bytes is not None:
            raise BadInputError(
                f"{limit_bytes} B of fast memory without one", hint="name the region with fast_memory, or 'auto'"
            )
        return None
    if name == OFF or (colon and holds not in get_args(Holds)):
        raise BadInputError(
            f"fast memory '{request.region}': there is nothing called '{holds}' to place",
            hint=f"one of: {', '.join(get_args(Holds))}",
        )
    region = _largest_coupled(board) if name == _AUTO else _named(board, name)
    if region is None:
        return None
    if limit_bytes is not None and not 0 < limit_bytes <= region.size_bytes:
        raise BadInputError(
            f"fast memory: {limit_bytes} B of the {region.size_bytes} B that '{region.name}' of {board.id} has"
        )
    flash = next(one for one in board.memory if one.kind == "flash")
    ram = next(one for one in board.memory if one.kind == "ram")
    notes = [f"wait states of '{one.name}' are not published: taken as {_ASSUMED_WAIT_STATES} more than those of "
             f"'{region.name}'" for one in (flash, ram) if one.wait_states is None]  # fmt: skip
    if not region.dma:
        notes.append(f"no DMA controller of general use reaches '{region.name}': copy inputs and outputs by the core")
    return FastSpace(
        region=region.name,
        size_bytes=region.size_bytes if limit_bytes is None else limit_bytes,
        flash_wait_states=_saved(flash, region),
        ram_wait_states=_saved(ram, region),
        holds=holds or "both",  # type: ignore[arg-type]
        notes=tuple(notes),
    )


def _saved(home: MemoryRegion, fast: MemoryRegion) -> int:
    """Wait states that an access of `fast` has less."""
    there = fast.wait_states or 0
    return max(0, there + _ASSUMED_WAIT_STATES - there if home.wait_states is None else home.wait_states - there)


def _second(board: Board) -> tuple[MemoryRegion, ...]:
    """RAM beside the region where data lies anyway, as far as it holds data."""
    rams = [region for region in board.memory if region.kind == "ram"]
    return tuple(region for region in rams[1:] if region.coupled != "instructions")


def _largest_coupled(board: Board) -> MemoryRegion | None:
    coupled = [region for region in _second(board) if region.coupled != "no" and not region.external]
    return max(coupled, key=lambda region: region.size_bytes, default=None)


def _named(board: Board, name: str) -> MemoryRegion:
    usable = _second(board)
    found = next((region for region in usable if region.name == name), None)
    if found is not None:
        return found
    known = next((region for region in board.memory if region.name == name), None)
    if known is None:
        why = f"board '{board.id}' has no memory region '{name}'"
    elif known.kind == "flash":
        why = f"'{name}' of {board.id} is flash"
    elif known.coupled == "instructions":
        why = f"'{name}' of {board.id} is coupled to the core for instructions alone"
    else:
        why = f"'{name}' is where all data of {board.id} lies already"
    names = ", ".join(region.name for region in usable)
    raise BadInputError(
        f"fast memory: {why}",
        hint=f"regions of this board: {names}; or 'auto', 'off'" if names else "this board has none: leave it 'off'",
    )

"""The flash as the core sees it: a copy of the cells, and what is known of the code in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap

from . import stm32f405 as chip
from .core import Core
from .elf import Segment

_UNMASK = re.compile(rb"[\x61-\x63]\xb6|[\x80-\x8f]\xf3[\x10-\x13]\x88")
"""CPSIE i, f, if; MSR PRIMASK, BASEPRI, BASEPRI_MAX or FAULTMASK, Rn (ARM DDI 0403, A7.7)."""


class ShownFlash:
    """`cells` is what the flash holds, `shown` what the core reads and executes. The two are made equal by `show`
    before the core next looks, and what it knows of changed code is forgotten by `look` while it is stopped."""

    def __init__(self, core: Core, cells: mmap | bytearray, shown: memoryview) -> None:
        self._core = core
        self._cells = cells
        self._shown = shown
        self.stale: list[slice] = []
        """Where `shown` may differ from `cells`."""
        self.code: list[slice] = []
        """Where the code may be another."""

    def stored(self, offset: int, size: int) -> None:
        """The core has written there, whatever that does to the cells."""
        self.stale.append(slice(offset, offset + size))

    def changed(self, offset: int, size: int) -> None:
        """The cells have changed, or (size 0) an operation was started or ended by the control register."""
        if size:
            self.stale.append(slice(offset, offset + size))
            self.code.append(slice(max(0, offset - 4), offset + size + 4))
        elif self.code:
            self._core.stop()

    def show(self) -> None:
        for place in self.stale:
            self._shown[place] = self._cells[place]
        self.stale.clear()

    def look(self) -> None:
        for place in _joined(self.code):
            code = Segment(address=chip.FLASH_ORIGIN + place.start, data=bytes(self._cells[place]))
            self._core.watch(unmasking(code))
            for start in (code.address, place.start):  # the flash shows at address 0 too
                self._core.forget_code(start, start + len(code.data))
        self.code.clear()


def _joined(places: list[slice]) -> Iterator[slice]:
    """The same places with neighbours as one."""
    start = end = 0
    for place in places:
        if end and start <= place.start <= end:
            end = max(end, place.stop)
            continue
        if end:
            yield slice(start, end)
        start, end = place.start, place.stop
    if end:
        yield slice(start, end)


def unmasking(segment: Segment) -> Iterator[int]:
    """Addresses behind instructions that may lower an interrupt mask (CPSIE, MSR PRIMASK, BASEPRI and FAULTMASK).

    Constants that look like one are found too, which costs nothing: they are never executed.
    """
    for found in _UNMASK.finditer(segment.data):
        if not found.start() & 1:
            yield segment.address + found.end()

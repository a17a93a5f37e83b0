"""Flash of the STM32F405 and its interface (RM0090, section 3): unlock keys, sectors, programming, errors.

`FlashMemory` is what the cells hold, in a file where they shall outlive the emulator: every program and erase operation
is in the file at once, so that killing the emulator leaves what a power cut leaves. Cells are erased to ones by sector,
and programming can only clear bits.

An operation is over when the core executes its next instruction; the time that it takes passes for the board at once,
because a core that runs from the flash stands still meanwhile (RM0090, 3.6.3). Hence BSY is never seen set.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable
from pathlib import Path

from leadwire.errors import BadInputError

from .registers import Registers

BYTES = 1 << 20
SECTORS: tuple[int, ...] = (*(16 << 10,) * 4, 64 << 10, *(128 << 10,) * 7)
"""Sizes of sectors 0 to 11 (RM0090, table 5)."""
_ERASE_SECONDS = {16 << 10: 0.25, 64 << 10: 0.55, 128 << 10: 1.0}
_PROGRAM_SECONDS = 16e-6
"""Typical, with 32-bit parallelism (DS8626, table 40)."""
_KEYS = 0x45670123, 0xCDEF89AB
KEYR, OPTKEYR, SR, CR, OPTCR = 0x04, 0x08, 0x0C, 0x10, 0x14
PG, SER, MER, STRT, LOCK = 1 << 0, 1 << 1, 1 << 2, 1 << 16, 1 << 31
EOP, WRPERR, PGAERR, PGPERR, PGSERR = 1 << 0, 1 << 4, 1 << 5, 1 << 6, 1 << 7
_EOPIE = 1 << 24
_CR_KEPT = 0x0300037F
"""PG, SER, MER, SNB, PSIZE, EOPIE, ERRIE."""


class FlashMemory:
    """`cells` are the bytes. `power_off` is called in the middle of program or erase operation `cut_after`, from 1."""

    def __init__(self, file: Path | None = None, *, cut_after: int = 0, power_off: Callable[[], None] | None = None):
        """Blank where there is no file yet. BadInputError for a file of another size or in use by another board."""
        self.cells: mmap.mmap | bytearray = bytearray(b"\xff" * BYTES) if file is None else _open(file)
        self._left = cut_after
        self._power_off = power_off

    def program(self, offset: int, data: bytes) -> None:
        """Clear the bits that are zero in `data`."""
        old = self.cells[offset : offset + len(data)]
        new = bytes(cell & byte for cell, byte in zip(old, data, strict=True))
        if self._is_cut():
            new = bytes(cell & (byte | 0xAA) for cell, byte in zip(old, data, strict=True))
        self.cells[offset : offset + len(data)] = new
        self._end_operation()

    def erase(self, start: int, size: int) -> None:
        if self._is_cut():  # half of the sector is erased, the other half's cells are on the way
            half = size // 2
            rest = bytes(cell | 0x5A for cell in self.cells[start + half : start + size])
            self.cells[start : start + size] = b"\xff" * half + rest
        else:
            self.cells[start : start + size] = b"\xff" * size
        self._end_operation()

    def _is_cut(self) -> bool:
        return self._left == 1

    def _end_operation(self) -> None:
        if self._is_cut() and self._power_off is not None:
            self._power_off()
        self._left = max(0, self._left - 1)


def _open(file: Path) -> mmap.mmap:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)  # the map keeps it open, and with it the lock
    except OSError as error:
        raise BadInputError(
            f"flash file '{file}' cannot be used: {error.strerror}", hint="name a file in a folder that can be written"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BadInputError(
            f"flash file '{file}' is in use by another emulated board", hint="give each board a file of its own"
        ) from None
    size = os.fstat(descriptor).st_size
    if size == 0:
        os.pwrite(descriptor, b"\xff" * BYTES, 0)
    elif size != BYTES:
        os.close(descriptor)
        raise BadInputError(
            f"flash file '{file}' has {size} B, the STM32F405 {BYTES} B of flash",
            hint="name a file that does not exist yet, or one that an emulated board has left",
        )
    return mmap.mmap(descriptor, BYTES)


class FlashInterface(Registers):
    """ACR's bits are kept; option bytes stay locked. `spend(seconds)` lets time pass, `changed()` is told when the core
    may execute other code than before, `fail(text)` when the bus answers an access with an error."""

    def __init__(
        self,
        memory: FlashMemory,
        *,
        spend: Callable[[float], None],
        changed: Callable[[int, int], None],
        fail: Callable[[str], None],
    ) -> None:
        super().__init__({CR: LOCK, OPTCR: 0x0FFFAAED})
        self._memory = memory
        self._spend = spend
        self._changed = changed
        self._fail = fail
        self._keys: list[int] = []
        self._locked_for_good = False

    @property
    def locked(self) -> bool:
        return bool(self.words[CR] & LOCK)

    def get(self, offset: int) -> int:
        return 0 if offset in (KEYR, OPTKEYR) else super().get(offset)

    def put(self, offset: int, value: int) -> None:
        if offset == KEYR:
            self._unlock(value)
        elif offset == SR:
            self.words[SR] = self.words.get(SR, 0) & ~(value & 0xF3)
        elif offset == CR:
            self._control(value)
        elif offset not in (OPTKEYR, OPTCR):
            super().put(offset, value)

    def program(self, offset: int, size: int, value: int) -> None:
        """A store of `size` bytes into the flash by the core, while the interface is unlocked."""
        control = self.words[CR]
        if not control & PG or control & (SER | MER):
            self._error(PGSERR)
        elif size != 1 << (control >> 8 & 3):
            self._error(PGPERR)
        elif offset % size:
            self._error(PGAERR)
        else:
            self._memory.program(offset, value.to_bytes(size, "little"))
            self._spend(_PROGRAM_SECONDS)
            self._end(offset, size)

    def _unlock(self, value: int) -> None:
        """The two keys in order; anything else locks until the next reset and is a bus error (RM0090, 3.6.1)."""
        self._keys.append(value)
        right = not self._locked_for_good and self.locked and tuple(self._keys) == _KEYS[: len(self._keys)]
        if not right:
            self._locked_for_good = True
            self._fail(f"key 0x{value:08x} written to FLASH_KEYR, which is not the one that is due")
        elif len(self._keys) == len(_KEYS):
            self._keys.clear()
            self.words[CR] &= ~LOCK

    def _control(self, value: int) -> None:
        if self.locked:
            return
        self.words[CR] = value & (_CR_KEPT | LOCK)
        if value & LOCK:
            self._keys.clear()
        elif value & STRT:
            self._erase(value)
        self._changed(0, 0)

    def _erase(self, control: int) -> None:
        number = control >> 3 & 0xF
        if control & MER and not control & (SER | PG):
            start, wanted = 0, SECTORS
        elif control & SER and not control & (MER | PG) and number < len(SECTORS):
            start, wanted = sum(SECTORS[:number]), SECTORS[number : number + 1]
        else:
            self._error(PGSERR)
            return
        for size in wanted:
            self._memory.erase(start, size)
            self._spend(_ERASE_SECONDS[size])
            self._end(start, size)
            start += size

    def _error(self, bits: int) -> None:
        self.words[SR] = self.words.get(SR, 0) | bits

    def _end(self, offset: int, size: int) -> None:
        self._changed(offset, size)
        if self.words[CR] & _EOPIE:
            self._error(EOP)

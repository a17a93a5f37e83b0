"""Flash of the virtual chip against RM0090, section 3: keys, sectors, bits that only fall, errors; and the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadwire.emulator.core import FirmwareFaultError
from leadwire.emulator.flash_memory import BYTES, CR, KEYR, SECTORS, SR, FlashInterface, FlashMemory
from leadwire.errors import BadInputError

PG, SER, MER, STRT, LOCK, EOPIE = 1, 2, 4, 1 << 16, 1 << 31, 1 << 24
BY_8, BY_16, BY_32 = 0 << 8, 1 << 8, 2 << 8
PGAERR, PGPERR, PGSERR = 1 << 5, 1 << 6, 1 << 7


class Chip:
    """The interface with its memory, the time it has taken and what it called changed."""

    def __init__(self, memory: FlashMemory | None = None) -> None:
        self.memory = memory or FlashMemory()
        self.seconds = 0.0
        self.changed: list[tuple[int, int]] = []
        self.flash = FlashInterface(
            self.memory, spend=self.spend, changed=lambda at, size: self.changed.append((at, size)), fail=self.fail
        )

    def spend(self, seconds: float) -> None:
        self.seconds += seconds

    def fail(self, text: str) -> None:
        raise FirmwareFaultError(text)

    def unlocked(self, control: int = 0) -> Chip:
        self.flash.write(KEYR, 4, 0x45670123)
        self.flash.write(KEYR, 4, 0xCDEF89AB)
        self.flash.write(CR, 4, control)
        return self

    def holds(self, offset: int, size: int = 4) -> bytes:
        return bytes(self.memory.cells[offset : offset + size])


def test_locked_until_both_keys_came_in_order():
    chip = Chip()
    chip.flash.write(CR, 4, PG)
    assert chip.flash.read(CR, 4) == LOCK
    chip.flash.write(KEYR, 4, 0x45670123)
    assert chip.flash.locked
    chip.flash.write(KEYR, 4, 0xCDEF89AB)
    assert chip.flash.read(CR, 4) == 0 and chip.flash.read(KEYR, 4) == 0
    chip.flash.write(CR, 4, LOCK)
    assert chip.flash.locked
    chip.unlocked()
    assert not chip.flash.locked, "it can be opened again"


@pytest.mark.parametrize("keys", [(0xCDEF89AB,), (0x45670123, 0x45670123), (1,)])
def test_a_wrong_key_is_a_bus_error_and_locks_until_the_next_reset(keys):
    chip = Chip()
    with pytest.raises(FirmwareFaultError, match="not the one that is due"):
        for key in keys:
            chip.flash.write(KEYR, 4, key)
    with pytest.raises(FirmwareFaultError):
        chip.unlocked()
    assert chip.flash.locked


def test_programming_clears_bits_and_never_sets_one():
    chip = Chip().unlocked(PG | BY_32)
    chip.flash.program(8, 4, 0xF0F0F0F0)
    chip.flash.program(8, 4, 0x0F0FFFFF)
    assert chip.holds(8) == bytes.fromhex("f0f00000")
    assert chip.flash.read(SR, 4) == 0
    assert chip.seconds == pytest.approx(2 * 16e-6)
    assert (8, 4) in chip.changed


def test_sectors_lie_as_in_table_5_and_are_erased_alone():
    assert sum(SECTORS) == BYTES
    for number, start in ((0, 0), (3, 0xC000), (4, 0x10000), (5, 0x20000), (11, 0xE0000)):
        chip = Chip(FlashMemory())
        chip.memory.cells[:] = bytes(BYTES)
        chip.unlocked(SER | number << 3).flash.write(CR, 4, SER | number << 3 | STRT)
        size = SECTORS[number]
        assert chip.holds(start, size) == b"\xff" * size
        assert chip.memory.cells.count(0) == BYTES - size
        assert chip.seconds == {16: 0.25, 64: 0.55, 128: 1.0}[size >> 10]
        assert not chip.flash.read(CR, 4) & STRT, "it is over"


def test_all_sectors_at_once():
    chip = Chip()
    chip.memory.cells[:] = bytes(BYTES)
    chip.unlocked(MER).flash.write(CR, 4, MER | STRT)
    assert chip.memory.cells.count(0xFF) == BYTES


@pytest.mark.parametrize(
    ("control", "offset", "size", "error"),
    [
        (0, 0, 4, PGSERR),  # no PG
        (PG | SER | BY_32, 0, 4, PGSERR),  # two wishes at once
        (PG | BY_32, 0, 1, PGPERR),  # not as wide as PSIZE
        (PG | BY_8, 0, 4, PGPERR),
        (PG | BY_32, 2, 4, PGAERR),  # crosses a word
        (PG | BY_16, 1, 2, PGAERR),
    ],
)
def test_errors_of_programming_leave_the_cells_alone(control, offset, size, error):
    chip = Chip().unlocked(control)
    chip.flash.program(offset, size, 0)
    assert chip.flash.read(SR, 4) == error and chip.holds(0, 8) == b"\xff" * 8
    chip.flash.write(SR, 4, error)
    assert chip.flash.read(SR, 4) == 0, "writing ones clears"


def test_a_sector_that_does_not_exist():
    chip = Chip().unlocked()
    chip.flash.write(CR, 4, SER | 12 << 3 | STRT)
    assert chip.flash.read(SR, 4) == PGSERR and chip.seconds == 0


def test_end_of_operation_is_told_where_its_interrupt_is_enabled():
    chip = Chip().unlocked(PG | BY_8 | EOPIE)
    chip.flash.program(0, 1, 0)
    assert chip.flash.read(SR, 4) == 1


# ---------------------------------------------------------------------------------------------- the file


def test_every_operation_is_in_the_file_at_once(tmp_path):
    file = tmp_path / "flash.bin"
    memory = FlashMemory(file)
    assert file.stat().st_size == BYTES and file.read_bytes().count(0xFF) == BYTES
    memory.program(100, b"\x12\x34")
    assert file.read_bytes()[98:104].hex() == "ffff1234ffff"
    memory.erase(0, SECTORS[0])
    assert file.read_bytes().count(0xFF) == BYTES


def test_a_file_belongs_to_one_board_and_has_its_size(tmp_path):
    file = tmp_path / "flash.bin"
    memory = FlashMemory(file)
    with pytest.raises(BadInputError, match="in use by another"):
        FlashMemory(file)
    del memory
    (tmp_path / "short").write_bytes(b"short")
    with pytest.raises(BadInputError, match="has 5 B"):
        FlashMemory(tmp_path / "short")
    assert (tmp_path / "short").read_bytes() == b"short"


class PowerOffError(Exception):
    pass


def off() -> None:
    raise PowerOffError


def test_power_cut_in_the_middle_of_an_operation(tmp_path: Path):
    memory = FlashMemory(tmp_path / "one", cut_after=2, power_off=off)
    memory.program(0, b"\0\0")
    with pytest.raises(PowerOffError):
        memory.program(2, b"\0\0")
    assert bytes(memory.cells[:4]).hex() == "0000aaaa", "some bits have fallen, some not yet"
    memory = FlashMemory(tmp_path / "two", cut_after=1, power_off=off)
    memory.cells[: SECTORS[0]] = bytes(SECTORS[0])
    with pytest.raises(PowerOffError):
        memory.erase(0, SECTORS[0])
    assert set(memory.cells[: SECTORS[0] // 2]) == {0xFF} and set(memory.cells[SECTORS[0] // 2 : SECTORS[0]]) == {0x5A}


def test_no_cut_unless_asked_for():
    memory = FlashMemory(power_off=off)
    for _ in range(3):
        memory.program(0, b"\0")
        memory.erase(0, SECTORS[0])

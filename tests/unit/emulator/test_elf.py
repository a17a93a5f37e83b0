"""Hostile images: every truncation and many flipped bits end in a named error or in a program, never in a traceback."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from leadwire.emulator.elf import load_program
from leadwire.errors import BadInputError, FileMissingError

CODE = bytes(range(64))


def image(machine: int = 40, kind: int = 1, endian: int = 1, address: int = 0x08000000) -> bytes:
    """A minimal executable: one loadable segment, a symbol table with functions 'first' and 'second'."""
    strings = b"\0first\0second\0"
    names = b"\0.symtab\0.strtab\0.shstrtab\0"
    symbols = (
        bytes(16)
        + struct.pack("<IIIBBH", 1, address | 1, 16, 2, 0, 1)
        + struct.pack("<IIIBBH", 7, (address + 32) | 1, 8, 2, 0, 1)
    )
    body = CODE + symbols + strings + names
    start = 52 + 32
    sections_at = start + len(body)
    header = struct.pack(
        "<4sBBBBB7xHHIIIIIHHHHHH",
        b"\x7fELF",
        kind,
        endian,
        1,
        0,
        0,
        2,
        machine,
        1,
        address | 1,
        52,
        sections_at,
        0x05000400,
        52,
        32,
        1,
        40,
        4,
        3,
    )
    segment = struct.pack("<IIIIIIII", 1, start, 0x20000000, address, len(CODE), len(CODE), 5, 4)
    symtab = start + len(CODE)
    strtab = symtab + len(symbols)
    shstrtab = strtab + len(strings)
    sections = bytes(40) + b"".join(
        (
            struct.pack("<IIIIIIIIII", 1, 2, 0, 0, symtab, len(symbols), 2, 1, 4, 16),
            struct.pack("<IIIIIIIIII", 9, 3, 0, 0, strtab, len(strings), 0, 0, 1, 0),
            struct.pack("<IIIIIIIIII", 17, 3, 0, 0, shstrtab, len(names), 0, 0, 1, 0),
        )
    )
    return header + segment + body + sections


@pytest.fixture
def write(tmp_path: Path):
    def write(data: bytes) -> Path:
        path = tmp_path / "image.elf"
        path.write_bytes(data)
        return path

    return write


def test_segments_go_where_a_flash_tool_puts_them(write):
    program = load_program(write(image()))
    assert [(segment.address, segment.data) for segment in program.segments] == [(0x08000000, CODE)]
    assert program.locate(0x08000005) == "0x08000005 first+0x4"
    assert program.locate(0x08000020) == "0x08000020 second+0x0"
    assert program.locate(0x08000014) == "0x08000014", "between the two"
    assert program.locate(0x07FFFFFF) == "0x07ffffff"


def test_missing_file(tmp_path):
    with pytest.raises(FileMissingError):
        load_program(tmp_path / "none.elf")


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"MZ" + bytes(100), image(machine=62), image(endian=2), image(kind=2)]
)
def test_other_files(write, data):
    with pytest.raises(BadInputError, match="firmware image"):
        load_program(write(data))


def test_every_truncation(write):
    whole = image()
    for length in range(len(whole) - 1):
        try:
            program = load_program(write(whole[:length]))
        except BadInputError:
            continue
        assert program.segments[0].data == CODE, "only the section table may be missing"


def test_flipped_bits(write):
    source = random.Random(3)
    whole = image()
    for _ in range(400):
        broken = bytearray(whole)
        for _ in range(source.randint(1, 4)):
            broken[source.randrange(len(broken))] ^= 1 << source.randrange(8)
        try:
            load_program(write(bytes(broken)))
        except BadInputError:
            continue

"""The program an emulated board runs: loadable segments and symbols of a 32-bit little-endian Arm ELF file."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadwire.errors import BadInputError, FileMissingError

_ARM = "EM_ARM"
_ALLOCATED = 2  # SHF_ALLOC
_LARGEST_FILE_BYTES = 64 << 20
_MOST_SECTIONS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Bytes and the address they are stored at (p_paddr: where a flash tool would put them)."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    address: int
    size_bytes: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`symbols` are the functions in order of address; empty for a stripped file. `placed` are the segments' bytes less
    what linkers put between sections: files for the flash hold there what they like."""

    path: Path
    segments: tuple[Segment, ...]
    placed: tuple[Segment, ...]
    symbols: tuple[Symbol, ...] = ()

    def locate(self, address: int) -> str:
        """'0x08000124 main+0x1c', or the bare address where no function covers it."""
        index = bisect_right(self.symbols, address & ~1, key=lambda symbol: symbol.address) - 1
        if index >= 0:
            symbol = self.symbols[index]
            offset = (address & ~1) - symbol.address
            if offset < max(symbol.size_bytes, 1):
                return f"0x{address:08x} {symbol.name}+0x{offset:x}"
        return f"0x{address:08x}"


def load_program(path: Path, *, machine: str | None = _ARM) -> Program:
    """Read an ELF file. FileMissingError, or BadInputError for anything that is not a whole executable for `machine`
    (None: any)."""
    if not path.is_file():
        raise FileMissingError(path, role="firmware image")
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise _bad(path, f"{path.stat().st_size} B are more than any microcontroller image has")
    try:
        return _parse(path, machine)
    except malformed() as error:
        raise _bad(path, f"not a valid ELF file ({type(error).__name__})") from error


def malformed() -> tuple[type[Exception], ...]:
    """What pyelftools raises for a file that is no whole ELF file."""
    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError

    return (
        ELFError,
        ConstructError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        OSError,
        AssertionError,
    )


def check_counts(elf: Any) -> None:
    """ValueError where a header promises more sections or symbols than a file of this kind has: reading them would not
    end."""
    if elf.num_sections() > _MOST_SECTIONS or elf.num_segments() > _MOST_SECTIONS:
        raise ValueError("too many sections")
    for section in elf.iter_sections():
        if section["sh_type"] in ("SHT_SYMTAB", "SHT_DYNSYM") and section["sh_size"] > _LARGEST_FILE_BYTES:
            raise ValueError("too many symbols")


def _parse(path: Path, machine: str | None) -> Program:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with path.open("rb") as stream:
        elf = ELFFile(stream)
        check_counts(elf)
        if machine not in (None, elf["e_machine"]) or elf.elfclass != 32 or not elf.little_endian:
            raise _bad(path, f"not a 32-bit little-endian {'Arm ' if machine == _ARM else ''}file")
        segments, placed = [], []
        for header in elf.iter_segments("PT_LOAD"):
            data = bytes(header.data())
            if len(data) != header["p_filesz"]:
                raise _bad(path, f"a segment says {header['p_filesz']} B, the file holds {len(data)} B: truncated")
            lead = _headers(elf, header)
            if data[lead:]:
                segments.append(Segment(address=header["p_paddr"] + lead, data=data[lead:]))
                placed += _sections(elf, header, data) or segments[-1:]
        if not segments:
            raise _bad(path, "nothing to load")
        symbols = [
            Symbol(address=entry["st_value"] & ~1, size_bytes=entry["st_size"], name=str(entry.name))
            for section in elf.iter_sections()
            if isinstance(section, SymbolTableSection)
            for entry in section.iter_symbols()
            if entry["st_info"]["type"] == "STT_FUNC"
        ]
    return Program(
        path=path,
        segments=tuple(segments),
        placed=tuple(placed),
        symbols=tuple(sorted(symbols, key=lambda s: s.address)),
    )


def _sections(elf: Any, segment: Any, data: bytes) -> list[Segment]:
    """The segment's sections, where it has any."""
    found = []
    for one in elf.iter_sections():
        start = one["sh_offset"] - segment["p_offset"]
        inside = one["sh_flags"] & _ALLOCATED and one["sh_type"] != "SHT_NOBITS" and 0 <= start < len(data)
        if inside and one["sh_size"]:
            found.append(Segment(address=segment["p_paddr"] + start, data=data[start : start + one["sh_size"]]))
    return found


def _headers(elf: Any, segment: Any) -> int:
    """Bytes at the start of a segment that are the file's own headers, which linkers load where there is room before
    the first section."""
    end = max(elf["e_ehsize"], elf["e_phoff"] + elf["e_phnum"] * elf["e_phentsize"])
    if segment["p_offset"] >= end:
        return 0
    starts = [one["sh_offset"] for one in elf.iter_sections() if one["sh_flags"] & _ALLOCATED and one["sh_offset"] > 0]
    inside = [start - segment["p_offset"] for start in starts if 0 <= start - segment["p_offset"] < segment["p_filesz"]]
    return min(inside, default=int(segment["p_filesz"]) if starts else 0)


def _bad(path: Path, reason: str) -> BadInputError:
    return BadInputError(f"firmware image '{path}': {reason}", hint="build the image again with 'leadwire build'")

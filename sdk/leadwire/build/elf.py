"""What a linked image holds: sections, symbols, and the model's share of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from leadwire.artifacts import Section
from leadwire.emulator.elf import check_counts, malformed
from leadwire.errors import BuildError

STACK_SECTION = ".stack"
FAST_DATA, FAST_BSS = ".fast_data", ".fast_bss"
"""Sections of a second memory region (the linker script), made of these of the objects (generate.firmware)."""
_FAST_PARTS = {".lw_fast_data": FAST_DATA, ".bss.lw_fast_arena": FAST_BSS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """`kind` is STT_FUNC, STT_OBJECT or STT_NOTYPE; `address` as in the file, with the Thumb bit on functions."""

    name: str
    kind: str
    address: int
    size_bytes: int
    section: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfSection:
    """`data` is empty where the file holds none (.bss) or the section is not loaded."""

    index: int
    name: str
    address: int
    size_bytes: int
    loaded: bool
    writable: bool
    executable: bool
    in_file: bool
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    entry: int
    little_endian: bool
    sections: tuple[ElfSection, ...]
    symbols: tuple[Symbol, ...]

    def section(self, name: str) -> ElfSection | None:
        return next((section for section in self.sections if section.name == name), None)

    def size_of(self, kind: str) -> int:
        """Bytes of 'text', 'rodata', 'data' or 'bss'; the stack's reserve is none of them."""
        return sum(section.size_bytes for section in self.sections if kind_of(section) == kind)

    def listed(self) -> tuple[Section, ...]:
        return tuple(
            Section(name=section.name, address=section.address, size_bytes=section.size_bytes)
            for section in self.sections
            if section.loaded and section.size_bytes
        )


def kind_of(section: ElfSection) -> str:
    """'text', 'rodata', 'data', 'bss', 'stack', or '' for what is not loaded. Constants of a fast region are data: they
    take flash, and RAM that they are copied to."""
    if not section.loaded:
        return ""
    if section.name == STACK_SECTION:
        return "stack"
    if is_fast(section) and section.in_file:
        return "data"
    if not section.in_file:
        return "bss"
    if section.writable:
        return "data"
    return "text" if section.executable else "rodata"


def is_fast(section: ElfSection) -> bool:
    """Whether a section of an image or of an object belongs to a second memory region."""
    return _FAST_PARTS.get(section.name, section.name) in (FAST_DATA, FAST_BSS)


def read_elf(path: Path) -> Elf:
    """Sections and symbols of an ELF file; BuildError where it is none."""
    try:
        with path.open("rb") as stream:
            file = ELFFile(stream)
            check_counts(file)
            sections = tuple(_section(index, section) for index, section in enumerate(file.iter_sections()))
            symbols = tuple(_symbols(file))
            return Elf(
                entry=file.header["e_entry"], little_endian=file.little_endian, sections=sections, symbols=symbols
            )
    except malformed() as error:
        raise BuildError(f"'{path.name}' is not an ELF file: {error}") from error


def _section(index: int, section: object) -> ElfSection:
    header = section.header  # type: ignore[attr-defined]
    flags, in_file = header["sh_flags"], header["sh_type"] != "SHT_NOBITS"
    return ElfSection(
        index=index,
        name=section.name,  # type: ignore[attr-defined]
        address=header["sh_addr"],
        size_bytes=header["sh_size"],
        loaded=bool(flags & SH_FLAGS.SHF_ALLOC),
        writable=bool(flags & SH_FLAGS.SHF_WRITE),
        executable=bool(flags & SH_FLAGS.SHF_EXECINSTR),
        in_file=in_file,
        data=section.data() if in_file else b"",  # type: ignore[attr-defined]
    )


def _symbols(file: ELFFile) -> Iterable[Symbol]:
    table = file.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return
    for symbol in table.iter_symbols():
        where = symbol["st_shndx"]
        if isinstance(where, int):
            yield Symbol(
                name=symbol.name,
                kind=symbol["st_info"]["type"],
                address=symbol["st_value"],
                size_bytes=symbol["st_size"],
                section=where,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShare:
    """The model and runtime objects' part of an image; `functions` are the names of their functions in it, `ram_bytes`
    without the `fast_bytes` in a second memory region."""

    flash_bytes: int
    ram_bytes: int
    functions: frozenset[str]
    fast_bytes: int = 0


def model_share(image: Elf, objects: Iterable[Path]) -> ModelShare:
    """Adds up the sections of the model's objects that the linker kept.

    Objects are compiled with one section per function and table; a section was kept when a symbol it defines is in the
    image with the same size. Sections without symbols (merged strings) of an object that was kept count in full, and
    so does a section whose symbol shares name and size with another object's: the share is never too small.
    """
    in_image = {(symbol.name, symbol.kind, symbol.size_bytes) for symbol in image.symbols}
    flash = ram = fast = 0
    functions: set[str] = set()
    for path in objects:
        file = read_elf(path)
        defined: dict[int, list[Symbol]] = {}
        for symbol in file.symbols:
            if symbol.kind in ("STT_FUNC", "STT_OBJECT"):
                defined.setdefault(symbol.section, []).append(symbol)
        kept = {
            index
            for index, symbols in defined.items()
            if any((symbol.name, symbol.kind, symbol.size_bytes) in in_image for symbol in symbols)
        }
        for section in file.sections:
            if section.index in kept or (kept and section.index not in defined):
                kind = kind_of(section)
                flash += section.size_bytes if kind in ("text", "rodata", "data") else 0
                stored = section.size_bytes if kind in ("data", "bss") else 0
                fast, ram = (fast + stored, ram) if is_fast(section) else (fast, ram + stored)
        functions |= {symbol.name for index in kept for symbol in defined[index] if symbol.kind == "STT_FUNC"}
    return ModelShare(flash_bytes=flash, ram_bytes=ram, functions=frozenset(functions), fast_bytes=fast)


def rest_share(image: Elf, objects: Iterable[Path]) -> ModelShare:
    """All of an image but the bench firmware's own `objects`: a model that is linked with an interpreter, and what that
    takes from the C and C++ libraries."""
    own = model_share(image, objects)
    data = image.size_of("data")
    return ModelShare(
        flash_bytes=image.size_of("text") + image.size_of("rodata") + data - own.flash_bytes,
        ram_bytes=data + image.size_of("bss") - own.ram_bytes,
        functions=frozenset(symbol.name for symbol in image.symbols if symbol.kind == "STT_FUNC") - own.functions,
    )

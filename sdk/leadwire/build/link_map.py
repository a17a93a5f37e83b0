"""The linker's map: which objects, of the project and of libraries, have bytes in the image, and how many.

Two forms are read: LLD's (columns VMA LMA Size Align, then output section, input section and symbol, each further to
the right) and GNU ld's (input section, address, size and file, the name on a line of its own where it is long).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from leadwire.artifacts import LinkedObject, sha256_hex
from leadwire.build.elf import Elf, kind_of

_LLD_OUTPUT = re.compile(r" *[0-9a-f]+ +[0-9a-f]+ +[0-9a-f]+ +\d+ (?P<name>\.\S+)$")
_LLD_INPUT = re.compile(r" *[0-9a-f]+ +[0-9a-f]+ +(?P<size>[0-9a-f]+) +\d+ {9}(?P<file>\S.*):\([^()]*\)$")
_GNU_OUTPUT = re.compile(r"(?P<name>\.\S+)(?: +0x[0-9a-f]+ +0x[0-9a-f]+.*)?$")
_GNU_INPUT = re.compile(r" (?:\S+)? +0x[0-9a-f]+ +0x(?P<size>[0-9a-f]+) (?P<file>\S.*)$")
_MEMBER = re.compile(r"(?P<archive>.+\.a)\((?P<member>.+)\)$")
_FOLDER = re.compile(r"(?<![\w.])/(?:[^\s/:()]+/)+")
_IN_FLASH, _IN_RAM = ("text", "rodata", "data"), ("data", "bss")


def without_folders(text: str, folders: Iterable[Path] = ()) -> str:
    """The text with absolute paths cut to their last part: where a tool lies on one machine is no evidence."""
    for folder in folders:
        text = text.replace(f"{folder}/", "")
    return _FOLDER.sub("", text)


def linked_objects(
    text: str, elf: Elf, sources: Mapping[str, tuple[str, bytes]], cache: Path
) -> tuple[LinkedObject, ...]:
    """What the map says, sorted by archive and name. `sources` gives source name and bytes by object name; a library
    inside `cache` was compiled by the toolchain on this machine and has no digest of its own."""
    kinds = {section.name: kind_of(section) for section in elf.sections}
    sizes: dict[str, list[int]] = {}
    for section, file, size in _contributions(text):
        of_file = sizes.setdefault(file, [0, 0])
        of_file[0] += size * (kinds.get(section) in _IN_FLASH)
        of_file[1] += size * (kinds.get(section) in _IN_RAM)
    found = [_object(file, flash, ram, sources, cache) for file, (flash, ram) in sizes.items() if flash or ram]
    return tuple(sorted(found, key=lambda one: (one.archive, one.name)))


def _object(
    file: str, flash_bytes: int, ram_bytes: int, sources: Mapping[str, tuple[str, bytes]], cache: Path
) -> LinkedObject:
    member = _MEMBER.fullmatch(file)
    if member is None:
        source, data = sources.get(file, ("", b""))
        digest = sha256_hex(data) if source else ""
        return LinkedObject(
            name=file, source=source, archive="", digest=digest, flash_bytes=flash_bytes, ram_bytes=ram_bytes
        )
    archive = Path(member["archive"])
    shipped = archive.is_file() and not archive.resolve().is_relative_to(cache.resolve())
    return LinkedObject(
        name=Path(member["member"]).name,
        source="",
        archive=archive.name,
        digest=sha256_hex(archive.read_bytes()) if shipped else "",
        flash_bytes=flash_bytes,
        ram_bytes=ram_bytes,
    )


def _contributions(text: str) -> Iterator[tuple[str, str, int]]:
    """(output section, file, bytes) of each piece that a file gave; what the linker itself adds is left out."""
    gnu = "\nLinker script and memory map\n" in text
    lines = text.partition("\nLinker script and memory map\n")[2] if gnu else text
    output, given = (_GNU_OUTPUT, _GNU_INPUT) if gnu else (_LLD_OUTPUT, _LLD_INPUT)
    section = ""
    for line in lines.splitlines():
        if start := output.match(line):
            section = start["name"]
        elif (piece := given.match(line)) and not piece["file"].startswith(("<internal>", "linker stubs")):
            yield section, piece["file"], int(piece["size"], 16)

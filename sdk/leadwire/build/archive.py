"""Static libraries: the global symbols of an ar archive, and for which machine its objects are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import ARMAttributesSection

from leadwire.artifacts import sha256_hex
from leadwire.errors import BuildError

_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60
_MAX_BYTES = 256 << 20
_MACHINES = {
    "EM_ARM": "arm",
    "EM_X86_64": "x86-64",
    "EM_AARCH64": "aarch64",
    "EM_RISCV": "riscv",
    "EM_XTENSA": "xtensa",
}
_REMEDY = "build libtensorflow-microlite.a again with GNU or LLVM ar, not as a thin archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """`machine` is arm, x86-64, ...; `hard_float` None where its objects do not say. `symbols` are the defined ones."""

    path: Path
    digest: str
    machine: str
    hard_float: bool | None
    symbols: frozenset[str]


def read_library(path: Path) -> Library:
    """BuildError where the file is no archive of ELF objects with an index."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BuildError(f"library '{path}' has {path.stat().st_size} B, more than {_MAX_BYTES}", hint=_REMEDY)
        data = path.read_bytes()
    except OSError as error:
        raise BuildError(f"library '{path}' cannot be read: {error.strerror}", hint=_REMEDY) from error
    if not data.startswith(_MAGIC):
        raise BuildError(f"library '{path}' is no ar archive", hint=_REMEDY)
    members = list(_members(path, data))
    index = next((body for name, body in members if name in ("/", "/SYM64/")), None)
    objects = [body for _, body in members if body.startswith(b"\x7fELF")]
    if index is None or not objects:
        raise BuildError(f"library '{path}' has no {'objects' if index else 'index of symbols'}", hint=_REMEDY)
    wide = members[0][0] == "/SYM64/"
    machine, hard_float = _target(path, objects)
    return Library(
        path=path, digest=sha256_hex(data), machine=machine, hard_float=hard_float, symbols=_indexed(path, index, wide)
    )


def _members(path: Path, data: bytes) -> Iterator[tuple[str, bytes]]:
    at = len(_MAGIC)
    while at + _HEADER_BYTES <= len(data):
        header = data[at : at + _HEADER_BYTES]
        size = header[48:58].strip()
        if header[58:] != b"`\n" or not re.fullmatch(rb"\d+", size) or at + _HEADER_BYTES + int(size) > len(data):
            raise BuildError(f"library '{path}' is damaged at byte {at}", hint=_REMEDY)
        begin = at + _HEADER_BYTES
        yield header[:16].decode("ascii", "replace").rstrip(), data[begin : begin + int(size)]
        at = begin + int(size) + int(size) % 2


def _indexed(path: Path, index: bytes, wide: bool) -> frozenset[str]:
    word = 8 if wide else 4
    count = int.from_bytes(index[:word], "big")
    if (count + 1) * word > len(index):
        raise BuildError(f"library '{path}' has a damaged index of symbols", hint=_REMEDY)
    names = index[(count + 1) * word :].split(b"\0")[:count]
    return frozenset(name.decode("utf-8", "replace") for name in names)


def _target(path: Path, objects: list[bytes]) -> tuple[str, bool | None]:
    """Of the first object; whether floats are passed in registers from the first one that says so."""
    try:
        machine = str(ELFFile(BytesIO(objects[0])).header["e_machine"])
        if machine != "EM_ARM":
            return _MACHINES.get(machine, machine), None
        return "arm", any(_passes_floats_in_registers(ELFFile(BytesIO(one))) for one in objects)
    except (ELFError, ValueError, KeyError) as error:
        raise BuildError(f"library '{path}' holds an object that cannot be read: {error}", hint=_REMEDY) from error


def _passes_floats_in_registers(elf: ELFFile) -> bool:
    """Tag_ABI_VFP_args of the Arm build attributes (ADDENDA32, 1: the hard-float variant)."""
    section = elf.get_section_by_name(".ARM.attributes")
    if not isinstance(section, ARMAttributesSection):
        return False
    return any(
        attribute.tag == "TAG_ABI_VFP_ARGS" and attribute.value == 1
        for subsection in section.iter_subsections()
        for part in subsection.iter_subsubsections()
        for attribute in part.iter_attributes()
    )

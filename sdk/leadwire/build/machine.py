"""Whether an ELF was compiled for a board's core: its machine, and what its build attributes say of its instructions.

Arm: ABI for the Arm Architecture, Addenda (IHI 0045), build attributes Tag_CPU_arch and Tag_FP_arch. RISC-V: the ELF
psABI's e_flags and the attribute Tag_RISCV_arch. An ELF without attributes is judged by its machine alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from elftools.elf.elffile import ELFFile

from leadwire.board import Board
from leadwire.emulator.elf import check_counts, malformed
from leadwire.errors import BadInputError

_V6M, _V6SM, _V7, _V7EM = 11, 12, 10, 13
_V8M_BASE, _V8M_MAIN, _V81M_MAIN = 16, 17, 21
_RUNS: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        "cortex-m0": frozenset({_V6M, _V6SM}),
        "cortex-m0+": frozenset({_V6M, _V6SM}),
        "cortex-m23": frozenset({_V6M, _V6SM, _V8M_BASE}),
        "cortex-m3": frozenset({_V6M, _V6SM, _V7}),
        "cortex-m4": frozenset({_V6M, _V6SM, _V7, _V7EM}),
        "cortex-m7": frozenset({_V6M, _V6SM, _V7, _V7EM}),
        "cortex-m33": frozenset({_V6M, _V6SM, _V7, _V7EM, _V8M_BASE, _V8M_MAIN}),
        "cortex-m55": frozenset({_V6M, _V6SM, _V7, _V7EM, _V8M_BASE, _V8M_MAIN, _V81M_MAIN}),
        "cortex-m85": frozenset({_V6M, _V6SM, _V7, _V7EM, _V8M_BASE, _V8M_MAIN, _V81M_MAIN}),
    }
)
"""Tag_CPU_arch that a core executes."""
_ALWAYS_FLOATS = ("cortex-m55", "cortex-m85")
_SINGLE_LETTERS = "imafdqcbvhe"


def check_machine(path: Path, board: Board) -> None:
    """BadInputError where the code is for another machine, or for more than the board's core has."""
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            check_counts(elf)
            wrong = _wrong(elf, board.core)
    except malformed() as error:
        raise BadInputError(
            f"firmware image '{path}': not a valid ELF file ({type(error).__name__})", hint="build the image again"
        ) from error
    if wrong:
        raise BadInputError(
            f"firmware image '{path}' is not for board '{board.id}': {wrong}", hint="build it for this board's target"
        )


def _wrong(elf: Any, core: str) -> str:
    """What does not fit, '' where nothing is known to."""
    machine = elf["e_machine"]
    wanted = "EM_RISCV" if core.startswith("rv32") else "EM_XTENSA" if core.startswith("xtensa") else "EM_ARM"
    if machine != wanted or elf.elfclass != 32 or not elf.little_endian:
        order = "little" if elf.little_endian else "big"
        return f"{machine}, {elf.elfclass} bits, {order}-endian; its core {core} is {wanted}, 32 bits, little-endian"
    if elf["e_type"] != "ET_EXEC":
        return f"{elf['e_type']}, not a linked executable (ET_EXEC)"
    if wanted == "EM_ARM":
        return _wrong_arm(_attributes(elf, ".ARM.attributes"), core)
    if wanted == "EM_RISCV":
        floats = elf["e_flags"] & 0x0006
        if floats:
            return f"its floating-point ABI (e_flags {elf['e_flags']:#x}) wants registers that {core} does not have"
        return _wrong_riscv(_attributes(elf, ".riscv.attributes"), core)
    return ""


def _attributes(elf: Any, name: str) -> dict[str, Any]:
    """Tag to value of the whole file."""
    section = elf.get_section_by_name(name)
    if section is None or not hasattr(section, "iter_subsections"):
        return {}
    return {
        attribute.tag: attribute.value
        for subsection in section.iter_subsections()
        for scope in subsection.iter_subsubsections()
        for attribute in scope.iter_attributes()
    }


def _wrong_arm(attributes: dict[str, Any], core: str) -> str:
    architecture, floats = attributes.get("TAG_CPU_ARCH"), attributes.get("TAG_FP_ARCH", 0)
    runs = _RUNS.get(core.removesuffix("f"), frozenset())
    if architecture is not None and runs and architecture not in runs:
        name = attributes.get("TAG_CPU_NAME", "")
        return f"compiled for {name or 'another core'} (Tag_CPU_arch {architecture}), its core is {core}"
    if floats and not (core.endswith("f") or core in _ALWAYS_FLOATS):
        return f"compiled for a floating-point unit (Tag_FP_arch {floats}), which its core {core} does not have"
    return ""


def _wrong_riscv(attributes: dict[str, Any], core: str) -> str:
    found = re.fullmatch(r"rv(32|64)([a-z0-9_]+)", str(attributes.get("TAG_ARCH", "")))
    if found is None:
        return ""
    has = set(core.removeprefix("rv32"))
    wants = {part[0] for part in found[2].split("_") if re.fullmatch(r"[a-z](\d+(p\d+)?)?", part)}
    more = sorted((wants & set(_SINGLE_LETTERS)) - has)
    return f"compiled with the extensions {', '.join(more)}, which its core {core} does not have" if more else ""

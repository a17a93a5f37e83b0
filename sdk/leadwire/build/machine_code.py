"""What the functions of a linked image call, push and compute as constants, read from their instructions.

Thumb (Armv6-M to Armv8.1-M) and RV32 with compressed instructions. Instructions that the disassembler does not know,
such as MVE's, are stepped over by the length that their first halfword tells: calls and stack pointer arithmetic are
none of those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from leadwire.build.elf import Elf

_TARGET = re.compile(r"#(0x[0-9a-f]+|\d+)$")
_SUBTRACT = re.compile(r"^(?:sp, )?(?:sp, )?#(0x[0-9a-f]+|\d+)$")
_PRE_DECREMENT = re.compile(r"\[sp, #-(0x[0-9a-f]+|\d+)\]!$")
_REGISTER_RANGE = re.compile(r"([rsd])(\d+)-[rsd](\d+)")
_CONDITIONS = ("eq", "ne", "hs", "lo", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")
_BRANCHES = frozenset(["b", *("b" + condition for condition in _CONDITIONS)])
_RISCV_BRANCHES = frozenset(
    ("beq", "bne", "blt", "bge", "bltu", "bgeu", "beqz", "bnez", "blez", "bgez", "bltz", "bgtz", "c.beqz", "c.bnez")
)
_RISCV_STORES = ("sw", "sh", "sb")


@dataclass(slots=True)
class Function:
    """`start` without Thumb's bit. `frame`: what the compiler says, `pushed`: what the code shows."""

    name: str
    start: int
    end: int
    frame: int | None = None
    pushed: int = 0
    variable: bool = False
    calls: set[int] = field(default_factory=set)
    indirect: bool = False
    materialized: set[int] = field(default_factory=set)
    """Constants that the code builds from two halves: addresses of functions may be among them."""


def is_riscv(core: str) -> bool:
    return core.startswith("rv32")


def read_code(elf: Elf, function: Function, core: str) -> None:
    """Adds to `function` what its instructions say, on a core of leadwire.build.cores."""
    if is_riscv(core):
        _read_riscv(elf, function)
    else:
        _read_thumb(elf, function)


def _read_thumb(elf: Elf, function: Function) -> None:
    low_halves: dict[str, int] = {}
    for _, mnemonic, operands in _instructions(elf, function, riscv=False):
        name = mnemonic.removesuffix(".w").removesuffix(".n")
        if name in ("bl", "blx", "bx") or name in _BRANCHES:
            target = _TARGET.search(operands)
            if target is None:
                function.indirect |= name != "bl" and operands != "lr"
            else:
                _add_call(function, int(target[1], 0), linked=name in ("bl", "blx"))
        elif name in ("mov", "ldr") and operands.startswith("pc,"):
            function.indirect |= not operands.startswith("pc, [sp]")  # which is a return
        elif name == "movw":
            register, value = operands.split(", #")
            low_halves[register] = int(value, 0)
        elif name == "movt":
            register, value = operands.split(", #")
            function.materialized.add(int(value, 0) << 16 | low_halves.get(register, 0))
        else:
            _add_push(function, name, operands)


def _add_call(function: Function, target: int, *, linked: bool) -> None:
    """A branch into the function itself is none, linked or not: `bl` is the far branch of Armv6-M."""
    if (linked and target == function.start) or not function.start <= target < function.end:
        function.calls.add(target)


def _add_push(function: Function, name: str, operands: str) -> None:
    if name in ("push", "vpush") or (name == "stmdb" and operands.startswith("sp!")):
        function.pushed += _register_bytes(operands)
    elif name in ("sub", "subw", "sub.w") and operands.startswith("sp"):
        amount = _SUBTRACT.match(operands.removeprefix("sp, "))
        if amount:
            function.pushed += int(amount[1], 0)
        else:
            function.variable = function.frame is None
    elif name in ("str", "strd", "vstmdb") and (step := _PRE_DECREMENT.search(operands)):
        function.pushed += int(step[1], 0)


def _register_bytes(operands: str) -> int:
    """Bytes of a register list like '{r4, r5, lr}' or '{d8-d10}'."""
    listed = operands[operands.index("{") + 1 : operands.index("}")].split(", ")
    total = 0
    for register in listed:
        span = _REGISTER_RANGE.fullmatch(register)
        count = int(span[3]) - int(span[2]) + 1 if span else 1
        total += count * (8 if register.startswith("d") else 4)
    return total


def _read_riscv(elf: Elf, function: Function) -> None:
    """Far calls and addresses are built by lui or auipc and a second instruction that adds the low part. `known` are
    the registers that hold such a value."""
    known: dict[str, int] = {}
    for address, name, operands in _instructions(elf, function, riscv=True):
        words = operands.split(", ")
        if name in ("jal", "c.jal", "j", "c.j"):
            linked = name in ("jal", "c.jal") and words[0] != "zero"
            _add_call(function, address + int(words[-1], 0), linked=linked)
        elif name in _RISCV_BRANCHES:
            _add_call(function, address + int(words[-1], 0), linked=False)
        elif name in ("jalr", "jr", "c.jalr", "c.jr"):
            _jump(function, name, words, known)
        elif name in ("lui", "c.lui"):
            known[words[0]] = int(words[1], 0) << 12 & 0xFFFFFFFF
        elif name == "auipc":
            known[words[0]] = address + (int(words[1], 0) << 12) & 0xFFFFFFFF
        elif name in ("addi", "c.addi", "c.addi16sp", "mv"):
            source, amount = (words[-1], 0) if name == "mv" else (words[-2], int(words[-1], 0))
            if words[0] == source == "sp":
                function.pushed += max(0, -amount)
            elif source in known:
                known[words[0]] = known[source] + amount & 0xFFFFFFFF
                function.materialized.add(known[words[0]])
            else:
                known.pop(words[0], None)
        elif words[0] == "sp" and name in ("sub", "add", "c.add", "c.sub"):
            function.variable = function.frame is None
        elif not name.removeprefix("c.").startswith(_RISCV_STORES):
            known.pop(words[0], None)


def _jump(function: Function, name: str, words: list[str], known: dict[str, int]) -> None:
    """jalr [rd,] base [, offset]: a far call where the base is known, a return through ra where it is not. A call
    leaves its return address in ra."""
    if name == "jalr" and len(words) == 3:
        base, offset, linked = words[1], int(words[2], 0), words[0] != "zero"
    else:
        base, offset, linked = words[0], 0, "jalr" in name
    if base in known:
        _add_call(function, known[base] + offset & 0xFFFFFFFF, linked=linked)
    else:
        function.indirect |= linked or base != "ra"
    if linked:
        known.pop("ra", None)


def _instructions(elf: Elf, function: Function, *, riscv: bool) -> Iterator[tuple[int, str, str]]:
    from capstone import CS_ARCH_ARM, CS_ARCH_RISCV, CS_MODE_MCLASS, CS_MODE_RISCV32, CS_MODE_RISCVC, CS_MODE_THUMB, Cs

    section = next(
        (s for s in elf.sections if s.executable and s.address <= function.start < s.address + s.size_bytes), None
    )
    if section is None:
        return
    if riscv:
        engine = Cs(CS_ARCH_RISCV, CS_MODE_RISCV32 | CS_MODE_RISCVC)
    else:
        engine = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    for begin, end in _code_ranges(elf, function, "$x" if riscv else "$t"):
        code = section.data[begin - section.address : end - section.address]
        at = 0
        while at + 2 <= len(code):
            for address, length, mnemonic, operands in engine.disasm_lite(code[at:], begin + at):
                at = address + length - begin
                yield address, mnemonic, operands
            if at + 2 <= len(code):
                at += _length(code[at], code[at + 1], riscv=riscv)


def _length(low: int, high: int, *, riscv: bool) -> int:
    """Of an instruction by its first halfword (DDI 0403E A5.1; RISC-V unprivileged 20191213, 1.5)."""
    if riscv:
        return 4 if low & 3 == 3 else 2
    return 4 if high >> 3 in (0b11101, 0b11110, 0b11111) else 2


def _code_ranges(elf: Elf, function: Function, code_mark: str) -> Iterator[tuple[int, int]]:
    """The parts of a function that are instructions: literal pools follow the mapping symbol $d (AAELF32 5.5.5)."""
    marks = sorted(
        (symbol.address & ~1, symbol.name[:2] == code_mark)
        for symbol in elf.symbols
        if symbol.name[:2] in (code_mark, "$d") and function.start < symbol.address & ~1 < function.end
    )
    begin, is_code = function.start, True
    for address, code_follows in [*marks, (function.end, False)]:
        if is_code and address > begin:
            yield begin, address
        begin, is_code = address, code_follows

"""Cortex-M4 timing model: how many instructions a block has and about how many cycles they take.

Counts are exact: the length of a Thumb instruction follows from its first halfword (Armv7-M ARM, A5.1), and an
instruction skipped by IT is issued and counts. Cycles are an estimate from the instruction tables of the Cortex-M4
Technical Reference Manual (Arm DDI 0439, 3.3 and 7.2.3) with zero wait states; docs/manual/timing-model.md states every
figure and the error band.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

EXCEPTION_ENTRY_CYCLES = 12
EXCEPTION_RETURN_CYCLES = 10
TAIL_CHAIN_CYCLES = 6
DIRECT_BRANCH_PENALTY = 1
INDIRECT_BRANCH_PENALTY = 2

_CONDITIONS = "eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le"
_CONDITIONAL_BRANCH = re.compile(rf"^(?:b(?:{_CONDITIONS})|cbn?z)$")
_CONDITIONAL_TAIL = re.compile(rf"^(?:bx|blx|bl|pop|ldm(?:ia|db)?|ldr|mov|tb[bh])(?:{_CONDITIONS})$")
_LOAD = re.compile(rf"^ldr(?:s?[bh])?t?(?:ex[bh]?)?(?:{_CONDITIONS})?$")
_STORE = re.compile(rf"^str(?:[bh])?t?(?:ex[bh]?)?(?:{_CONDITIONS})?$")
_MULTIPLE = re.compile(r"^(?:v?ldm|v?stm|v?push|v?pop)")
_FIXED: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"^(?:ldrd|strd)"), 3),
    (re.compile(r"^[su]div"), 7),
    (re.compile(r"^v(?:div|sqrt)"), 14),
    (re.compile(r"^v(?:f?n?m[ls]|fn?m)[as]"), 3),
    (re.compile(r"^v(?:ldr|str)"), 2),
    (re.compile(r"^(?:dsb|dmb|isb)"), 4),
    (re.compile(r"^(?:msr|mrs|cps)"), 2),
)
"""First match wins; all other data processing takes one cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction of a block."""

    address: int
    size_bytes: int
    cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Straight-line code. `conditional`: the last instruction is a branch that may fall through; taking it costs
    `penalty` more cycles. `fpu_address` is the first floating-point instruction, None without one."""

    address: int
    end: int
    steps: tuple[Step, ...]
    conditional: bool
    penalty: int
    fpu_address: int | None

    @property
    def instructions(self) -> int:
        return len(self.steps)

    @property
    def cycles(self) -> int:
        return sum(step.cycles for step in self.steps)

    def remainder(self, address: int) -> tuple[int, int]:
        """Instructions and cycles from `address` to the end: what a stop in mid-block has not executed."""
        if not self.address <= address < self.end:
            return 0, 0
        rest = [step.cycles for step in self.steps if step.address >= address]
        return len(rest), sum(rest)


def split(address: int, code: bytes) -> Iterator[tuple[int, int]]:
    """(address, size in bytes) of each Thumb instruction in `code`; a last cut instruction counts as one."""
    offset = 0
    while offset < len(code):
        size = 4 if code[offset + 1] >> 3 in (0b11101, 0b11110, 0b11111) else 2
        yield address + offset, min(size, len(code) - offset)
        offset += size


class TimingModel:
    """Decodes blocks of Thumb-2 code with capstone, the only user of it in the emulator."""

    def __init__(self) -> None:
        import capstone

        mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        self._decoder = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        self._detailed = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        self._detailed.detail = True
        self._memory_operand = capstone.CS_OP_MEM

    def block(self, address: int, code: bytes) -> Block:
        """The block of `code` at `address`. Instructions capstone does not know take one cycle."""
        texts = {at: (name, text) for at, _, name, text in self._decoder.disasm_lite(code, address)}
        steps: list[Step] = []
        loaded = ""
        narrow = False
        fpu_address: int | None = None
        name = text = ""
        for at, size in split(address, code):
            name, text = texts.get(at, ("", ""))
            name = name.removesuffix(".w").removesuffix(".n")
            if fpu_address is None and is_fpu(code[at - address : at - address + size]):
                fpu_address = at
            cycles = _cycles(name, text, pipelined=bool(loaded) and not _address_uses(text, loaded), folded=narrow)
            steps.append(Step(address=at, size_bytes=size, cycles=cycles))
            loaded = text.split(",", 1)[0] if _LOAD.match(name) else ""
            narrow = size == 2
        direct = bool(_CONDITIONAL_BRANCH.match(name))
        tail = bool(_CONDITIONAL_TAIL.match(name)) and _leaves(name, text)
        return Block(
            address=address,
            end=address + len(code),
            steps=tuple(steps),
            conditional=direct or tail,
            penalty=DIRECT_BRANCH_PENALTY if direct else INDIRECT_BRANCH_PENALTY,
            fpu_address=fpu_address,
        )

    def access_address(self, code: bytes, is_write: bool, register: Callable[[str], int]) -> int | None:
        """Where the load or store that `code` starts with goes, None for another instruction."""
        instruction = next(self._detailed.disasm(code, 0, count=1), None)
        if instruction is None or not instruction.mnemonic.startswith("str" if is_write else "ldr"):
            return None
        for operand in instruction.operands:
            if operand.type == self._memory_operand:
                post = instruction.post_index
                index = register(instruction.reg_name(operand.mem.index)) if operand.mem.index else 0
                offset = 0 if post else (index << operand.shift.value) + operand.mem.disp
                return (register(instruction.reg_name(operand.mem.base)) + offset) & 0xFFFFFFFF
        return None


def is_fpu(instruction: bytes) -> bool:
    """Whether these 4 bytes are an instruction of coprocessor 10 or 11 (Armv7-M ARM, A5.3.18 and A6)."""
    if len(instruction) != 4:
        return False
    first, second = int.from_bytes(instruction[:2], "little"), int.from_bytes(instruction[2:], "little")
    return first & 0xEC00 == 0xEC00 and first & 0x0300 != 0x0300 and (second >> 8) & 0xF in (10, 11)


def _cycles(name: str, text: str, *, pipelined: bool, folded: bool) -> int:
    if _MULTIPLE.match(name):
        registers = text[text.find("{") :].count(",") + 1
        return 1 + registers + (INDIRECT_BRANCH_PENALTY if _always_leaves(name, text) else 0)
    if name in ("b", "bl"):
        return 1 + DIRECT_BRANCH_PENALTY
    if name in ("bx", "blx"):
        return 1 + INDIRECT_BRANCH_PENALTY
    if name in ("tbb", "tbh"):
        return 2 + INDIRECT_BRANCH_PENALTY
    if _LOAD.match(name):
        return (1 if pipelined else 2) + (INDIRECT_BRANCH_PENALTY if _always_leaves(name, text) else 0)
    if _STORE.match(name):
        return 1
    if name.startswith("it"):
        return 0 if folded else 1
    for pattern, cycles in _FIXED:
        if pattern.match(name):
            return cycles
    return 1 + (INDIRECT_BRANCH_PENALTY if _always_leaves(name, text) else 0)


def _leaves(name: str, text: str) -> bool:
    """Whether the instruction writes PC."""
    if name.startswith(("b", "tb")):
        return True
    if "{" in text:
        return "pc" in text[text.find("{") :]
    return text.startswith("pc,") and not name.startswith(("str", "cmp", "tst"))


def _always_leaves(name: str, text: str) -> bool:
    return _leaves(name, text) and not _CONDITIONAL_TAIL.match(name) and not name.startswith("b")


def _address_uses(text: str, register: str) -> bool:
    """Whether the address operand of a load or store ('[r0, r1]') needs `register`: then it cannot be pipelined."""
    bracket = text[text.find("[") :] if "[" in text else ""
    return re.search(rf"\b{register}\b", bracket) is not None

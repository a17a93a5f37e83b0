"""Worst-case stack depth: frame sizes from the compiler, call graph from the machine code of the linked image.

Frames come from clang's `.stack_sizes` section or gcc's -fstack-usage files; for functions that have neither (the
compiler's own library) they are read from the code, as the sum of everything it pushes or subtracts. Calls are `bl` and
branches that leave a function. The only indirect calls that an image of ours should have are those of the application
through the model's descriptor, to the functions it names, and those of the model: through its table of steps, to every
other function of the model whose address is stored somewhere, or to init() and infer() as the self-test does (but not
back to a function that leads to the caller: leadwire.h forbids recursion). Whatever else turns up, recursion by direct
calls, a frame of variable size or an indirect call without a known target, is stated in the notes: then the figure is
not a bound.

A model that is linked with an interpreter is full of virtual calls. There an operator's kernel, told by the signature
in its name, is reached from the loop over operators alone, and any other indirect call reaches every other
function whose address is stored, `_LEVELS` of them in a chain: kernel, context, allocator and one to spare. Such a
figure is an estimate, and its note says so.

The bound is the deepest chain from the reset handler, plus one exception frame, plus the deepest interrupt handler:
all interrupts of ours have the same priority and do not nest.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leadwire.artifacts import StackBound
from leadwire.build.cores import Core
from leadwire.build.elf import Elf, ModelShare
from leadwire.build.machine_code import Function, is_riscv, read_code

_LEVELS = 4
_KERNEL = re.compile(r"P(NS\d*_)?13TfLiteContextE?P((NS\d*_)?10TfLiteNodeE?|Kc[jmy])(\.|$)")
_OPERATOR_LOOP = re.compile(r"MicroInterpreterGraph|run_operator")
_APART = re.compile(r"MicroInterpreterGraph|run_operator|^lw_")
_FOLLOWED = f"virtual calls of the interpreter are followed by name and {_LEVELS} in a chain: an estimate"


def usage_frames(files: Iterable[Path]) -> dict[str, int]:
    """Function name to frame in bytes from gcc's .su files; the larger one where a name comes twice."""
    frames: dict[str, int] = {}
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            location, size, kind = line.split("\t")
            name = location.rsplit(":", 1)[1]
            if "dynamic" not in kind or "bounded" in kind:
                frames[name] = max(frames.get(name, 0), int(size))
    return frames


def section_frames(elf: Elf) -> dict[int, int]:
    """Function address to frame in bytes from clang's .stack_sizes: (address, unsigned LEB128) pairs."""
    section = elf.section(".stack_sizes")
    data = section.data if section else b""
    frames: dict[int, int] = {}
    at = 0
    while at + 4 < len(data):
        address, size, shift = int.from_bytes(data[at : at + 4], "little") & ~1, 0, 0
        at += 4
        while at < len(data):
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        frames[address] = size
    return frames


def stack_bound(
    elf: Elf, core: Core, share: ModelShare, usage: Mapping[str, int], *, interpreter: bool = False
) -> StackBound:
    """The bound of an image that starts at its entry point. `usage` are the frames of `usage_frames`; with an
    `interpreter`, `share` holds all but the bench firmware."""
    functions = _functions(elf)
    by_section = section_frames(elf)
    for function in functions.values():
        function.frame = by_section.get(function.start, usage.get(function.name))
    notes: list[str] = []
    virtual: dict[int, frozenset[int]] = {}
    graph = _call_graph(elf, core, functions, share, notes, virtual if interpreter else None)
    walk = _Walk(functions=functions, graph=graph, virtual=virtual, notes=notes)
    if virtual:
        notes.append(_FOLLOWED)
    entry = elf.entry & ~1
    handlers = _handlers(elf, core, functions) - {entry}
    depth, path = walk.deepest(entry) if entry in functions else (0, ())
    if handlers:
        deepest = max((walk.deepest(handler) for handler in sorted(handlers)), key=lambda found: found[0])
        depth += core.exception_frame_bytes + deepest[0]
        path = (*path, "(interrupt)", *deepest[1])
    if entry not in functions:
        notes.append("the entry point is not a function of the image")
    return StackBound(bytes=depth, path=path, notes=tuple(dict.fromkeys(notes)))


def _functions(elf: Elf) -> dict[int, Function]:
    found: dict[int, Function] = {}
    for symbol in elf.symbols:
        if symbol.kind == "STT_FUNC" and symbol.size_bytes:
            start = symbol.address & ~1
            known = found.get(start)
            if known is None or symbol.size_bytes > known.end - known.start:
                found[start] = Function(name=symbol.name, start=start, end=start + symbol.size_bytes)
    return found


def _call_graph(
    elf: Elf,
    core: Core,
    functions: dict[int, Function],
    share: ModelShare,
    notes: list[str],
    virtual: dict[int, frozenset[int]] | None,
) -> dict[int, tuple[int, ...]]:
    """Calls of every function; with `virtual`, an interpreter's indirect calls are put there instead."""
    for function in functions.values():
        read_code(elf, function, core.name)
    stored = _stored_functions(elf, functions, thumb_bit=0 if is_riscv(core.name) else 1)
    model = {start for start in stored if functions[start].name in share.functions}
    descriptor = [address & ~1 for address in _descriptor_slots(elf)]
    steps = model - set(descriptor)
    kernels = {start for start in steps if _KERNEL.search(functions[start].name)}
    others = frozenset(start for start in steps - kernels if not _APART.search(functions[start].name))
    starts = sorted(functions)
    direct = {
        start: {target for call in function.calls if (target := _containing(call, starts, functions)) is not None}
        for start, function in functions.items()
    }
    graph: dict[int, tuple[int, ...]] = {}
    for start, function in functions.items():
        targets = direct[start]
        if function.indirect:
            if function.name not in share.functions:
                reached = set(descriptor)
            elif virtual is not None:
                reached = _reached_by_interpreter(function, kernels, descriptor)
                virtual |= {} if reached else {start: others}
            else:
                reached = {each for each in steps | set(descriptor[:2]) if start not in _reachable(each, direct)}
            if not reached & functions.keys() and not (virtual and start in virtual):
                notes.append(f"indirect call in {function.name} without a known target")
            targets = targets | (reached & functions.keys())
        if function.variable:
            notes.append(f"{function.name} has a frame of variable size")
        graph[start] = tuple(sorted(targets))
    return graph


def _reached_by_interpreter(function: Function, kernels: set[int], descriptor: list[int]) -> set[int]:
    """What an indirect call is known to reach: kernels, or init() and infer() from the self-test; else nothing."""
    if function.name.startswith("lw_run_self_test"):
        return set(descriptor[:2])
    return kernels - {function.start} if _OPERATOR_LOOP.search(function.name) else set()


def _reachable(start: int, direct: Mapping[int, set[int]]) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        new = direct.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found


def _containing(address: int, starts: list[int], functions: Mapping[int, Function]) -> int | None:
    """The function that an address lies in: compilers also branch into the middle of one."""
    at = bisect_right(starts, address) - 1
    return starts[at] if at >= 0 and address < functions[starts[at]].end else None


def _words(data: bytes) -> Iterator[int]:
    return (word for (word,) in struct.iter_unpack("<I", data[: len(data) & ~3]))


def _stored_functions(elf: Elf, functions: Mapping[int, Function], *, thumb_bit: int) -> set[int]:
    """Functions whose address is stored in data or a literal pool, or built by code; the vector table is not asked."""
    stored: set[int] = set()
    for section in elf.sections:
        if section.loaded and section.in_file and section.name != ".vectors":
            stored |= {word & ~1 for word in _words(section.data) if word & 1 == thumb_bit}
    for function in functions.values():
        stored |= {value & ~1 for value in function.materialized if value & 1 == thumb_bit}
    return stored & functions.keys()


def _descriptor_slots(elf: Elf) -> list[int]:
    """init, infer, step, self_test, last_error: the five words before the last of the descriptor lw_model_<name>."""
    sections = {section.index: section for section in elf.sections}
    for symbol in elf.symbols:
        if symbol.kind == "STT_OBJECT" and symbol.name.startswith("lw_model_"):
            section = sections[symbol.section]
            begin = symbol.address - section.address
            return list(_words(section.data[begin : begin + symbol.size_bytes]))[-6:-1]
    return []


def _handlers(elf: Elf, core: Core, functions: Mapping[int, Function]) -> set[int]:
    """Of the vector table; a RISC-V core of ours has one, by name."""
    if is_riscv(core.name):
        return {start for start, function in functions.items() if function.name == "lw_trap_entry"}
    section = elf.section(".vectors")
    words = list(_words(section.data))[1:] if section else []
    return {word & ~1 for word in words} & functions.keys()


@dataclass(slots=True)
class _Walk:
    functions: Mapping[int, Function]
    graph: Mapping[int, tuple[int, ...]]
    virtual: Mapping[int, frozenset[int]]
    notes: list[str]
    known: dict[tuple[int, int], tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    open: list[int] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)

    def deepest(self, start: int, level: int = 0) -> tuple[int, tuple[str, ...]]:
        """Depth in bytes and names of the deepest chain from a function on, `level` virtual calls down."""
        if (start, level) in self.known:
            return self.known[start, level]
        function = self.functions[start]
        self.open.append(start)
        self.levels.append(level)
        best: tuple[int, tuple[str, ...]] = (0, ())
        if level < _LEVELS:
            for callee in sorted(self.virtual.get(start, frozenset()) - set(self.open)):
                best = max(best, self.deepest(callee, level + 1), key=lambda each: each[0])
        for callee in self.graph[start]:
            if callee in self.open and level != self.levels[self.open.index(callee)]:
                continue
            if callee in self.open:
                chain = [self.functions[at].name for at in self.open[self.open.index(callee) :]]
                self.notes.append(f"recursion: {' -> '.join([*chain, chain[0]])}")
                continue
            found = self.deepest(callee, level)
            best = max(best, found, key=lambda each: each[0])
        self.open.pop()
        self.levels.pop()
        own = function.frame if function.frame is not None else function.pushed
        self.known[start, level] = (own + best[0], (function.name, *best[1]))
        return self.known[start, level]

"""Generated C on an emulated Cortex-M4, without firmware around it: bytes out and instructions executed.

The model is compiled by zig (or arm-none-eabi-gcc) for the core and called in Unicorn, function by function.
Instructions are counted by blocks, those that an IT block skips included, as leadwire's own emulator does.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import capstone
import numpy as np
import unicorn
from elftools.elf.elffile import ELFFile
from unicorn import arm_const

from leadwire.artifacts import MemoryPlan
from leadwire.board import load_board
from leadwire.build.cores import CORES
from leadwire.build.toolchain import find_toolchain
from leadwire.generate import generate_project
from leadwire.model.graph import Model

MAIN = r"""
#include "model.h"
int8_t *input_at(uint32_t i);
int8_t *input_at(uint32_t i) { return LW_MODEL.inputs[i].data; }
int8_t *output_at(uint32_t i);
int8_t *output_at(uint32_t i) { return LW_MODEL.outputs[i].data; }
uint32_t start(void);
uint32_t start(void) { return (uint32_t)LW_MODEL.init(); }
uint32_t infer(void);
uint32_t infer(void) { return (uint32_t)LW_MODEL.infer(); }
uint32_t step(uint32_t i);
uint32_t step(uint32_t i) { return (uint32_t)LW_MODEL.step((uint16_t)i); }
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n);
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n)
{
    for (__SIZE_TYPE__ i = 0; i < n; i++) {
        ((volatile char *)to)[i] = ((const char *)from)[i];
    }
    return to;
}
void *memset(void *to, int value, __SIZE_TYPE__ n);
void *memset(void *to, int value, __SIZE_TYPE__ n)
{
    for (__SIZE_TYPE__ i = 0; i < n; i++) {
        ((volatile char *)to)[i] = (char)value;
    }
    return to;
}
"""
SCRIPT = """
ENTRY(infer)
SECTIONS {
  . = 0x08000000 ;
  .text : { *(.text*) *(.rodata*) }
  .ARM.exidx : { *(.ARM.exidx*) }
  . = 0x20000000 ;
  .data : { *(.data*) }
  .bss : { *(.bss*) *(COMMON) }
}
"""
_RETURN = 0x0FFF0000
_STACK = 0x30000000
_FOLDER = TemporaryDirectory(prefix="leadwire-core-")
_objects: dict[tuple[str, bytes], Path] = {}


@dataclass(slots=True)
class OnCore:
    """A linked model in an emulated core."""

    model: Model
    emulator: unicorn.Uc
    symbols: dict[str, int]
    flash_bytes: int = 0
    executed: int = 0
    accesses: list[tuple[bool, int, int]] | None = None
    lengths: dict[tuple[int, int], int] = field(default_factory=dict)

    def call(self, name: str, argument: int = 0) -> int:
        self.emulator.reg_write(arm_const.UC_ARM_REG_R0, argument)
        self.emulator.reg_write(arm_const.UC_ARM_REG_SP, _STACK + 0x10000)
        self.emulator.reg_write(arm_const.UC_ARM_REG_LR, _RETURN | 1)
        self.emulator.emu_start(self.symbols[name] | 1, _RETURN)
        return int(self.emulator.reg_read(arm_const.UC_ARM_REG_R0))

    def write(self, row: np.ndarray) -> None:
        offset = 0
        for position, tensor in enumerate(self.model.input_tensors):
            data = row[offset : offset + tensor.size_bytes].tobytes()
            self.emulator.mem_write(self.call("input_at", position), data)
            offset += tensor.size_bytes

    def steps(self, row: np.ndarray) -> list[int]:
        """Instructions of each operator."""
        self.write(row)
        counts = []
        for operator in self.model.operators:
            self.executed = 0
            assert self.call("step", operator.index) == 0
            counts.append(self.executed)
        return counts

    def trace(self, operator: int, row: np.ndarray) -> list[tuple[bool, int, int]] | None:
        """Accesses to memory by one operator, in order: whether it writes, address, bytes.

        None where the operator goes wrong under observation: Unicorn forgets an IT block in which an access is hooked.
        """
        self.write(row)
        if self.accesses is None:
            self.emulator.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, self._note)
        self.accesses = []
        try:
            assert self.call("step", operator) == 0
        except unicorn.UcError:
            return None
        return self.accesses

    def _note(self, uc: unicorn.Uc, access: int, address: int, size: int, value: int, _: object) -> None:
        assert self.accesses is not None
        self.accesses.append((access == unicorn.UC_MEM_WRITE, address, size))

    def infer(self, row: np.ndarray) -> tuple[bytes, int]:
        """Output bytes, and instructions executed by infer()."""
        self.write(row)
        self.executed = 0
        assert self.call("infer") == 0
        executed = self.executed
        places = [self.call("output_at", position) for position in range(len(self.model.outputs))]
        sizes = [tensor.size_bytes for tensor in self.model.output_tensors]
        return b"".join(bytes(self.emulator.mem_read(at, n)) for at, n in zip(places, sizes, strict=True)), executed

    def run(self, rows: np.ndarray) -> np.ndarray:
        return np.frombuffer(b"".join(self.infer(row)[0] for row in rows), np.int8).reshape(len(rows), -1)


def load(model: Model, plan: MemoryPlan, toolchain: str = "zig", core_name: str = "cortex-m4f") -> OnCore:
    """The generated C of `model`, compiled as firmware is and loaded. It runs on an emulated Cortex-M4, which executes
    the code of a smaller core instruction by instruction."""
    folder = Path(mkdtemp(dir=_FOLDER.name))
    project = generate_project(model, plan, load_board("virtual-stm32f405"), folder)
    (folder / "main.c").write_text(MAIN)
    (folder / "link.ld").write_text(SCRIPT)
    tools, core = find_toolchain(toolchain), CORES[core_name]  # type: ignore[arg-type]
    flags = [*tools.compile_flags(core), *(f"-I{path}" for path in project.include_dirs)]
    objects = []
    for number, source in enumerate(("main.c", *project.model_sources)):
        key = (toolchain + core_name, (folder / source).read_bytes())
        if key not in _objects or not source.startswith("runtime/"):
            target = folder / f"{number}.o"
            tools.compile(flags, source, folder, target)
            _objects[key] = target
        objects.append(_objects[key])
    elf = folder / "core.elf"
    kept = [f"-Wl,-u,{name}" for name in ("input_at", "output_at", "start", "step")]
    options = ["-Wl,--gc-sections", *kept, "-T", "link.ld"]
    command = [*tools.command, *tools.target(core), *options, *map(str, objects), *tools.libraries, "-o", str(elf)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = boot(model, elf)
    assert loaded.call("start") == 0
    return loaded


def boot(model: Model, elf: Path) -> OnCore:
    """An ELF file in the memory of a Cortex-M4, whose functions can be called."""
    emulator = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    emulator.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
    for base, size in ((0x08000000, 1 << 20), (0x20000000, 1 << 20), (_STACK, 1 << 16), (_RETURN, 0x1000)):
        emulator.mem_map(base, size)
    with elf.open("rb") as file:
        image = ELFFile(file)
        flash = 0
        for segment in image.iter_segments("PT_LOAD"):
            if segment["p_filesz"]:
                flash += segment["p_filesz"]
                emulator.mem_write(segment["p_vaddr"], segment.data())
        table = image.get_section_by_name(".symtab")
        symbols = {s.name: s["st_value"] & ~1 for s in table.iter_symbols() if s["st_info"]["type"] == "STT_FUNC"}
    loaded = OnCore(model, emulator, symbols, flash)
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)

    def count(uc: unicorn.Uc, address: int, size: int, _: object) -> None:
        if (address, size) not in loaded.lengths:
            code = bytes(uc.mem_read(address, size))
            loaded.lengths[address, size] = sum(1 for _ in decoder.disasm_lite(code, address))
        loaded.executed += loaded.lengths[address, size]

    emulator.hook_add(unicorn.UC_HOOK_BLOCK, count)
    return loaded

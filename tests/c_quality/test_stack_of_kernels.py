"""The deepest stack of every kernel, from its machine code, is what docs/manual/kernel-stack.md says, below a limit.

LEADWIRE_GOLDEN=write (make golden) writes the page again; read the diff.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from leadwire.build.cores import CORES
from leadwire.build.elf import ModelShare, read_elf
from leadwire.build.stack import stack_bound
from leadwire.build.toolchain import find_toolchain

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "firmware_templates" / "runtime"
PAGE = ROOT / "docs" / "manual" / "kernel-stack.md"
CORE_NAMES = ("cortex-m0", "cortex-m4f", "cortex-m55")
MOST_BYTES = 640
NOTHING = ModelShare(flash_bytes=0, ram_bytes=0, functions=frozenset())
OWN_JUMP = re.compile("indirect call in lw_multiply_[a-z0-9_]+_dsp ")
"""Assembly that jumps into its own unrolled loop."""
KERNEL = re.compile(r"^void (lw_\w+)\(", re.MULTILINE)
HEAD = f"""# Stack of the kernels

Bytes of stack that a kernel takes at most with all it calls, read from its machine code (`build/stack.py`) as the
pinned zig compiles it with -O2; - where the core has other kernels. A test compares this page with the code and holds
every figure below {MOST_BYTES}. The report of a project states the bound of its whole image.

| kernel | {" | ".join(CORE_NAMES)} |
|{"---|" * (len(CORE_NAMES) + 1)}
"""


def kernel_names(core: str) -> list[str]:
    """Of the functions that the headers declare, those that code for this core may call."""
    headers = ["kernels.h", "packed.h"] + (["dsp.h", "packed_dsp.h"] if "dsp" in CORES[core].extensions else [])
    headers += ["mve.h"] if "mve" in CORES[core].extensions else []
    return [name for header in headers for name in KERNEL.findall((RUNTIME / header).read_text())]


def bounds(core: str, folder: Path) -> dict[str, int]:
    """Kernel to bytes; AssertionError where the code cannot be followed."""
    tools, names = find_toolchain("zig"), kernel_names(core)
    flags = [*tools.compile_flags(CORES[core]), f"-I{RUNTIME}"]
    sources = [
        path for path in sorted((RUNTIME / "kernels").glob("*.c")) if set(KERNEL.findall(path.read_text())) & set(names)
    ]
    objects = [folder / f"{source.stem}.o" for source in sources]
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda pair: tools.compile(flags, str(pair[0]), folder, pair[1]), zip(sources, objects, strict=True)
            )
        )
    elf = folder / "kernels.elf"
    kept = [f"-Wl,-u,{name}" for name in names]
    command = [*tools.command, *tools.target(CORES[core]), "-Wl,--gc-sections", *kept, f"-Wl,-e,{names[0]}"]
    subprocess.run([*command, *map(str, objects), *tools.libraries, "-o", str(elf)], check=True, cwd=folder)
    image = read_elf(elf)
    places = {symbol.name: symbol.address for symbol in image.symbols}
    found = {}
    for name in names:
        bound = stack_bound(replace(image, entry=places[name]), CORES[core], NOTHING, {})
        unknown = [note for note in bound.notes if not OWN_JUMP.match(note)]
        assert not unknown, (name, unknown)
        found[name] = bound.bytes
    return found


def test_stack_of_every_kernel(tmp_path: Path) -> None:
    table = {}
    for core in CORE_NAMES:
        (tmp_path / core).mkdir()
        table[core] = bounds(core, tmp_path / core)
    names = sorted({name for column in table.values() for name in column})
    rows = [f"| `{name}` | {' | '.join(str(table[core].get(name, '-')) for core in CORE_NAMES)} |" for name in names]
    text = HEAD + "\n".join(rows) + "\n"
    if os.environ.get("LEADWIRE_GOLDEN") == "write":
        PAGE.write_text(text, encoding="utf-8")
    deep = {name: bytes_ for column in table.values() for name, bytes_ in column.items() if bytes_ > MOST_BYTES}
    assert not deep
    if PAGE.read_text(encoding="utf-8") != text:
        pytest.fail("docs/manual/kernel-stack.md is not what the code takes: make golden, and read the diff")

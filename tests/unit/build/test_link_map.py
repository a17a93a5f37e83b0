"""The linker's map, in both forms that are read, against the ELF it belongs to and GNU's own reading of it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from leadwire.artifacts import sha256_hex
from leadwire.board import load_board
from leadwire.build import build_image
from leadwire.build.elf import read_elf
from leadwire.build.link_map import without_folders

from .conftest import Project

BOARD = load_board("virtual-stm32f405")


def test_folders_of_this_machine_are_cut() -> None:
    assert without_folders("a /root/.cache/x/lib.a(/root/y/z.o):(.text) -Imodel model/model.c") == (
        "a lib.a(z.o):(.text) -Imodel model/model.c"
    )
    assert without_folders("/home/a b/c/lib.a", [Path("/home/a b/c")]) == "lib.a"


@pytest.mark.requirement("LW-BLD-001")
@pytest.mark.parametrize("toolchain", ["zig", pytest.param("arm-none-eabi-gcc", marks=pytest.mark.arm_gcc)])
def test_what_was_linked(tiny_project: Project, tmp_path: Path, toolchain: str) -> None:
    """All bytes of the image but padding and what the linker makes itself are some object's; each source is named."""
    project = tiny_project(BOARD)
    image = build_image(project, BOARD, toolchain=toolchain, out=tmp_path / "out")  # type: ignore[arg-type]
    elf = read_elf(image.elf)
    flash, ram = (sum(elf.size_of(kind) for kind in kinds) for kinds in (("text", "rodata", "data"), ("data", "bss")))
    assert flash - 1024 < sum(one.flash_bytes for one in image.linked) <= flash
    assert ram - 64 < sum(one.ram_bytes for one in image.linked) <= ram
    own = {one.source: one for one in image.linked if not one.archive}
    assert set(own) <= set(project.sources)
    assert {"model/model.c", "app/main.c", "core/startup.c"} <= set(own)
    for name, one in own.items():
        assert one.digest == sha256_hex((project.root / name).read_bytes())
    archives = {one.archive for one in image.linked if one.archive}
    assert archives == ({"libcompiler_rt.a"} if toolchain == "zig" else {"libgcc.a"})
    for log in image.logs:
        text = log.read_text()
        assert str(tmp_path) not in text and str(Path.home()) not in text


@pytest.mark.arm_gcc
def test_a_function_that_nobody_calls_is_in_no_component(tiny_project: Project, tmp_path: Path) -> None:
    """An object that the linker drops whole is not listed, though it was compiled; GNU nm finds none of it either."""
    extra = {"app/idle.c": "int lw_idle(void);\nint lw_idle(void) { return 42; }\n"}
    project = tiny_project(BOARD, extra=extra)
    project = replace(project, sources=(*project.sources, "app/idle.c"))
    image = build_image(project, BOARD, toolchain="arm-none-eabi-gcc", out=tmp_path / "out")
    assert "app/idle.c" not in {one.source for one in image.linked}
    symbols = subprocess.run(["arm-none-eabi-nm", image.elf], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"\blw_idle\b", symbols)

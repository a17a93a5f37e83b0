"""clang-tidy and gcc -fanalyzer find nothing in the C of the project; .clang-tidy says which checks run, and why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from c_sources import TEMPLATES, Group, c_groups

GROUPS = c_groups()
PATHS = (
    ()
    if os.environ.get("LEADWIRE_LINT_C") == "whole"
    else ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=20000")
)
"""How far clang's analyzer follows each function: a tenth of its default (225,000 states), an eighth of the time."""
OF_BUILD = ('-DLW_BUILD_ID="id"', '-DLW_BOARD_ID="board"', "-DLW_CLOCK_HZ=64000000u")
CLANG_TARGET = {True: ("--target=riscv32-none-elf", "-march=rv32imc"), False: ("--target=thumbv7em-none-eabi",)}


def clang_tidy(group: Group) -> list[str]:
    """What clang-tidy finds, one line each; AssertionError where a file does not compile."""
    flags = ("-std=c99", "-ffreestanding", *PATHS, *CLANG_TARGET[group.riscv], *OF_BUILD)
    includes = (f"-I{folder}" for folder in group.includes)
    done = subprocess.run(
        ["clang-tidy", "--quiet", f"--config-file={TEMPLATES.parent / '.clang-tidy'}", *map(str, group.sources), "--",
         *flags, *includes],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "clang-diagnostic-error" not in done.stdout, done.stdout
    return re.findall(r"^.*: (?:error|warning): .*$", done.stdout, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("clang-tidy"), reason="needs clang-tidy, which is not installed")
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_clang_tidy(group: Group) -> None:
    found = clang_tidy(group)
    assert not found, "\n".join(found)


@pytest.mark.skipif(not shutil.which("clang-tidy"), reason="needs clang-tidy, which is not installed")
def test_clang_tidy_sees_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int f(int x);\nint f(int x)\n{\n    if (x) x = 1; return x / sizeof &x;\n}\n")
    assert clang_tidy(Group(name="mistake", sources=(tmp_path / "a.c",), includes=()))


def analyzed(group: Group) -> list[str]:
    """What gcc's analyzer finds."""
    includes = [f"-I{folder}" for folder in group.includes]
    found = []
    for source in group.sources:
        flags = ["-std=c99", "-O2", "-ffreestanding", "-fanalyzer", "-mcpu=cortex-m4", "-mthumb", *OF_BUILD, *includes]
        done = subprocess.run(
            ["arm-none-eabi-gcc", *flags, "-c", str(source), "-o", "/dev/null"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found += re.findall(r"^.*warning: .*$", done.stderr, re.MULTILINE)
    return found


@pytest.mark.arm_gcc
@pytest.mark.parametrize("group", [group for group in GROUPS if not group.riscv], ids=lambda group: group.name)
def test_gcc_analyzer(group: Group) -> None:
    found = analyzed(group)
    assert not found, "\n".join(found)


@pytest.mark.arm_gcc
def test_gcc_analyzer_sees_a_mistake(tmp_path: Path) -> None:
    text = (
        "int f(int n);\nint f(int n)\n{\n    int *p = 0;\n    if (n > 3) {\n        p = &n;\n    }\n    return *p;\n}\n"
    )
    (tmp_path / "a.c").write_text(text)
    assert analyzed(Group(name="mistake", sources=(tmp_path / "a.c",), includes=()))

"""Every runtime file compiles without a warning on each compiler, keeps no state and calls no library."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from single_operator import WARNINGS

RUNTIME = Path(__file__).resolve().parents[2] / "firmware_templates" / "runtime"
SOURCES = sorted(RUNTIME.rglob("*.c"))
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "arm-none-eabi-gcc": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard"],
    "zig": [sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabihf", "-fno-sanitize=all",
            "-mcpu=cortex_m4+vfp4d16sp"],
}  # fmt: skip
KERNEL = re.compile(r"^void (lw_\w+)\(", re.MULTILINE)
PROVIDED = {"memcpy", "memset", "memmove", "__aeabi_memcpy", "__aeabi_memset", "__aeabi_memcpy4", "__aeabi_memclr"}
"""What a compiler may call for plain C; the firmware provides these."""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_compiles_without_warnings(compiler: str, tmp_path: Path) -> None:
    command = COMPILERS[compiler]
    if compiler != "zig" and not shutil.which(command[0]):
        pytest.skip(f"needs {command[0]}")
    for source in SOURCES:
        target = tmp_path / f"{source.stem}.o"
        result = subprocess.run(
            [*command, "-std=c99", "-O2", *WARNINGS, f"-I{RUNTIME}", "-c", str(source), "-o", str(target)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{compiler} {source.name}\n{result.stderr}"


@pytest.mark.arm_gcc
def test_no_state_no_library(tmp_path: Path) -> None:
    """No .data, no .bss, and no undefined symbol but kernels and those of the freestanding environment."""
    known = PROVIDED | {name for header in RUNTIME.glob("*.h") for name in KERNEL.findall(header.read_text())}
    for source in SOURCES:
        target = tmp_path / f"{source.stem}.o"
        subprocess.run(
            [*COMPILERS["arm-none-eabi-gcc"], "-std=c99", "-O2", "-ffreestanding", f"-I{RUNTIME}", "-c", str(source),
             "-o", str(target)],
            check=True,
        )  # fmt: skip
        sizes = subprocess.run(["arm-none-eabi-size", str(target)], capture_output=True, text=True, check=True)
        _, data, bss, *_ = sizes.stdout.splitlines()[1].split()
        assert (data, bss) == ("0", "0"), source.name
        undefined = subprocess.run(["arm-none-eabi-nm", "-u", str(target)], capture_output=True, text=True, check=True)
        assert {line.split()[-1] for line in undefined.stdout.splitlines() if line.strip()} <= known, source.name


def test_one_kernel_file_per_name() -> None:
    """The header comment is the formula, and the file names its function."""
    for source in sorted((RUNTIME / "kernels").glob("*.c")):
        text = source.read_text()
        assert text.startswith("/* ") and " = " in text.partition("*/")[0], f"{source.name} opens with its formula"
        assert f"void lw_{source.stem}(" in text

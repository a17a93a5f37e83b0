"""An image as a board's user builds it: a package's sources, with a port, start-up and linker script of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from leadwire.artifacts import FirmwareProject
from leadwire.board import Board
from leadwire.package import FirmwarePackage, bench_firmware
from leadwire.pipeline.packages import PackageOptions, package_model
from leadwire.pipeline.sources import package_sources, plan_package, read_model
from leadwire.pipeline.watcher import Quiet
from leadwire.resources import FIRMWARE_TEMPLATES

APP = FIRMWARE_TEMPLATES / "app"
HERE = Path(__file__).parent / "user_image"
CORTEX_M4F = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp")


def package_of(source: Path, board: Board, folder: Path, ecosystem: str = "zephyr") -> FirmwarePackage:
    """Of a .tflite file or a project, with the bench firmware."""
    return package_model(source, PackageOptions(ecosystem=ecosystem, board=board), folder, Quiet())


def build_user_image(source: Path, board: Board, folder: Path, *flags: str, name: str = "user.elf") -> Path:
    """The ELF that this port and linker script make of the package's files; `flags` come last."""
    package = package_of(source, board, folder / "package").path
    bench = package / "samples" / "bench"
    defines = [
        json.loads(line)
        for line in (bench / "CMakeLists.txt").read_text().splitlines()
        if line.strip().startswith('"LW_')
    ]
    sources = [*sorted((bench / "app").glob("*.c")), *_model_part(package), APP / "memory.c", HERE / "port.c"]
    includes = {file.parent for file in package.rglob("*.h")}
    cache = os.environ.get("LEADWIRE_CACHE") or str(Path.home() / ".cache" / "leadwire" / "zig")
    elf = folder / name
    made = subprocess.run(
        [
            *(sys.executable, "-m", "ziglang", "cc", *CORTEX_M4F, "-std=gnu11", "-O1", "-ffreestanding"),
            *("-fno-builtin", "-fno-sanitize=all", "-ffunction-sections", "-Wl,--gc-sections", "-g"),
            *(f"-I{one}" for one in sorted(includes)),
            *(f"-D{one}" for one in (*defines, "LW_WITH_OPERATOR_TABLE=1")),
            *("-T", str(HERE / "program.ld"), "-o", str(elf), *map(str, sources), *flags),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
    )
    assert made.returncode == 0, made.stderr
    return elf


def _model_part(package: Path) -> list[Path]:
    return sorted(file for file in package.rglob("*.c") if "samples" not in file.relative_to(package).parts)


def builds_for(source: Path, board: Board, folder: Path) -> tuple[FirmwareProject, dict[str, str]]:
    """The sources of the package, and the build ids of its firmware."""
    loaded = read_model(source)
    sources = package_sources(source, loaded, plan_package(loaded, "aot", None), "aot", folder, None)
    return sources, {bench_firmware(name, sources, board).build_id: name for name in ("zephyr", "esp-idf")}

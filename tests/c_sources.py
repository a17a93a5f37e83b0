"""The C files of firmware_templates/ in groups that are compiled together, found and not listed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[1] / "firmware_templates"
GENERATED = Path(__file__).resolve().parent / "golden" / "aot_tiny"
"""The sources of a tiny model, committed and compared byte by byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`sources` and the folders of the headers they include; `riscv`: code for that core and not for Arm."""

    name: str
    sources: tuple[Path, ...]
    includes: tuple[Path, ...]
    riscv: bool = False


def c_groups() -> tuple[Group, ...]:
    """runtime, model (generated), app, mlperf, and one for each port and each boot loader."""
    runtime, app, core = TEMPLATES / "runtime", TEMPLATES / "app", TEMPLATES / "cores" / "cortex-m"
    uart = TEMPLATES / "ports" / "stm32f4"
    found = [
        Group(name="runtime", sources=_below(runtime), includes=(runtime,)),
        Group(name="model", sources=_below(GENERATED), includes=(runtime, GENERATED)),
        Group(name="app", sources=_below(app), includes=(runtime, app, core, GENERATED, uart)),
        Group(
            name="mlperf",
            sources=_below(TEMPLATES / "mlperf"),
            includes=(runtime, app, core, TEMPLATES / "mlperf", GENERATED, uart),
        ),
    ]
    for port in sorted((TEMPLATES / "ports").iterdir()):
        if port.is_dir():
            riscv = port.name.startswith("riscv")
            of_core = TEMPLATES / "cores" / ("riscv" if riscv else "cortex-m")
            sources = (*_below(of_core), *_below(port))
            found.append(Group(name=port.name, sources=sources, includes=(runtime, app, of_core, port), riscv=riscv))
    loaders = TEMPLATES / "bootloaders"
    for loader in sorted(loaders.iterdir()):
        if loader.is_dir():
            includes = (loaders, loader, app, core, uart, loaders / "stm32f4")
            found.append(Group(name=f"bootloader-{loader.name}", sources=_below(loader), includes=includes))
    return tuple(found)


def _below(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.rglob("*.c")))

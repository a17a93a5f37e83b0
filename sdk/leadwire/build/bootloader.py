"""The boot loaders that come with leadwire, compiled for a board: what flash tools talk to over its serial port.

`an3155` stands in an STM32's system memory and speaks ST's USART protocol; `samba` stands there and speaks SAM-BA's, as
an Arduino Zero does; `mcuboot` stands at the start of its flash, starts a checked image and speaks MCUboot's serial
recovery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import jinja2

from leadwire import resources
from leadwire.board import Board, MemoryRegion
from leadwire.build.cores import CORES
from leadwire.build.toolchain import find_toolchain
from leadwire.errors import BadInputError
from leadwire.workspace import write_atomically

_FOLDER = resources.FIRMWARE_TEMPLATES / "bootloaders"
_APP = resources.FIRMWARE_TEMPLATES / "app"
_PORTS = resources.FIRMWARE_TEMPLATES / "ports"
_CORES = resources.FIRMWARE_TEMPLATES / "cores"
_CORE = "cortex-m4"
"""Without the FPU, which no boot loader switches on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a boot loader lies, and the files of the bench firmware that it shares."""

    origin: int
    size_bytes: int
    shared: tuple[str, ...] = ("memory.c",)


_SYSTEM_MEMORY = 0x1FFF0000
"""RM0090, table 5."""
_PLACES = MappingProxyType(
    {
        "an3155": _Place(origin=_SYSTEM_MEMORY, size_bytes=30 << 10),
        "samba": _Place(origin=_SYSTEM_MEMORY, size_bytes=30 << 10, shared=("memory.c", "crc.c")),
        "mcuboot": _Place(  # sectors 0 and 1
            origin=0x08000000, size_bytes=32 << 10, shared=("memory.c", "frame.c", "cbor.c", "crc.c")
        ),
    }
)
BOOTLOADERS = tuple(_PLACES)
IN_SYSTEM_MEMORY = frozenset(name for name, place in _PLACES.items() if place.origin == _SYSTEM_MEMORY)
"""Those that start when the pin BOOT0 is high."""


def build_bootloader(name: str, board: Board, out: Path) -> Path:
    """`out`/<name>.elf, made with Zig. BadInputError for a board or name that there is none for, BuildError where it
    does not compile."""
    folder = _FOLDER / board.port
    if name not in BOOTLOADERS or not board.port or not folder.is_dir():
        known = sorted(path.name for path in _FOLDER.iterdir() if path.is_dir() and (path / "startup.c").exists())
        raise BadInputError(
            f"there is no boot loader '{name}' for board '{board.id}'",
            hint=f"boot loaders: {', '.join(BOOTLOADERS)}, for boards of the port {', '.join(known)}",
        )
    place = _PLACES[name]
    ram = next(region for region in board.memory if region.kind == "ram")
    flash = MemoryRegion(name="boot", kind="flash", origin=place.origin, size_bytes=place.size_bytes)
    tools = find_toolchain("zig")
    port = _PORTS / board.port
    sources = [
        *sorted(folder.glob("*.c")),
        *sorted((_FOLDER / name).glob("*.c")),
        *(_APP / file for file in place.shared),
        port / "clock.c",
    ]
    includes = (f"-I{path}" for path in (_FOLDER, folder, _FOLDER / name, port, _CORES / "cortex-m", _APP))
    defines = (f"-DLW_LINK_BAUD={board.link.baud}", f"-DLW_CRYSTAL_HZ={board.crystal_hz}")
    flags = (*tools.compile_flags(CORES[_CORE]), *defines, *includes)
    with TemporaryDirectory(prefix="leadwire-") as scratch:
        work = Path(scratch)
        script = work / "linker.ld"
        template = jinja2.Template(
            (_PORTS / "linker.ld.j2").read_text(encoding="utf-8"), undefined=jinja2.StrictUndefined
        )
        script.write_text(template.render(board=replace(board, memory=(flash, ram)), fast=""), encoding="utf-8")
        objects = []
        for number, source in enumerate(sources):
            objects.append(Path(f"{number:02}-{source.stem}.o"))
            tools.compile(flags, source.name, source.parent, work / objects[-1])
        linked = work / "boot.elf"
        tools.link(CORES[_CORE], str(script), objects, work, linked)
        write_atomically(out / f"{name}.elf", linked.read_bytes())
    return out / f"{name}.elf"

"""The firmware around a model: the bench application, what the core needs, the board's port and the linker script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import Personality
from leadwire.board import Board, require_port
from leadwire.errors import BadInputError
from leadwire.resources import FIRMWARE_TEMPLATES

_TEXT = (".c", ".h", ".S", ".s")
_SOURCES = (".c", ".S", ".s")
_LINK = frozenset({"main", "bench", "smp", "frame", "cbor", "cell", "correct", "stream"})
"""Files of app/ that speak leadwire's link; the others serve any personality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwarePart:
    """(path, contents) of every file, sorted; sources; include folders; linker script, None without firmware."""

    files: tuple[tuple[str, bytes], ...]
    sources: tuple[str, ...]
    include_dirs: tuple[str, ...]
    linker_script: str | None


FAST_DEFINES: Mapping[str, str] = {
    "LW_FAST_MEMORY": "1",
    "LW_FAST_TABLE": '__attribute__((section(".lw_fast_data")))',
    "LW_FAST_ARENA": '__attribute__((section(".bss.lw_fast_arena")))',
}
"""What a model's sources and the start-up code are compiled with where a second memory region holds part of the model:
sections that the linker script places there."""


def firmware_for(board: Board, personality: Personality = "bench", fast: str = "") -> FirmwarePart:
    """The firmware of a board; `fast` is the name of a second memory region that holds part of the model, '' for none.

    NoPortError (2) where the board has no port, BadInputError (2) where that does not exist.
    """
    require_port(board)
    port = FIRMWARE_TEMPLATES / "ports" / board.port
    if Path(board.port).name != board.port or not port.is_dir():
        raise BadInputError(
            f"board '{board.id}' names the port '{board.port}', which does not exist",
            hint=f"use a folder of {FIRMWARE_TEMPLATES / 'ports'}",
        )
    core = FIRMWARE_TEMPLATES / "cores" / ("riscv" if board.core.startswith("rv32") else "cortex-m")
    files = _copied(FIRMWARE_TEMPLATES / "app", "app") | _copied(core, "core") | _copied(port, "port")
    include_dirs: tuple[str, ...] = ("app", "core", "port")
    if personality != "bench":
        files = {path: text for path, text in files.items() if not _speaks_link(path)}
        files |= _copied(FIRMWARE_TEMPLATES / "mlperf", "mlperf")
        include_dirs = ("mlperf", *include_dirs)
    linker_script = "port/linker.ld"
    files[linker_script] = _render_linker_script(port, board, fast)
    return FirmwarePart(
        files=tuple(sorted(files.items())),
        sources=tuple(path for path in sorted(files) if path.endswith(_SOURCES)),
        include_dirs=include_dirs,
        linker_script=linker_script,
    )


def _speaks_link(path: str) -> bool:
    folder, _, name = path.partition("/")
    return folder == "app" and Path(name).stem in _LINK


def _copied(folder: Path, name: str) -> dict[str, bytes]:
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TEXT and path.is_file()
    }


def _render_linker_script(port: Path, board: Board, fast: str) -> bytes:
    """The port's own, or the one that all ports share."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([port, port.parent]),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template("linker.ld.j2").render(board=board, fast=fast).encode("utf-8")

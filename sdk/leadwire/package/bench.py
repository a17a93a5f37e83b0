"""The bench firmware of a package: app/ as it is, for a board that leadwire itself builds no image for.

The user builds it, so nothing knows the ELF. What the firmware says as its build is a digest over everything that
leadwire gave to that build: the generated project, the app, the port and build files of the ecosystem, and the facts
of the board. Names and versions of the package are no part of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import FirmwareProject, sha256_hex
from leadwire.board import Board
from leadwire.errors import BadInputError
from leadwire.resources import FIRMWARE_TEMPLATES

FOLDERS = {"zephyr": "samples/bench", "esp-idf": "examples/bench"}
"""Where the firmware lies in the packages that have one."""

_OURS = frozenset({"serial", "memory", "restart"})
"""Files of app/ that serve bare metal: the ecosystem brings its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """`files` are (path in the package, contents) of app/; `sources` the names of its C files; `defines` macros."""

    board_id: str
    build_id: str
    stack_bytes: int
    files: tuple[tuple[str, bytes], ...]
    sources: tuple[str, ...]
    defines: tuple[tuple[str, str], ...]


def bench_firmware(ecosystem: str, project: FirmwareProject, board: Board) -> Bench:
    """The firmware for `board`; BadInputError (2) where packages of the ecosystem have none."""
    if ecosystem not in FOLDERS:
        raise BadInputError(
            f"a package for '{ecosystem}' has no bench firmware, so no board",
            hint=f"leave --board out, or use --for {' or '.join(FOLDERS)}",
        )
    app = {
        path.name: path.read_bytes()
        for path in sorted((FIRMWARE_TEMPLATES / "app").iterdir())
        if path.suffix in (".c", ".h") and path.stem not in _OURS
    }
    ram = next(region.size_bytes for region in board.memory if region.kind == "ram")
    facts = (
        ("LW_BOARD_ID", f'"{board.id}"'),
        ("LW_LINK_BAUD", str(board.link.baud)),
        ("LW_RAM_BYTES", str(ram)),
    )
    build_id = _digest(ecosystem, project, app, facts, board.stack_bytes)
    identity = ",".join(f"0x{byte:02x}" for byte in bytes.fromhex(build_id))
    folder = FOLDERS[ecosystem]
    return Bench(
        board_id=board.id,
        build_id=build_id,
        stack_bytes=board.stack_bytes,
        files=tuple((f"{folder}/app/{name}", data) for name, data in app.items()),
        sources=tuple(name for name in app if name.endswith(".c")),
        defines=(*facts, ("LW_BUILD_ID", identity)),
    )


def _digest(
    ecosystem: str,
    project: FirmwareProject,
    app: dict[str, bytes],
    facts: tuple[tuple[str, str], ...],
    stack_bytes: int,
) -> str:
    """32 hex digits."""
    templates = FIRMWARE_TEMPLATES / "packages" / ecosystem
    build = {
        path.relative_to(templates).as_posix(): path.read_bytes()
        for path in sorted((templates / Path(FOLDERS[ecosystem])).rglob("*.j2"))
    }
    listed = [[name, sha256_hex(data)] for name, data in (*app.items(), *build.items())]
    parts = json.dumps([ecosystem, project.digest, listed, facts, stack_bytes])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]

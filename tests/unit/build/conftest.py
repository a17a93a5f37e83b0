"""The tiny model inside the real bench firmware, as a project on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from leadwire.artifacts import FirmwareProject, sha256_hex
from leadwire.board import Board
from leadwire.generate.firmware import firmware_for
from leadwire.resources import FIRMWARE_TEMPLATES

TINY = Path(__file__).resolve().parent / "tiny_model" / "model"
ENTRY = """#include "model.h"
const lw_model *lw_host_model(void);
const lw_model *lw_host_model(void) { return &LW_MODEL; }
"""
ARENA_BYTES = 6 + 1500 + 6 + 2 + 2000

Project = Callable[..., FirmwareProject]


@pytest.fixture
def tiny_project(tmp_path: Path) -> Project:
    return projects_in(tmp_path)


def projects_in(tmp_path: Path) -> Project:
    """`tiny_project(board, folder=..., extra={path: text}, edit=(old, new))` writes the sources and describes them."""

    def write(
        board: Board,
        *,
        folder: str = "project",
        extra: dict[str, str] | None = None,
        edit: tuple[str, str] = ("", ""),
        **changes: object,
    ) -> FirmwareProject:
        root = tmp_path / folder
        host = board.core == "host"
        files = {f"model/{path.name}": path.read_bytes() for path in sorted(TINY.iterdir())}
        if edit[0]:
            files["model/model.c"] = files["model/model.c"].decode().replace(*edit).encode()
        files["runtime/leadwire.h"] = (FIRMWARE_TEMPLATES / "runtime" / "leadwire.h").read_bytes()
        firmware = None if host else firmware_for(board)
        folders = ("model", "runtime", *(firmware.include_dirs if firmware else ()))
        if firmware:
            files |= dict(firmware.files)
        else:
            files["model/host.c"] = ENTRY.encode()
        files |= {path: text.encode() for path, text in (extra or {}).items()}
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        model_sources = tuple(sorted(path for path in files if path.startswith("model/") and path.endswith(".c")))
        project = FirmwareProject(
            root=root, backend="aot", board_id=board.id, model_digest="00112233445566778899aabbccddeeff" * 2,
            plan_arena_bytes=ARENA_BYTES, sources=(*model_sources, *(firmware.sources if firmware else ())),
            model_sources=model_sources, include_dirs=folders,
            linker_script=firmware.linker_script if firmware else None, defines=(("LW_WITH_OPERATOR_TABLE", "1"),),
            digest=sha256_hex(repr(sorted(files.items())).encode()),
        )  # fmt: skip
        return replace(project, **changes)  # type: ignore[arg-type]

    return write

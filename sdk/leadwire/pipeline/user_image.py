"""Boards whose image their user built from a package: its sources made again, the image proven to be of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leadwire.artifacts import Backend, FirmwareImage, FirmwareProject, MemoryPlan, UserImage
from leadwire.board import Board
from leadwire.build.user_image import accept_image
from leadwire.flash.contents.user_files import take_files
from leadwire.generate.project import BackendOptions
from leadwire.model.graph import Model
from leadwire.package import FOLDERS, bench_firmware

from .sources import package_sources


def sources_for(
    path: Path,
    model: Model,
    plan: MemoryPlan,
    backend: Backend,
    board: Board,
    root: Path,
    glue: BackendOptions | None,
) -> FirmwareProject:
    """The sources of the package, which are the same for every board, as those of this one."""
    return replace(package_sources(path, model, plan, backend, root, glue), board_id=board.id)


def builds_of(sources: FirmwareProject, board: Board) -> dict[str, str]:
    """What bench firmware of these sources says as its build, and the ecosystem of the package with it."""
    return {bench_firmware(name, sources, board).build_id: name for name in FOLDERS}


def take_image(
    user: UserImage, sources: FirmwareProject, board: Board, out: Path, plan: MemoryPlan | None = None
) -> FirmwareImage:
    """The user's image, copied into `out` with its files for the flash; what the `plan` has in a second memory region
    is counted there. BadInputError or BudgetError where it is not of
    these sources and this board, or not whole."""
    fast = "" if plan is None or plan.fast is None else plan.fast.region
    image = accept_image(user, sources, builds_of(sources, board), board, out, fast)
    return take_files(user.flash_files, image, board, out)

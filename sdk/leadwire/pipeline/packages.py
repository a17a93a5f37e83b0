"""A model, or the model of a project, as a package for a firmware ecosystem."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from leadwire.artifacts import Backend
from leadwire.board import Board, load_board
from leadwire.generate.project import BackendOptions
from leadwire.model.graph import Model
from leadwire.package import FOLDERS, FirmwarePackage, Publisher, ecosystem_module, write_package
from leadwire.planner import FastRequest
from leadwire.project import LoadedProject, load_project
from leadwire.protocols import load_protocol

from . import run_project
from .alone import choose
from .sources import ANY_BOARD, NOTHING_FAST, glue_options, package_sources, plan_package, read_model
from .watcher import Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageOptions:
    """Choices of the command; empty ones are taken from the project or the model.

    `output` is where a project's own stages write, instead of the project file's folder. `glue` and `arena_bytes` are
    for the backend tflm; a project says them itself. With a `board` the package has the bench firmware for it,
    where its ecosystem has one, and `fast` asks for a second memory region of it.
    """

    ecosystem: str
    backend: str = ""
    name: str = ""
    publisher: Publisher = field(default_factory=Publisher)
    archive: bool = False
    evidence: Path | None = None
    key: Path | None = None
    output: Path | None = None
    glue: BackendOptions | None = None
    arena_bytes: int | None = None
    board: Board | None = None
    fast: FastRequest = NOTHING_FAST


def package_model(source: Path, options: PackageOptions, out: Path | None, watcher: Watcher) -> FirmwarePackage:
    """Package a full-INT8 .tflite file, or the model of a leadwire.toml with its labels and within its board's budget.

    `out` is the folder that the package is written into, by default `<model>-<ecosystem>`.
    """
    ecosystem_module(options.ecosystem)
    if source.suffix == ".toml":
        return _package_project(load_project(source, output=options.output), options, out, watcher)
    backend = choose(ANY_BOARD, options.backend or "aot", "zig").backend
    model = read_model(source)
    name = options.name or model.name
    return _write(source, model, backend, name, options, out, watcher)


def _package_project(
    project: LoadedProject, options: PackageOptions, out: Path | None, watcher: Watcher
) -> FirmwarePackage:
    settings = project.settings
    first = settings.target.boards[0]
    backend = choose(first, options.backend or settings.target.backend, settings.target.toolchain).backend
    quantized = run_project(project, until="budget", watcher=watcher).boards[0].quantized
    model = read_model(quantized.path, labels=load_protocol(project.protocol).labels)
    name = options.name or settings.name
    if backend == "tflm":
        glue = glue_options(settings.tflm.section, settings.tflm.alignment)
        options = replace(options, glue=glue, arena_bytes=settings.tflm.arena_bytes)
    else:
        wanted = FastRequest(region=settings.target.fast_memory, limit_bytes=settings.target.fast_bytes)
        options = replace(options, fast=wanted)
    return _write(quantized.path, model, backend, name, options, out, watcher, load_board(first))


def _write(
    path: Path,
    model: Model,
    backend: Backend,
    name: str,
    options: PackageOptions,
    out: Path | None,
    watcher: Watcher,
    board: Board | None = None,
) -> FirmwarePackage:
    """`board`: the project's first, whose memory regions count where the package is for none in particular."""
    with TemporaryDirectory(prefix="leadwire-") as folder:
        watcher.stage("generate", False)
        plan = plan_package(model, backend, options.arena_bytes, options.board or board, options.fast)
        sources = package_sources(path, model, plan, backend, Path(folder), options.glue)
        watcher.stage("package", False)
        return write_package(
            sources,
            options.ecosystem,
            out or Path(f"{path.stem}-{options.ecosystem}"),
            name=name,
            publisher=options.publisher,
            archive=options.archive,
            evidence=options.evidence,
            key=options.key,
            board=options.board if options.fast.is_off or options.ecosystem in FOLDERS else None,
        )

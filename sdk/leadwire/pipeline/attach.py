"""A model that runs on a board already, in the bench firmware of a package that the board's user built and flashed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leadwire.artifacts import BenchmarkResult, FirmwareImage, StackBound
from leadwire.bench import run_benchmark
from leadwire.board import Board
from leadwire.device.client import DeviceClient
from leadwire.device.running import RunningBoard
from leadwire.errors import BadInputError, WrongDeviceError
from leadwire.model.graph import Model

from .alone import Options, bench_inputs, build_model, require_image, work_folder
from .sources import plan_package, read_model
from .user_image import builds_of, sources_for
from .watcher import Watcher

_BOOT_SECONDS = 30.0


def bench_running(
    path: Path, options: Options, watcher: Watcher, *, pattern: bool, inputs: int, warmup: int
) -> BenchmarkResult:
    """Build and flash nothing: ask the board on the port who it is, and measure.

    The firmware must say the board, the model, and as its build the digest of the sources that `leadwire package` gives
    for them. Without the options' `user_image` nothing is known of its ELF, so no figure is linked and `image_digest`
    is empty. Instructions are not counted, also on an emulator: who knows how that was started.

    BadInputError (2) without a port or for an ELF of something else, WrongDeviceError where the board says
    another thing, DeviceError and its kinds where the run or its times are not sound.
    """
    if not options.target.port:
        raise BadInputError("what is running already needs a port to be found on", hint="give it with --port")
    model = read_model(path)
    plan = plan_package(model, options.backend, options.arena_bytes, options.board, options.fast)
    with work_folder(options) as folder:
        if options.user_image is None:
            image = _found(path, model, options, folder, watcher)
        else:
            image = require_image(build_model(path, options, folder, watcher))
            with DeviceClient(options.target.port, options.board.link.baud) as client:
                client.expect(image)
        watcher.stage("bench", False)
        result = run_benchmark(
            RunningBoard(board=_uncounted(options.board), image=image, port=options.target.port),
            model,
            plan,
            inputs=bench_inputs(model, pattern=pattern, count=inputs),
            warmup=warmup,
            progress=lambda done, total: watcher.progress("bench", done, total),
        )
    return result if image.digest else replace(result, flash_bytes=None, ram_bytes=None)


def _found(path: Path, model: Model, options: Options, folder: Path, watcher: Watcher) -> FirmwareImage:
    """What the board says that it runs, without figures."""
    port, board = options.target.port, options.board
    plan = plan_package(model, options.backend, options.arena_bytes, options.board, options.fast)
    watcher.stage("generate", False)
    sources = sources_for(path, model, plan, options.backend, board, folder / "source", options.glue)
    builds = builds_of(sources, board)
    with DeviceClient(port, board.link.baud) as client:
        info = client.describe(boot_timeout_s=_BOOT_SECONDS)
    for what, found, expected in (("board", info.board_id, board.id), ("model", info.model_digest, model.digest)):
        if found != expected:
            raise WrongDeviceError(port, what, found, expected)
    if info.build_id not in builds:
        wanted = " or ".join(f"{build} ({name})" for build, name in builds.items())
        raise WrongDeviceError(port, "sources of the package", info.build_id, wanted)
    watcher.note(f"the firmware is built from the {builds[info.build_id]} package; its image is not known to leadwire")
    return FirmwareImage(
        elf=Path(),
        digest="",
        project_digest=sources.digest,
        model_digest=model.digest,
        board_id=board.id,
        backend=sources.backend,
        toolchain="",
        build_id=info.build_id,
        sections=(),
        text_bytes=0,
        rodata_bytes=0,
        data_bytes=0,
        bss_bytes=0,
        model_flash_bytes=0,
        model_ram_bytes=0,
        stack=StackBound(bytes=0, path=(), notes=("built by the board's user",)),
        package=builds[info.build_id],
    )


def _uncounted(board: Board) -> Board:
    if board.emulation is None:
        return board
    return replace(board, emulation=replace(board.emulation, ns_per_instruction=None))

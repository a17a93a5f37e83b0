"""A model that runs on a board already, in the bench firmware of a package that the board's user built."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from leadwire.artifacts import BenchmarkResult, FirmwareImage, StackBound, sha256_hex
from leadwire.bench import run_benchmark
from leadwire.board import Board
from leadwire.build.elf import read_elf
from leadwire.device.client import DeviceClient
from leadwire.device.running import RunningBoard
from leadwire.errors import BadInputError, DeviceError, WrongDeviceError
from leadwire.package import FOLDERS, bench_firmware

from .alone import Options, bench_inputs
from .packages import package_sources
from .sources import plan_package, read_model
from .watcher import Watcher

_BOOT_SECONDS = 30.0


def bench_running(
    path: Path, options: Options, watcher: Watcher, *, pattern: bool, inputs: int, warmup: int, elf: Path | None = None
) -> BenchmarkResult:
    """Build and flash nothing: ask the board on the port who it is, and measure.

    The firmware must say the board, the model, and as its build the digest of the sources that `leadwire package` gives
    for them. Nothing is known of its ELF, so no figure is linked and `image_digest` is empty, but where `elf` is given:
    it must hold that digest. Instructions are not counted, also on an emulator: who knows how that was started.

    BadInputError (2) without a port or for an ELF of something else, WrongDeviceError where the board says
    another thing, DeviceError and its kinds where the run or its times are not sound.
    """
    port = options.target.port
    if not port:
        raise BadInputError("what is running already needs a port to be found on", hint="give it with --port")
    model = read_model(path)
    plan = plan_package(model, options.backend, options.arena_bytes)
    watcher.stage("generate", False)
    with TemporaryDirectory(prefix="leadwire-") as folder:
        sources = package_sources(path, model, plan, options.backend, Path(folder), options.glue)
    builds = {bench_firmware(name, sources, options.board).build_id: name for name in FOLDERS}
    with DeviceClient(port, options.board.link.baud) as client:
        info = client.describe(boot_timeout_s=_BOOT_SECONDS)
    for what, found, expected in (
        ("board", info.board_id, options.board.id),
        ("model", info.model_digest, model.digest),
    ):
        if found != expected:
            raise WrongDeviceError(port, what, found, expected)
    if info.build_id not in builds:
        wanted = " or ".join(f"{build} ({name})" for build, name in builds.items())
        raise WrongDeviceError(port, "sources of the package", info.build_id, wanted)
    watcher.note(f"the firmware is built from the {builds[info.build_id]} package; its image is not known to leadwire")
    image = FirmwareImage(
        elf=elf or Path(),
        digest="" if elf is None else _digest(elf, info.build_id),
        project_digest=sources.digest,
        model_digest=model.digest,
        board_id=options.board.id,
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
    )
    watcher.stage("bench", False)
    started = time.monotonic()
    result = run_benchmark(
        RunningBoard(board=_uncounted(options.board), image=image, port=port),
        model,
        plan,
        inputs=bench_inputs(model, pattern=pattern, count=inputs),
        warmup=warmup,
        progress=lambda done, total: watcher.progress("bench", done, total),
    )
    check_times(result, time.monotonic() - started)
    return replace(result, flash_bytes=None, ram_bytes=None)


def check_times(result: BenchmarkResult, seconds: float) -> None:
    """DeviceError where a real board says of one inference that it took longer than the whole run's `seconds`.

    A counter that jumps back looks like one that wrapped. Emulators have their own time.
    """
    longest = result.latency_us.max / 1e6
    if result.basis == "measured" and longest > seconds:
        raise DeviceError(
            f"the counter '{result.device.cycle_counter}' of '{result.board_id}' gives {longest:.1f} s for one "
            f"inference of a run that took {seconds:.1f} s",
            hint="the counter jumps or its frequency is wrong: check the clocks in the board's configuration",
        )


def _uncounted(board: Board) -> Board:
    if board.emulation is None:
        return board
    return replace(board, emulation=replace(board.emulation, ns_per_instruction=None))


def _digest(elf: Path, build_id: str) -> str:
    """SHA-256 of an ELF that holds the build id."""
    read_elf(elf)
    data = elf.read_bytes()
    if bytes.fromhex(build_id) not in data:
        raise BadInputError(
            f"'{elf}' is not what runs on the board: it does not hold the build {build_id}",
            hint="give the ELF that was flashed",
        )
    return sha256_hex(data)

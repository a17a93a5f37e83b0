"""Several backends on one board with the same inputs: what `leadwire bench --backend aot,tflm` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from leadwire import reference
from leadwire.artifacts import Backend, BackendComparison, BenchmarkResult, FirmwareImage, MemoryPlan
from leadwire.bench import run_benchmark
from leadwire.board import Board
from leadwire.build.cores import CORES
from leadwire.build.tflm import find_tflm
from leadwire.compare import BackendRun, OperatorTensors, arena_figures, compare_backends
from leadwire.device.client import DeviceClient
from leadwire.device.host_library import HostLibrary
from leadwire.device.target import Target
from leadwire.errors import BadInputError, DeviceError, UnsupportedModelError
from leadwire.flash import flash_image
from leadwire.model.graph import Model
from leadwire.model.tflite import read_tflite
from leadwire.tflm_arena import Kernels, predict_arena

from .alone import Options, bench_inputs, build_model, choose, require_image, work_folder
from .sources import is_host
from .watcher import Watcher

_KERNELS: Mapping[str, Kernels] = {"CMSIS-NN": "cmsis-nn", "reference": "reference"}


def choose_several(
    board: str, backends: str, toolchain: str, port: str, work: Path | None, goal: str = "size"
) -> tuple[Options, ...]:
    """Options for each backend of a comma list; BadInputError where there are not two."""
    names = [name.strip() for name in backends.split(",") if name.strip()]
    if len(names) < 2 or len(set(names)) < len(names):
        raise BadInputError(f"'{backends}' does not name different backends", hint="for example: --backend aot,tflm")
    return tuple(choose(board, name, toolchain, port, work, goal=goal) for name in names)


def compare_model(
    path: Path, options: Sequence[Options], watcher: Watcher, *, pattern: bool, inputs: int, warmup: int
) -> BackendComparison:
    """Build, flash and run a model once for each backend, and put the figures side by side."""
    with work_folder(options[0]) as folder:
        images: dict[Backend, FirmwareImage] = {}
        plans: dict[Backend, MemoryPlan] = {}
        for one in options:
            watcher.note(f"backend {one.backend}")
            built = build_model(path, one, folder / one.backend, watcher)
            images[one.backend], plans[one.backend] = require_image(built), built.plan
        samples = bench_inputs(built.model, pattern=pattern, count=inputs)
        return measure_backends(images, options[0].target, path, built.model, plans, samples, warmup, watcher)


def measure_backends(
    images: Mapping[Backend, FirmwareImage],
    target: Target,
    path: Path,
    model: Model,
    plans: Mapping[Backend, MemoryPlan],
    inputs: Sequence[bytes],
    warmup: int,
    watcher: Watcher,
    known: BenchmarkResult | None = None,
    tflm: Path | None = None,
) -> BackendComparison:
    """Flash and run each image; the first is what the others are compared with, and what the board keeps at the end.

    `known` is an earlier result of the first image on the same inputs: it stands in the comparison, so that one report
    has one set of figures. DeviceError where the board's bytes are others than then.
    """
    runs: list[BackendRun] = []
    for image in tuple(images.values())[::-1]:
        watcher.stage(f"bench {image.backend}", False)
        plan = plans[image.backend]
        runs.insert(0, bench_backend(image, target, model, plan, inputs, warmup, watcher))
    if known is not None:
        if known.io_digest != runs[0].result.io_digest:
            raise DeviceError(
                f"'{target.board.id}' answers the same inputs with other bytes than in the benchmark before",
                hint="check the board's supply and clock, and run with --fresh",
            )
        runs[0] = replace(runs[0], result=known)
    comparison = compare_backends(model, inputs, runs, tensors_from(images, target))
    return with_arena(comparison, target.board, path, tflm)


def bench_backend(
    image: FirmwareImage,
    target: Target,
    model: Model,
    plan: MemoryPlan,
    inputs: Sequence[bytes],
    warmup: int,
    watcher: Watcher,
) -> BackendRun:
    kept: list[tuple[bytes, ...]] = []
    with flash_image(image, target) as running:
        result = run_benchmark(
            running,
            model,
            plan,
            inputs=inputs,
            warmup=warmup,
            progress=lambda done, total: watcher.progress(f"bench {image.backend}", done, total),
            keep=kept.append,
        )
    return BackendRun(result=result, outputs=kept[0])


def tensors_from(images: Mapping[Backend, FirmwareImage], target: Target) -> OperatorTensors:
    """Operators' outputs read from the board, which is flashed again with the backend's image."""

    def tensors(backend: Backend, data: bytes) -> tuple[bytes, ...]:
        image = images[backend]
        if is_host(target.board):
            library = HostLibrary(image.elf)
            library.write_input(data)
            return tuple(_stepped(library, index) for index in range(library.operator_count))
        with (
            flash_image(image, target) as running,
            DeviceClient(running.port, target.board.link.baud) as client,
        ):
            return tuple(client.tensor(index, data) for index in range(client.expect(image).operator_count))

    return tensors


def _stepped(library: HostLibrary, index: int) -> bytes:
    library.step(index)
    return library.tensor(index)


def with_arena(comparison: BackendComparison, board: Board, path: Path, tflm: Path | None = None) -> BackendComparison:
    """With the arena's figures where TFLite Micro is compared and what its kernels ask for is known."""
    result = next((one for one in comparison.results if one.backend == "tflm"), None)
    if result is None:
        return comparison
    file = read_tflite(path)
    core = None if is_host(board) else CORES[board.core]
    kernels = _KERNELS.get(find_tflm(tflm, core).kernels)
    if kernels is None:
        return comparison
    try:
        predicted = predict_arena(
            file,
            pointer_bytes=8 if core is None else 4,
            kernels=kernels,
            extension="dsp" if core is not None and "dsp" in core.extensions else "none",
            short_enums=not board.core.startswith("rv"),
        )
        figures = arena_figures(file, predicted, result, reference.tflm_arena_bytes(path))
    except UnsupportedModelError:
        return comparison
    return replace(comparison, arena=figures)

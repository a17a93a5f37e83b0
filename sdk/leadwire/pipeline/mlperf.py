"""A model alone under MLPerf Tiny's protocol: build with that personality, flash, measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leadwire import reference
from leadwire.artifacts import MlperfResult
from leadwire.bench import pattern_input
from leadwire.device.mlperf_client import MlperfClient, MlperfDevice, link_baud
from leadwire.errors import BadInputError, WrongDeviceError
from leadwire.flash import flash_image
from leadwire.mlperf import TinyFile, measure_loops, measure_quality, median_latency_us, read_files, rule_breaks
from leadwire.mlperf_tiny import LOOPS, TinyBenchmark, benchmark_of, sample_bytes
from leadwire.model.graph import Model

from .alone import Options, build_model, require_image, work_folder
from .sources import read_model
from .watcher import Watcher

_RUN_TIMEOUT_S = 900.0
"""Longest silence during a run: an emulator may need minutes for what a board does in ten seconds."""


def measure_mlperf(
    path: Path,
    options: Options,
    watcher: Watcher,
    *,
    dataset: Path | None = None,
    files: int = 0,
    loops: int = LOOPS,
    iterations: int | None = None,
    warmup: int | None = None,
    attach: bool = False,
) -> MlperfResult:
    """`loops` timed loops, and with a `dataset` folder the quality over its first `files` files (0: all).

    Without a dataset the loops run on a fixed pattern. Iterations and warm-up are the benchmark's unless given.
    `attach` builds and flashes nothing: what runs on the port is measured, leadwire's firmware or another's.
    """
    model = read_model(path)
    benchmark = benchmark_of(model)
    found = (_pattern(model, benchmark),) if dataset is None else read_files(dataset, model, benchmark, most=files)
    plan = _Plan(
        path=path,
        model=model,
        benchmark=benchmark,
        files=found,
        quality=dataset is not None,
        loops=loops,
        iterations=benchmark.iterations if iterations is None else iterations,
        warmup=benchmark.warmup if warmup is None else warmup,
    )
    if attach:
        return _attached(plan, options, watcher)
    options = replace(options, personality="mlperf")
    with work_folder(options) as folder:
        image = require_image(build_model(path, options, folder, watcher))
        watcher.stage("flash", False)
        with flash_image(image, options.target) as running:
            baud = link_baud(image, options.board.link.baud)
            with MlperfClient(running.port, baud, run_timeout_s=_RUN_TIMEOUT_S) as device:
                result = _measure(plan, device, device.expect(image), options, watcher)
    return replace(result, image_digest=image.digest, backend=image.backend)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    path: Path
    model: Model
    benchmark: TinyBenchmark
    files: Sequence[TinyFile]
    quality: bool
    loops: int
    iterations: int
    warmup: int


def _attached(plan: _Plan, options: Options, watcher: Watcher) -> MlperfResult:
    """WrongDeviceError where the device says that it carries another board, benchmark or model."""
    port = options.target.port
    if not port:
        raise BadInputError("what is running already needs a port to be found on", hint="give it with --port")
    with MlperfClient(port, options.board.link.baud, run_timeout_s=_RUN_TIMEOUT_S) as device:
        says = device.describe()
        expected = [("benchmark", says.benchmark, plan.benchmark.id)]
        trust = "the firmware was not flashed by this run"
        if says.is_leadwire:
            expected += [("model", says.model_digest, plan.model.digest), ("board", says.board_id, options.board.id)]
        else:
            trust += " and is not leadwire's: board and model are taken on trust"
        for what, found, wanted in expected:
            if found != wanted:
                raise WrongDeviceError(port, what, found, wanted)
        result = _measure(plan, device, says, options, watcher)
    return replace(result, valid=False, reasons=(*result.reasons, trust))


def _measure(plan: _Plan, device: MlperfClient, says: MlperfDevice, options: Options, watcher: Watcher) -> MlperfResult:
    watcher.stage("mlperf", False)
    timed = measure_loops(
        device,
        plan.files,
        loops=plan.loops,
        iterations=plan.iterations,
        warmup=plan.warmup,
        progress=lambda done, total: watcher.progress("loops", done, total),
    )
    quality = None
    if plan.quality:
        quality = measure_quality(
            device,
            plan.files,
            plan.model,
            plan.benchmark,
            witness=(lambda rows: reference.run_tflm(plan.path, rows)) if reference.has_tflm() else None,
            tells_bytes=says.is_leadwire,
            progress=lambda done, total: watcher.progress("quality", done, total),
        )
    reasons = rule_breaks(timed, plan.benchmark, options.board.basis)
    latency = median_latency_us(timed) if timed else None
    return MlperfResult(
        benchmark=plan.benchmark.id,
        board_id=options.board.id,
        backend=options.backend,
        personality="mlperf",
        image_digest="",
        model_digest=plan.model.digest,
        basis=options.board.basis,
        build_id=says.build_id,
        unique_id=says.unique_id,
        loops=timed,
        median_latency_us=latency,
        median_throughput_hz=None if latency is None else 1e6 / latency,
        valid=not reasons,
        reasons=reasons,
        quality=quality,
    )


def _pattern(model: Model, benchmark: TinyBenchmark) -> TinyFile:
    size = sample_bytes(model, benchmark)
    if benchmark.sample == "float32":
        data = np.linspace(-60, 10, size // 4, dtype="<f4").tobytes()
    else:
        data = pattern_input(size)
    return TinyFile(name="pattern", samples=(data,), label=0)

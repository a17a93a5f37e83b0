"""A model alone under MLPerf Tiny's protocol: build with that personality, flash, measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from leadwire import reference
from leadwire.artifacts import MlperfResult
from leadwire.bench import pattern_input
from leadwire.device.mlperf_client import MlperfClient, link_baud
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
) -> MlperfResult:
    """`loops` timed loops, and with a `dataset` folder the quality over its first `files` files (0: all).

    Without a dataset the loops run on a fixed pattern. Iterations and warm-up are the benchmark's unless given.
    """
    model = read_model(path)
    benchmark = benchmark_of(model)
    found = (_pattern(model, benchmark),) if dataset is None else read_files(dataset, model, benchmark, most=files)
    options = replace(options, personality="mlperf")
    with work_folder(options) as folder:
        image = require_image(build_model(path, options, folder, watcher))
        watcher.stage("flash", False)
        with flash_image(image, options.target) as running:
            baud = link_baud(image, options.board.link.baud)
            with MlperfClient(running.port, baud, run_timeout_s=_RUN_TIMEOUT_S) as device:
                says = device.expect(image)
                watcher.stage("mlperf", False)
                timed = measure_loops(
                    device,
                    found,
                    loops=loops,
                    iterations=benchmark.iterations if iterations is None else iterations,
                    warmup=benchmark.warmup if warmup is None else warmup,
                    progress=lambda done, total: watcher.progress("loops", done, total),
                )
                quality = None
                if dataset is not None:
                    quality = measure_quality(
                        device,
                        found,
                        model,
                        benchmark,
                        witness=(lambda rows: reference.run_tflm(path, rows)) if reference.has_tflm() else None,
                        progress=lambda done, total: watcher.progress("quality", done, total),
                    )
    reasons = rule_breaks(timed, benchmark, options.board.basis)
    latency = median_latency_us(timed) if timed else None
    return MlperfResult(
        benchmark=benchmark.id,
        board_id=options.board.id,
        backend=image.backend,
        personality=image.personality,
        image_digest=image.digest,
        model_digest=model.digest,
        basis=options.board.basis,
        build_id=image.build_id,
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

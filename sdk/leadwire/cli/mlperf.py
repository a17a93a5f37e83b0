"""The verb of MLPerf Tiny's protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import BackendName, BoardId, Json, ModelFile, Port, Toolchain, Work, app, options_of, show, watcher


@app.command()
def mlperf(
    model: ModelFile,
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    port: Port = "",
    dataset: Annotated[
        Path | None, typer.Option("--dataset", help="Folder with y_labels.csv and its files: measures quality too.")
    ] = None,
    files: Annotated[int, typer.Option("--files", help="Only the first files of the dataset; 0: all.", min=0)] = 0,
    loops: Annotated[int, typer.Option("--loops", help="Timed loops; the rules want 5.", min=1, max=1000)] = 5,
    iterations: Annotated[
        int | None, typer.Option("--iterations", "-n", help="Inferences in a loop.", min=1, max=1_000_000)
    ] = None,
    warmup: Annotated[
        int | None, typer.Option("--warmup", help="Inferences before each loop.", min=0, max=10_000)
    ] = None,
    attach: Annotated[
        bool,
        typer.Option("--attach", help="Build and flash nothing: measure what runs on --port, also others' firmware."),
    ] = False,
    work: Work = None,
    as_json: Json = False,
) -> None:
    """Build a model with MLPerf Tiny's protocol, flash it, and take the benchmark's median latency and quality."""
    from leadwire.pipeline.mlperf import measure_mlperf
    from leadwire.views import mlperf as views

    with watcher() as progress:
        result = measure_mlperf(
            model,
            options_of(board, backend, toolchain, port, work, "mlperf"),
            progress,
            dataset=dataset,
            files=files,
            loops=loops,
            iterations=iterations,
            warmup=warmup,
            attach=attach,
        )
    show(result, as_json, views.result)

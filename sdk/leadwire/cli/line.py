"""The verbs of the line, in its order, from `run`, which is all of it, to `report`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from leadwire.errors import BadInputError

from .app import (
    Alignment,
    ArenaBytes,
    BackendName,
    BackendNames,
    BoardId,
    FastBytes,
    FastMemory,
    FlashFiles,
    Fresh,
    GoalName,
    Image,
    Json,
    ModelFile,
    Output,
    PersonalityName,
    Port,
    ProjectFile,
    Section,
    Toolchain,
    Work,
    app,
    image_of,
    judge,
    only_of_models,
    options_of,
    run_until,
    show,
    watcher,
    within_budget,
)


@app.command()
def run(
    project: ProjectFile,
    image: Image = None,
    flash_file: FlashFiles = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Do the whole line: quantize, budget, generate, build, flash, bench, validate, stress, report."""
    judge(run_until("report", project, output, fresh, as_json, image_of(image, flash_file)))


@app.command()
def analyze(
    model: ModelFile,
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    goal: GoalName = "size",
    fast_memory: FastMemory = "off",
    fast_bytes: FastBytes = None,
    image: Image = None,
    flash_file: FlashFiles = None,
    work: Work = None,
    as_json: Json = False,
) -> None:
    """MACs, arena, flash and RAM of a model on a board, operator by operator, before anything is flashed."""
    from leadwire.pipeline import alone
    from leadwire.views import line as views

    given = image_of(image, flash_file)
    fast = (fast_memory, fast_bytes)
    options = options_of(board, backend, toolchain, "", work, goal=goal, user_image=given, fast=fast)
    if options.board.port or options.user_image is not None:
        with alone.work_folder(options) as folder, watcher() as progress:
            built = alone.build_model(model, options, folder, progress)
    else:
        built = alone.plan_only(model, options)
    show(alone.analyze_model(built), as_json, views.analysis)
    within_budget(built)


@app.command()
def generate(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a full-INT8 .tflite file.")],
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    goal: GoalName = "size",
    fast_memory: FastMemory = "off",
    fast_bytes: FastBytes = None,
    personality: PersonalityName = "bench",
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the sources.")] = None,
    section: Section = "",
    alignment: Alignment = 16,
    arena_bytes: ArenaBytes = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Write the C sources of a model: kernels, weights, arena, self-test, and the bench firmware around them."""
    if source.suffix == ".toml":
        only_of_models(context, "board", "backend", "goal", "fast_memory", "fast_bytes")
        only_of_models(context, "personality", "out", "section", "alignment", "arena_bytes")
        run_until("generate", source, output, fresh, as_json)
        return
    from leadwire.pipeline import alone
    from leadwire.pipeline.sources import glue_options
    from leadwire.views import line as views

    options = replace(
        options_of(board, backend, "auto", personality=personality, goal=goal, fast=(fast_memory, fast_bytes)),
        glue=glue_options(section, alignment),
        arena_bytes=arena_bytes,
    )
    result = alone.generate_model(source, options, out or Path(f"{source.stem}-{Path(board).stem}"))
    show(result, as_json, views.project)


@app.command()
def package(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="A full-INT8 .tflite file, or leadwire.toml.")],
    ecosystem: Annotated[str, typer.Option("--for", help="cmake, zephyr, esp-idf, arduino, platformio or cmsis-pack.")],
    backend: Annotated[str, typer.Option("--backend", help="aot or tflm; default: the project's, else aot.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder that the package is written into.")] = None,
    archive: Annotated[bool, typer.Option("--archive", help="One file instead of a folder.")] = False,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="Evidence bundle about this model, to be named in the package.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Public key (PEM) of the bundle's trusted signer.")] = None,
    name: Annotated[str, typer.Option("--name", help="What the model is called; default: project or file name.")] = "",
    package_version: Annotated[str, typer.Option("--package-version", help="MAJOR.MINOR.PATCH.")] = "1.0.0",
    vendor: Annotated[str, typer.Option("--vendor", help="Who publishes the package.")] = "leadwire",
    url: Annotated[str, typer.Option("--url", help="The package's web page.")] = "",
    board: Annotated[
        str, typer.Option("--board", "-b", help="Adds the bench firmware for this board: zephyr and esp-idf.")
    ] = "",
    fast_memory: FastMemory = "off",
    fast_bytes: FastBytes = None,
    section: Section = "",
    alignment: Alignment = 16,
    arena_bytes: ArenaBytes = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Write the model as a package that a firmware project of an ecosystem takes as it is."""
    if source.suffix == ".toml":
        only_of_models(context, "fast_memory", "fast_bytes", "section", "alignment", "arena_bytes")
    from leadwire.board import load_board
    from leadwire.package import Publisher
    from leadwire.pipeline.packages import PackageOptions, package_model
    from leadwire.pipeline.sources import glue_options
    from leadwire.planner import FastRequest
    from leadwire.views import line as views

    options = PackageOptions(
        ecosystem=ecosystem,
        backend=backend,
        name=name,
        publisher=Publisher(version=package_version, vendor=vendor, url=url),
        archive=archive,
        evidence=evidence,
        key=key,
        output=output,
        glue=glue_options(section, alignment),
        arena_bytes=arena_bytes,
        board=load_board(board) if board else None,
        fast=FastRequest(region=fast_memory, limit_bytes=fast_bytes),
    )
    with watcher() as progress:
        result = package_model(source, options, out, progress)
    show(result, as_json, views.package)


@app.command()
def build(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a full-INT8 .tflite file.")],
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    goal: GoalName = "size",
    fast_memory: FastMemory = "off",
    fast_bytes: FastBytes = None,
    personality: PersonalityName = "bench",
    work: Work = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Compile and link the firmware; the same inputs give the same ELF on every machine."""
    if source.suffix == ".toml":
        only_of_models(
            context, "board", "backend", "toolchain", "goal", "fast_memory", "fast_bytes", "personality", "work"
        )
        run_until("build", source, output, fresh, as_json)
        return
    from leadwire.pipeline import alone
    from leadwire.views import line as views

    folder = work or Path(f"{source.stem}-{Path(board).stem}")
    fast = (fast_memory, fast_bytes)
    options = options_of(board, backend, toolchain, personality=personality, goal=goal, fast=fast)
    with watcher() as progress:
        built = alone.build_model(source, options, folder, progress)
    if built.image is not None:
        show(built.image, as_json, views.image)
    within_budget(built)


@app.command()
def flash(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a full-INT8 .tflite file.")],
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    port: Port = "",
    tool: Annotated[str, typer.Option("--tool", help="Another flash tool than the board's own.")] = "",
    flash_port: Annotated[
        str, typer.Option("--flash-port", help="Serial port of the boot loader, where it is not --port.")
    ] = "",
    probe: Annotated[str, typer.Option("--probe", help="Serial number of the debug probe.")] = "",
    usb: Annotated[str, typer.Option("--usb", help="USB location of the serial port, as 1-1.4.")] = "",
    unique_id: Annotated[
        str, typer.Option("--unique-id", help="The chip's number in hex; another chip is not written.")
    ] = "",
    image: Image = None,
    flash_file: FlashFiles = None,
    work: Work = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Put the image on the board, start it, and check by asking it that it is the image that was built."""
    place = {"tool": tool, "flash_port": flash_port, "probe": probe, "usb": usb, "unique_id": unique_id}
    if source.suffix == ".toml":
        only_of_models(context, "board", "backend", "toolchain", "port", "work", *place)
        run_until("flash", source, output, fresh, as_json, image_of(image, flash_file))
        return
    from leadwire.pipeline import alone
    from leadwire.views import line as views

    options = options_of(
        board,
        backend,
        toolchain,
        port,
        work,
        user_image=image_of(image, flash_file),
        tool=tool,
        flash_port=flash_port,
        probe_serial=probe,
        usb_location=usb,
        unique_id=unique_id,
    )
    with watcher() as progress:
        result = alone.flash_model(source, options, progress)
    show(result, as_json, views.flashed)


@app.command()
def bench(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a full-INT8 .tflite file.")],
    board: BoardId = "virtual-stm32f405",
    backend: BackendNames = "aot",
    toolchain: Toolchain = "auto",
    goal: GoalName = "size",
    fast_memory: FastMemory = "off",
    fast_bytes: FastBytes = None,
    port: Port = "",
    pattern: Annotated[
        bool,
        typer.Option(
            "--pattern", help="Only the fixed input whose byte i is (i*37+11) & 0xff; default: and random ones."
        ),
    ] = False,
    inputs: Annotated[int, typer.Option("--inputs", "-n", help="Measured inferences.", min=1, max=100_000)] = 20,
    warmup: Annotated[int, typer.Option("--warmup", help="Inferences before measuring.", min=0, max=10_000)] = 2,
    attach: Annotated[
        bool,
        typer.Option("--attach", help="Build and flash nothing: measure the firmware of a package on --port."),
    ] = False,
    image: Image = None,
    flash_file: FlashFiles = None,
    work: Work = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Build, flash and run a model alone: instructions, cycles, latency, operator shares, memory.

    With several backends each is run on the same inputs, and what differs stands side by side.
    """
    if source.suffix == ".toml":
        only_of_models(
            context,
            "board",
            "backend",
            "toolchain",
            "goal",
            "fast_memory",
            "fast_bytes",
            "port",
            "pattern",
            "inputs",
            "warmup",
            "work",
            "attach",
        )
        run_until("bench", source, output, fresh, as_json, image_of(image, flash_file))
        return
    from leadwire.pipeline import alone
    from leadwire.views import line as views

    fast = (fast_memory, fast_bytes)
    if attach:
        from leadwire.pipeline.attach import bench_running

        options = options_of(board, backend, toolchain, port, work, user_image=image_of(image, flash_file), fast=fast)
        with watcher() as progress:
            result = bench_running(source, options, progress, pattern=pattern, inputs=inputs, warmup=warmup)
        show(result, as_json, views.benchmark)
        return
    if "," in backend:
        if image is not None:
            raise BadInputError("--image has one backend", hint="name the one of the package with --backend")
        from leadwire.pipeline.backends import choose_several, compare_model

        if fast != ("off", None):
            raise BadInputError("--fast-memory is of backend aot alone", hint="measure it with --backend aot")
        several = choose_several(board, backend, toolchain, port, work, goal)
        with watcher() as progress:
            comparison = compare_model(source, several, progress, pattern=pattern, inputs=inputs, warmup=warmup)
        show(comparison, as_json, views.comparison)
        return
    given = image_of(image, flash_file)
    options = options_of(board, backend, toolchain, port, work, goal=goal, user_image=given, fast=fast)
    with watcher() as progress:
        result = alone.bench_model(source, options, progress, pattern=pattern, inputs=inputs, warmup=warmup)
    show(result, as_json, views.benchmark)


@app.command()
def validate(
    project: ProjectFile,
    image: Image = None,
    flash_file: FlashFiles = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Compare float, INT8 on the host and INT8 on the device on the test patients, judged by the protocol."""
    judge(run_until("validate", project, output, fresh, as_json, image_of(image, flash_file)))


@app.command()
def stress(project: ProjectFile, output: Output = None, fresh: Fresh = False, as_json: Json = False) -> None:
    """Run the protocol's stress conditions: does quantization hurt more when the signal is bad?"""
    judge(run_until("stress", project, output, fresh, as_json))


@app.command()
def report(
    project: ProjectFile,
    image: Image = None,
    flash_file: FlashFiles = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Write report.html, evidence.json and the signed bundle (stages already done are not run again)."""
    run_until("report", project, output, fresh, as_json, image_of(image, flash_file))

"""The command line: verbs of the flow, results on stdout (`--json` on each), progress and errors on stderr.

Every command imports what it needs inside its body, so that `leadwire --help` stays fast.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from leadwire import __version__
from leadwire.errors import BadInputError, BudgetError, LeadwireError, ValidationError

if TYPE_CHECKING:
    from leadwire.pipeline import Outcome
    from leadwire.pipeline.alone import Built, Options
    from leadwire.views import ConsoleWatcher

T = TypeVar("T")

app = typer.Typer(
    name="leadwire",
    help="From a trained ECG network to a measured, validated and signed result on a microcontroller.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit codes: 0 ok, 2 bad input, 3 unsupported model, 4 over budget, 5 build, 6 device, "
    "7 validation failed or inconclusive, 8 evidence invalid.",
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
BoardId = Annotated[str, typer.Option("--board", "-b", help="Board id ('leadwire boards') or a board file.")]
BackendName = Annotated[str, typer.Option("--backend", help="Code generator: aot.")]
BackendNames = Annotated[
    str, typer.Option("--backend", help="aot, tflm, or several with commas between, to compare them.")
]
Toolchain = Annotated[
    str, typer.Option("--toolchain", help="zig (from PyPI) or arm-none-eabi-gcc; default: zig, for tflm the latter.")
]
Port = Annotated[
    str, typer.Option("--port", "-p", help="Serial port of a real board, or of an emulated one that runs already.")
]
Work = Annotated[
    Path | None, typer.Option("--work", help="Folder for generated sources and images; default: temporary.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Output folder instead of the project file's.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Run every stage again, also those whose inputs did not change.")]
ModelFile = Annotated[Path, typer.Argument(help="A full-INT8 .tflite file.")]
ProjectFile = Annotated[Path, typer.Argument(help="The project file, leadwire.toml.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"leadwire {__version__}")
        raise typer.Exit
    context.obj = None


@app.command()
def run(project: ProjectFile, output: Output = None, fresh: Fresh = False, as_json: Json = False) -> None:
    """Do the whole line: quantize, budget, generate, build, flash, bench, validate, report."""
    _judge(_run_until("report", project, output, fresh, as_json))


@app.command()
def quantize(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a .keras, .h5, SavedModel or float .tflite model.")],
    dataset: Annotated[str, typer.Option("--dataset", help="Dataset id or file that calibration is drawn from.")] = "",
    split: Annotated[str, typer.Option("--split", help="The dataset's split to calibrate on.")] = "train",
    out: Annotated[Path | None, typer.Option("--out", help="The .tflite file to write.")] = None,
    count: Annotated[int, typer.Option("--count", help="Calibration inputs.", min=1, max=1_000_000)] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw.", min=0)] = 1,
    stratify: Annotated[str, typer.Option("--stratify", help="class, patient or class+patient.")] = "class+patient",
    per_tensor_dense: Annotated[
        bool, typer.Option("--per-tensor-dense", help="One scale for each Dense layer.")
    ] = False,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Quantize a Keras model to full-integer INT8 TFLite, calibrated by a stated policy."""
    if source.suffix == ".toml":
        _only_of_models(context, "dataset", "split", "out", "count", "seed", "stratify", "per_tensor_dense")
        _run_until("quantize", source, output, fresh, as_json)
        return
    from leadwire import views
    from leadwire.pipeline import alone

    if not dataset:
        raise BadInputError("quantize needs inputs to calibrate with", hint="add --dataset ID, or give a leadwire.toml")
    result = alone.quantize_file(
        source,
        dataset,
        out or source.with_suffix(".int8.tflite"),
        split=split,
        count=count,
        seed=seed,
        stratify=stratify,
        per_tensor_dense=per_tensor_dense,
    )
    _show(result, as_json, views.quantized)


@app.command()
def analyze(
    model: ModelFile,
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    work: Work = None,
    as_json: Json = False,
) -> None:
    """MACs, arena, flash and RAM of a model on a board, operator by operator, before anything is flashed."""
    from leadwire import views
    from leadwire.pipeline import alone

    options = _options(board, backend, toolchain, "", work)
    with alone.work_folder(options) as folder, _watcher() as watcher:
        built = alone.build_model(model, options, folder, watcher)
    _show(alone.analyze_model(built), as_json, views.analysis)
    _within_budget(built)


@app.command()
def generate(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a full-INT8 .tflite file.")],
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the sources.")] = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Write the C sources of a model: kernels, weights, arena, self-test, and the bench firmware around them."""
    if source.suffix == ".toml":
        _only_of_models(context, "board", "backend", "out")
        _run_until("generate", source, output, fresh, as_json)
        return
    from leadwire import views
    from leadwire.pipeline import alone

    result = alone.generate_model(
        source, _options(board, backend, "zig"), out or Path(f"{source.stem}-{Path(board).stem}")
    )
    _show(result, as_json, views.project)


@app.command()
def package(
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
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Write the model as a package that a firmware project of an ecosystem takes as it is."""
    from leadwire import views
    from leadwire.package import Publisher
    from leadwire.pipeline.packages import PackageOptions, package_model

    options = PackageOptions(
        ecosystem=ecosystem,
        backend=backend,
        name=name,
        publisher=Publisher(version=package_version, vendor=vendor, url=url),
        archive=archive,
        evidence=evidence,
        key=key,
        output=output,
    )
    with _watcher() as watcher:
        result = package_model(source, options, out, watcher)
    _show(result, as_json, views.package)


@app.command()
def build(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a full-INT8 .tflite file.")],
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    work: Work = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Compile and link the firmware; the same inputs give the same ELF on every machine."""
    if source.suffix == ".toml":
        _only_of_models(context, "board", "backend", "toolchain", "work")
        _run_until("build", source, output, fresh, as_json)
        return
    from leadwire import views
    from leadwire.pipeline import alone

    folder = work or Path(f"{source.stem}-{Path(board).stem}")
    with _watcher() as watcher:
        built = alone.build_model(source, _options(board, backend, toolchain), folder, watcher)
    if built.image is not None:
        _show(built.image, as_json, views.image)
    _within_budget(built)


@app.command()
def flash(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a full-INT8 .tflite file.")],
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    port: Port = "",
    work: Work = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Put the image on the board, start it, and check by asking it that it is the image that was built."""
    if source.suffix == ".toml":
        _only_of_models(context, "board", "backend", "toolchain", "port", "work")
        _run_until("flash", source, output, fresh, as_json)
        return
    from leadwire import views
    from leadwire.pipeline import alone

    with _watcher() as watcher:
        result = alone.flash_model(source, _options(board, backend, toolchain, port, work), watcher)
    _show(result, as_json, views.device)


@app.command()
def bench(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="leadwire.toml, or a full-INT8 .tflite file.")],
    board: BoardId = "virtual-stm32f405",
    backend: BackendNames = "aot",
    toolchain: Toolchain = "auto",
    port: Port = "",
    pattern: Annotated[
        bool,
        typer.Option(
            "--pattern", help="Only the fixed input whose byte i is (i*37+11) & 0xff; default: and random ones."
        ),
    ] = False,
    inputs: Annotated[int, typer.Option("--inputs", "-n", help="Measured inferences.", min=1, max=100_000)] = 20,
    warmup: Annotated[int, typer.Option("--warmup", help="Inferences before measuring.", min=0, max=10_000)] = 2,
    work: Work = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Build, flash and run a model alone: instructions, cycles, latency, operator shares, memory.

    With several backends each is run on the same inputs, and what differs stands side by side.
    """
    if source.suffix == ".toml":
        _only_of_models(context, "board", "backend", "toolchain", "port", "pattern", "inputs", "warmup", "work")
        _run_until("bench", source, output, fresh, as_json)
        return
    from leadwire import views
    from leadwire.pipeline import alone

    if "," in backend:
        from leadwire.pipeline.backends import choose_several, compare_model

        several = choose_several(board, backend, toolchain, port, work)
        with _watcher() as watcher:
            comparison = compare_model(source, several, watcher, pattern=pattern, inputs=inputs, warmup=warmup)
        _show(comparison, as_json, views.comparison)
        return
    options = _options(board, backend, toolchain, port, work)
    with _watcher() as watcher:
        result = alone.bench_model(source, options, watcher, pattern=pattern, inputs=inputs, warmup=warmup)
    _show(result, as_json, views.benchmark)


@app.command()
def validate(project: ProjectFile, output: Output = None, fresh: Fresh = False, as_json: Json = False) -> None:
    """Compare float, INT8 on the host and INT8 on the device on the test patients, judged by the protocol."""
    _judge(_run_until("validate", project, output, fresh, as_json))


@app.command()
def report(project: ProjectFile, output: Output = None, fresh: Fresh = False, as_json: Json = False) -> None:
    """Write report.html, evidence.json and the signed bundle (stages already done are not run again)."""
    _run_until("report", project, output, fresh, as_json)


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="The evidence bundle (.leadwire-evidence.zip).")],
    key: Annotated[
        Path | None, typer.Option("--key", help="The signer's public key (PEM), got from the signer.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every byte of an evidence bundle against its signed statement."""
    from leadwire import views
    from leadwire.evidence.bundle import verify_bundle

    _show(verify_bundle(bundle, key), as_json, views.verified)


@app.command()
def boards(
    board: Annotated[str, typer.Argument(help="One board's id, for its details.")] = "",
    as_json: Json = False,
) -> None:
    """List the boards, or show one."""
    from leadwire import views
    from leadwire.board import list_boards, load_board

    found = [load_board(board)] if board else [load_board(name) for name in list_boards()]
    _show(found, as_json, views.boards)


@app.command()
def emulate(
    elf: Annotated[Path, typer.Argument(help="A firmware image (ELF) for the board.")],
    board: BoardId = "virtual-stm32f405",
    as_json: Json = False,
) -> None:
    """Run an image on the emulated board until Ctrl-C; its serial port is printed and opens like any other."""
    from leadwire.board import load_board
    from leadwire.emulator import run_until_interrupted

    run_until_interrupted(elf, load_board(board), lambda port: _print_line({"port": port, "board": board}, as_json))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write leadwire.toml.")] = Path(),
    model: Annotated[str, typer.Option("--model", help="The model's file name.")] = "model.keras",
    dataset: Annotated[str, typer.Option("--dataset", help="Dataset id or file.")] = "mitdb",
    as_json: Json = False,
) -> None:
    """Write a commented leadwire.toml."""
    from leadwire.project import write_template

    path = write_template(folder, model=model, dataset=dataset)
    _print_line({"written": str(path)}, as_json)


@app.command()
def doctor(
    source: Annotated[
        Path | None, typer.Argument(help="leadwire.toml or a .tflite file: are its operators in TFLite Micro?")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what this installation has: toolchains, emulators, witnesses, TFLite Micro, data, serial ports."""
    from leadwire import views
    from leadwire.doctor import diagnose

    _show(diagnose(source), as_json, views.diagnosis)


# ------------------------------------------------------------------------------------------------ plumbing


def _options(board: str, backend: str, toolchain: str, port: str = "", work: Path | None = None) -> Options:
    from leadwire.pipeline.alone import choose

    return choose(board, backend, toolchain, port, work)


def _only_of_models(context: typer.Context, *names: str) -> None:
    """A project file says these itself: an option that would be ignored is refused."""
    sources = {name: context.get_parameter_source(name) for name in names}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise BadInputError(f"{options} cannot be given with a project file", hint="set it in the project file")


def _run_until(stage: str, project: Path, output: Path | None, fresh: bool, as_json: bool) -> Outcome:
    """Run a project up to a stage and show what it gave."""
    from leadwire import pipeline, views
    from leadwire.project import load_project

    loaded = load_project(project, output=output)
    with _watcher() as watcher:
        outcome = pipeline.run_project(loaded, until=stage, watcher=watcher, fresh=fresh)
    _show(outcome, as_json, views.outcome)
    return outcome


def _within_budget(built: Built) -> None:
    """Exit 4 where the model is over the board's budget."""
    from leadwire.pipeline.alone import require_budget

    try:
        require_budget(built)
    except BudgetError as error:
        _end(error)


def _judge(outcome: Outcome) -> None:
    """Exit 7 where a validation did not pass; the first board that did not decides."""
    for one in outcome.boards:
        if one.validation is not None and one.validation.verdict != "pass":
            hint = "read the accuracy section of the report" if one.bundle else ""
            _end(ValidationError(one.validation.verdict, one.validation.reasons, hint=hint))


def _watcher() -> ConsoleWatcher:
    from leadwire.views import ConsoleWatcher

    return ConsoleWatcher()


def _show(result: T, as_json: bool, view: Callable[[T], None]) -> None:
    """Print a result, as JSON or through its view. NaN and infinity become null."""
    if not as_json:
        view(result)
        return
    from pydantic import TypeAdapter

    print(TypeAdapter(Any).dump_json(result, indent=2).decode())


def _print_line(fields: dict[str, str], as_json: bool) -> None:
    print(json.dumps(fields) if as_json else "\n".join(f"{key}: {value}" for key, value in fields.items()), flush=True)


def _end(error: LeadwireError) -> NoReturn:
    """The result is on stdout already; say on stderr why it does not do, and exit."""
    hint = f"\ntry: {error.hint}" if error.hint else ""
    print(f"error: {error.message}{hint}  [exit {error.exit_code}]", file=sys.stderr)
    sys.exit(error.exit_code)


def _fail(error: LeadwireError) -> NoReturn:
    """There is no result; with --json the error itself is what stdout gets."""
    if "--json" in sys.argv:
        problem = {
            "kind": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        print(json.dumps({"error": problem}, indent=2, sort_keys=True))
    _end(error)


def _end_in_order() -> None:
    """Make SIGTERM and SIGHUP (a cancelled job, a closed terminal) an exit that takes children and temporary folders
    along. A second one does not disturb it; one that the caller wants ignored (nohup) stays ignored."""
    names = ("SIGTERM", "SIGHUP")
    ending = [one for one in signal.Signals if one.name in names and signal.getsignal(one) is signal.SIG_DFL]

    def leave(number: int, _: object) -> NoReturn:
        for one in ending:
            signal.signal(one, signal.SIG_IGN)
        sys.exit(128 + number)

    for one in ending:
        signal.signal(one, leave)


def main() -> NoReturn:
    """Entry point: the only place that prints errors and turns them into exit codes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _end_in_order()
    try:
        app(standalone_mode=True)
    except LeadwireError as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        _fail(
            BadInputError(
                f"{error.filename or 'file'}: {error.strerror or error}", hint="check path, rights and free space"
            )
        )
    except Exception as error:
        if os.environ.get("LEADWIRE_TRACEBACK"):
            raise
        print(
            f"error: leadwire has a bug: {type(error).__name__}: {error}\n"
            "try: run again with LEADWIRE_TRACEBACK=1 and report the output  [exit 1]",
            file=sys.stderr,
        )
        sys.exit(1)
    sys.exit(0)

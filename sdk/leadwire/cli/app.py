"""The Typer application, the options that several verbs share, and how results and errors are shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from leadwire import __version__
from leadwire.errors import BadInputError, BudgetError, LeadwireError, ValidationError

if TYPE_CHECKING:
    from leadwire.artifacts import UserImage
    from leadwire.pipeline import Outcome
    from leadwire.pipeline.alone import Built, Options
    from leadwire.views.console import ConsoleWatcher

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
BackendName = Annotated[str, typer.Option("--backend", help="Code generator: aot, or tflm: TFLite Micro.")]
BackendNames = Annotated[
    str, typer.Option("--backend", help="aot, tflm, or several with commas between, to compare them.")
]
Toolchain = Annotated[
    str, typer.Option("--toolchain", help="zig (from PyPI) or arm-none-eabi-gcc; default: zig, for tflm the latter.")
]
GoalName = Annotated[
    str,
    typer.Option("--goal", help="size: weights of few values packed; balanced: bytes; speed: wider, as flash allows."),
]
FastMemory = Annotated[
    str,
    typer.Option(
        "--fast-memory",
        help="off, auto (CCM or TCM) or a memory region of the board for what gains most; NAME:arena, NAME:weights.",
    ),
]
FastBytes = Annotated[
    int | None, typer.Option("--fast-bytes", help="This model's share of that region; default: all.", min=1, max=2**32)
]
PersonalityName = Annotated[
    str, typer.Option("--personality", help="What the firmware speaks: bench, mlperf or mlperf-energy.")
]
Port = Annotated[
    str, typer.Option("--port", "-p", help="Serial port of a real board, or of an emulated one that runs already.")
]
Section = Annotated[
    str, typer.Option("--section", help="Linker section of the model's array; backend tflm. Default: the compiler's.")
]
Alignment = Annotated[
    int, typer.Option("--alignment", help="Alignment of the model's array in bytes; backend tflm.", min=1)
]
ArenaBytes = Annotated[
    int | None,
    typer.Option("--arena-bytes", help="Arena of TFLite Micro; default: computed, with a margin.", min=1, max=2**31),
]
Image = Annotated[
    Path | None,
    typer.Option("--image", help="The ELF that you built from leadwire's package: taken instead of building one."),
]
FlashFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--flash-file",
        help="With --image: the .hex, .bin or .uf2 to write, or ESP-IDF's flasher_args.json; may be repeated.",
    ),
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


def options_of(
    board: str,
    backend: str,
    toolchain: str,
    port: str = "",
    work: Path | None = None,
    personality: str = "bench",
    goal: str = "size",
    user_image: UserImage | None = None,
    fast: tuple[str, int | None] = ("off", None),
    **place: str,
) -> Options:
    """`fast`: a second memory region and the share of it. `place`: further fields of leadwire.device.target.Target."""
    from leadwire.pipeline.alone import choose
    from leadwire.planner import FastRequest

    options = choose(board, backend, toolchain, port, work, personality, goal, user_image, **place)
    return replace(options, fast=FastRequest(region=fast[0], limit_bytes=fast[1]))


def image_of(elf: Path | None, flash_files: list[Path] | None) -> UserImage | None:
    """The image of --image and --flash-file, None without."""
    from leadwire.artifacts import UserImage

    if elf is None:
        if flash_files:
            raise BadInputError("--flash-file is of an image that you built", hint="add --image ELF")
        return None
    return UserImage(elf=elf.resolve(), flash_files=tuple(file.resolve() for file in flash_files or ()))


def only_of_models(context: typer.Context, *names: str) -> None:
    """A project file says these itself: an option that would be ignored is refused."""
    sources = {name: context.get_parameter_source(name) for name in names}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise BadInputError(f"{options} cannot be given with a project file", hint="set it in the project file")


def run_until(
    stage: str, project: Path, output: Path | None, fresh: bool, as_json: bool, image: UserImage | None = None
) -> Outcome:
    """Run a project up to a stage and show what it gave; the `image` is the first board's."""
    from leadwire import pipeline
    from leadwire.project import load_project
    from leadwire.views import line as views

    loaded = load_project(project, output=output).with_image(image)
    with watcher() as progress:
        outcome = pipeline.run_project(loaded, until=stage, watcher=progress, fresh=fresh)
    show(outcome, as_json, views.outcome)
    return outcome


def within_budget(built: Built) -> None:
    """Exit 4 where the model is over the board's budget. A board without a port has no image to judge."""
    from leadwire.pipeline.alone import require_budget, require_reports

    try:
        if built.board.port or built.image is not None:
            require_budget(built)
        else:
            require_reports(built)
    except BudgetError as error:
        end(error)


def judge(outcome: Outcome) -> None:
    """Exit 7 where a validation did not pass; the first board that did not decides."""
    for one in outcome.boards:
        if one.validation is not None and one.validation.verdict != "pass":
            hint = "read the accuracy section of the report" if one.bundle else ""
            end(ValidationError(one.validation.verdict, one.validation.reasons, hint=hint))


def watcher() -> ConsoleWatcher:
    from leadwire.views.console import ConsoleWatcher

    return ConsoleWatcher()


def show(result: T, as_json: bool, view: Callable[[T], None]) -> None:
    """Print a result, as JSON or through its view. NaN and infinity become null."""
    if not as_json:
        view(result)
        return
    from pydantic import TypeAdapter

    print(TypeAdapter(Any).dump_json(result, indent=2).decode())


def print_line(fields: dict[str, str], as_json: bool) -> None:
    print(json.dumps(fields) if as_json else "\n".join(f"{key}: {value}" for key, value in fields.items()), flush=True)


def end(error: LeadwireError) -> NoReturn:
    """The result is on stdout already; say on stderr why it does not do, and exit."""
    hint = f"\ntry: {error.hint}" if error.hint else ""
    print(f"error: {error.message}{hint}  [exit {error.exit_code}]", file=sys.stderr)
    sys.exit(error.exit_code)

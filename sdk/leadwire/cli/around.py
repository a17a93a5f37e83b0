"""The verbs around the line: boards, emulate, init, doctor."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from leadwire import __version__
from leadwire.errors import BadInputError, DeviceError

from .app import BoardId, Json, app, end, print_line, show


@app.command()
def boards(
    board: Annotated[str, typer.Argument(help="One board's id, for its details.")] = "",
    fits: Annotated[
        Path | None, typer.Option("--fits", help="A full-INT8 .tflite file: rank the boards by margin.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the boards, show one, or rank them for a model."""
    from leadwire.board import list_boards, load_board
    from leadwire.views import around as views

    if fits is not None:
        from leadwire.pipeline.forecast import rank_boards
        from leadwire.views.forecast import ranking

        if board:
            raise BadInputError("--fits ranks all boards", hint="leave out the board's id")
        show(rank_boards(fits), as_json, ranking)
        return
    found = [load_board(board)] if board else [load_board(name) for name in list_boards()]
    show(found, as_json, views.boards)


@app.command()
def emulate(
    elf: Annotated[Path | None, typer.Argument(help="A firmware image (ELF) for the board.")] = None,
    board: BoardId = "virtual-stm32f405",
    unique_id: Annotated[
        str, typer.Option("--unique-id", help="24 hex digits that the built-in emulator's chip answers as its id.")
    ] = "",
    boot_loader: Annotated[
        str,
        typer.Option(
            "--boot-loader", help="Instead of an image: an3155, samba or mcuboot, for 'leadwire flash' over the port."
        ),
    ] = "",
    flash: Annotated[
        Path | None, typer.Option("--flash-file", help="File that keeps what the flash holds from one run to the next.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run an image on the emulated board until Ctrl-C; its serial port is printed and opens like any other."""
    from tempfile import TemporaryDirectory

    from leadwire.board import load_board, with_unique_id
    from leadwire.build.bootloader import IN_SYSTEM_MEMORY, build_bootloader
    from leadwire.emulator import Chip, run_until_interrupted

    emulated = with_unique_id(load_board(board), unique_id) if unique_id else load_board(board)
    if (elf is None) == (not boot_loader):
        raise BadInputError("emulate runs either an image or a boot loader", hint="give an ELF file, or --boot-loader")
    with TemporaryDirectory(prefix="leadwire-") as folder:
        program = elf or build_bootloader(boot_loader, emulated, Path(folder))
        chip = Chip(flash=flash, boot0=boot_loader in IN_SYSTEM_MEMORY)
        run_until_interrupted(program, emulated, lambda port: print_line({"port": port, "board": board}, as_json), chip)


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
    print_line({"written": str(path)}, as_json)


@app.command()
def doctor(
    source: Annotated[
        Path | None, typer.Argument(help="leadwire.toml or a .tflite file: are its operators in TFLite Micro?")
    ] = None,
    port: Annotated[
        str | None,
        typer.Option("--port", "-p", help="Look at this port and the board behind it instead.", show_default=False),
    ] = None,
    board: Annotated[
        str, typer.Option("--board", "-b", help="With --port: the board that should be there.", show_default=False)
    ] = "",
    model: Annotated[
        Path | None, typer.Option("--model", help="With --port: the .tflite file it should run.", show_default=False)
    ] = None,
    build: Annotated[
        str, typer.Option("--build", help="With --port: the build id it should have.", show_default=False)
    ] = "",
    as_json: Json = False,
) -> None:
    """Say what this installation has; or, with --port, what is the matter with a port, its line and its board."""
    from leadwire import doctor as doctors
    from leadwire.board import load_board
    from leadwire.pipeline.sources import read_model
    from leadwire.views import around as views

    if port is None:
        if board or model or build:
            raise BadInputError("--board, --model and --build are about a port", hint="add --port")
        show(doctors.diagnose(source), as_json, views.diagnosis)
        return
    if not port:
        raise BadInputError("--port is empty", hint="name the port, or leave --port out to look at the installation")
    if build and not re.fullmatch(r"[0-9a-fA-F]{32}", build):
        raise BadInputError(f"--build '{build}' is no build id: 32 hex digits", hint="see 'leadwire build --json'")
    expected = doctors.Expected(
        board=load_board(board) if board else None,
        model_digest="" if model is None else read_model(model).digest,
        build_id=build.lower(),
    )
    found = doctors.Diagnosis(version=__version__, checks=doctors.diagnose_port(port, expected))
    show(found, as_json, views.diagnosis)
    if codes := [check.code for check in found.checks if not check.ok]:
        end(DeviceError(f"port '{port}': {', '.join(codes)}", hint="docs/manual/doctor.md explains each code"))

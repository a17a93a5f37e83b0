"""The verbs of a rig: run, list, check, enroll."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadwire.errors import BadInputError, DeviceError, ValidationError

from .app import Fresh, Json, app, end, show, watcher

rig = typer.Typer(help="Many boards at once, from a rig file: run a model on all, see what is there, enrol a board.")
app.add_typer(rig, name="rig", no_args_is_help=True)

RigFile = Annotated[Path, typer.Argument(help="The rig file, rig.toml.")]
Boards = Annotated[list[str] | None, typer.Option("--board", "-b", help="Only this board of the rig; may be repeated.")]


@rig.command()
def run(
    file: RigFile,
    source: Annotated[Path, typer.Argument(help="A full-INT8 .tflite file, or leadwire.toml.")],
    boards: Boards = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder instead of the rig file's.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Where to write JUnit XML instead.")] = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Build, flash and measure a model on all boards at once, and compare every output with the reference.

    Exit code 6 where a board could not be measured, 7 where one gave wrong bytes or is over budget.
    """
    from leadwire.evidence.audit import log_path
    from leadwire.evidence.audited import audited
    from leadwire.rig.crew import Crew
    from leadwire.rig.file import load_rig
    from leadwire.rig.ledger import Ledger
    from leadwire.rig.workload import prepare
    from leadwire.views import rig as views
    from leadwire.workspace import file_digest

    loaded = load_rig(file, output=output)
    chosen = loaded.only(tuple(boards or ()))
    facts = {
        "verb": "rig run",
        "rig": loaded.name,
        "rig_sha256": file_digest(file),
        "source": source.name,
        "source_sha256": file_digest(source) if source.is_file() else "",
        "boards": [one.name for one in chosen],
    }
    with Ledger(loaded, junit) as ledger, audited(log_path(loaded.output), facts) as audit:
        with watcher() as progress:
            workload = prepare(source, loaded, chosen, progress, fresh=fresh)
        ledger.begin(workload)
        with views.LiveBoards() as live:
            report = Crew(loaded, chosen, workload, ledger, live.show).run()
        states = {board.name: board.state for board in report.boards}
        audit.note("end", exit_code=report.exit_code, states=states, model_sha256=report.model_digest)
    show(report, as_json, views.report)
    bad = [board for board in report.boards if board.state != "passed"]
    if report.exit_code == DeviceError.exit_code:
        lost = [board for board in bad if board.state != "failed"]
        named = "\n".join(f"  {one.name}: {one.problem.message if one.problem else one.state}" for one in lost)
        hint = next((one.problem.hint for one in lost if one.problem and one.problem.hint), "")
        end(DeviceError(f"{len(lost)} of {len(report.boards)} boards could not be measured\n{named}", hint=hint))
    if bad:
        end(ValidationError("fail", [one.problem.message if one.problem else one.name for one in bad]))


@rig.command(name="list")
def list_(file: RigFile, as_json: Json = False) -> None:
    """Show what a rig file says, without looking at any board."""
    from leadwire.rig.file import load_rig
    from leadwire.views import rig as views

    show(load_rig(file), as_json, views.listing)


@rig.command()
def check(file: RigFile, boards: Boards = None, as_json: Json = False) -> None:
    """Look which boards are there, free, and the ones that the rig file means. Nothing is written to any board."""
    from leadwire.rig.file import load_rig
    from leadwire.rig.presence import look
    from leadwire.views import rig as views

    loaded = load_rig(file)
    found = look(loaded, loaded.only(tuple(boards or ())))
    show(found, as_json, views.presence)
    missing = [one for one in found if not one.usable]
    if missing:
        named = ", ".join(f"{one.name} ({one.state})" for one in missing)
        end(DeviceError(f"{len(missing)} of {len(found)} boards cannot run now: {named}"))


@rig.command()
def enroll(
    port: Annotated[str, typer.Option("--port", "-p", help="Only the board on this port.")] = "",
    board: Annotated[str, typer.Option("--board", "-b", help="What kind of board it is; default: as it says.")] = "",
    name: Annotated[str, typer.Option("--name", help="What the rig calls it.")] = "",
    write: Annotated[Path | None, typer.Option("--write", help="Append to this rig file, or begin it.")] = None,
    as_json: Json = False,
) -> None:
    """Ask the boards that are plugged in who they are, and print or write their entries for a rig file."""
    from leadwire.rig.enroll import look_around, write_entries
    from leadwire.views import rig as views

    found = look_around(port=port, board=board, name=name)
    if not found and write is None:
        raise BadInputError("no USB serial port is plugged in", hint="name another port with --port")
    if write is not None:
        write_entries(write, found)
    show(found, as_json, views.enrolled)

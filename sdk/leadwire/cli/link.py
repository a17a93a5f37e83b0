"""The verbs of the serial link: proxy, soak."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadwire.errors import DeviceError

from .app import (
    BackendName,
    BoardId,
    Json,
    ModelFile,
    Port,
    Toolchain,
    Work,
    app,
    end,
    options_of,
    print_line,
    show,
    watcher,
)

Rate = Annotated[float | None, typer.Option(help="Probability for each byte.", show_default=False)]


@app.command()
def proxy(
    port: Annotated[str, typer.Argument(help="The port behind: a device path or a pyserial URL.")],
    faults: Annotated[
        str, typer.Option("--faults", help="A profile (corrupt, drops, storm, ...) and NAME=VALUE, commas between.")
    ] = "none",
    corrupt: Rate = None,
    flip: Rate = None,
    drop: Rate = None,
    duplicate: Rate = None,
    stall: Rate = None,
    reset: Rate = None,
    unplug: Rate = None,
    pace: Annotated[int | None, typer.Option(help="Let bytes pass at this baud rate.", show_default=False)] = None,
    board_baud: Annotated[
        int | None, typer.Option(help="The board talks at this rate: another one gives garbage.", show_default=False)
    ] = None,
    baud: Annotated[int, typer.Option("--baud", help="Rate at which the port behind is opened.", min=1)] = 115200,
    seed: Annotated[int, typer.Option("--seed", help="The same seed, the same faults.")] = 1,
    as_json: Json = False,
) -> None:
    """A bad line on purpose: prints the port to open instead of PORT, and damages what passes, until Ctrl-C."""
    import time
    from dataclasses import replace

    from leadwire.device.faults import choose_faults
    from leadwire.device.proxy import FaultProxy
    from leadwire.views import link as views

    given = {
        "corrupt": corrupt,
        "flip": flip,
        "drop": drop,
        "duplicate": duplicate,
        "stall": stall,
        "reset": reset,
        "unplug": unplug,
        "pace_baud": pace,
        "board_baud": board_baud,
    }
    chosen = replace(choose_faults(faults), **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    with FaultProxy(port, chosen, baud=baud, seed=seed) as running:
        print_line({"port": running.port, "faults": chosen.described}, as_json)
        try:
            while running.error is None:
                time.sleep(0.2)
        except KeyboardInterrupt:
            pass
        finally:
            show(views.Carried(*running.carried, dict(running.struck)), as_json, views.carried)
        if running.error is not None:
            raise running.error


@app.command()
def soak(
    model: ModelFile,
    board: BoardId = "virtual-stm32f405",
    inferences: Annotated[int, typer.Option("--inferences", "-n", help="Inferences.", min=1, max=10_000_000)] = 2000,
    faults: Annotated[
        str, typer.Option("--faults", help="A profile (corrupt, drops, storm, ...) and NAME=VALUE, commas between.")
    ] = "corrupt",
    seed: Annotated[int, typer.Option("--seed", help="Of inputs and faults.", min=0)] = 1,
    journal: Annotated[
        Path | None, typer.Option("--journal", help="Keep what was answered here: a soak that was killed goes on.")
    ] = None,
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    port: Port = "",
    work: Work = None,
    as_json: Json = False,
) -> None:
    """Thousands of inferences over a bad line: every answer checked; retries, losses, goodput beside a good line."""
    from leadwire.device.faults import choose_faults
    from leadwire.pipeline.soak import soak_model
    from leadwire.views import link as views

    options, chosen = options_of(board, backend, toolchain, port, work), choose_faults(faults)
    with watcher() as progress:
        result = soak_model(model, options, progress, inferences=inferences, faults=chosen, seed=seed, journal=journal)
    show(result, as_json, views.soaked)
    if not result.passed:
        end(DeviceError(f"{result.wrong} wrong and {result.missing} missing answers of {result.inferences}"))

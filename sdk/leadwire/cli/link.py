"""The verbs of the serial link: proxy."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import Json, app, print_line, show

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

"""The verb forecast: a latency on a board that is not at hand, and how far off such forecasts were."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadwire.errors import BadInputError

from .app import Json, app, show


@app.command()
def forecast(
    model: Annotated[Path | None, typer.Argument(help="A full-INT8 .tflite file.")] = None,
    board: Annotated[str, typer.Option("--board", "-b", help="Board id ('leadwire boards') or a board file.")] = "",
    by: Annotated[
        str, typer.Option("--by", help="counts (execute it on the emulated board) or macs (multiplications by kind).")
    ] = "counts",
    goal: Annotated[str, typer.Option("--goal", help="size, balanced or speed, as for generate.")] = "size",
    errors: Annotated[
        bool, typer.Option("--errors", help="Show the leave-one-out errors on the published table.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Estimate the latency of a model on a board that nobody has on the desk, with a band. Never enough for a pass."""
    from leadwire.views import forecast as views

    if errors:
        from leadwire.forecast.errors_table import forecast_errors

        if model is not None or board:
            raise BadInputError("--errors is about the published table", hint="leave out model and --board")
        show(forecast_errors(), as_json, views.errors)
        return
    if model is None or not board:
        raise BadInputError("a forecast needs a model and a board", hint="leadwire forecast MODEL --board ID")
    from leadwire.board import load_board
    from leadwire.pipeline.forecast import forecast_model

    show(forecast_model(model, load_board(board), by, goal), as_json, views.forecast)

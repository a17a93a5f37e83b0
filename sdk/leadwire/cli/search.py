"""The verb that searches networks under a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import Json, Output, app, show


@app.command()
def search(
    plan: Annotated[Path, typer.Argument(help="The search (TOML): families, ranges, objectives, budget, data.")],
    output: Output = None,
    trials: Annotated[int | None, typer.Option("--trials", help="How many in all.", min=1, max=100_000)] = None,
    workers: Annotated[int, typer.Option("--workers", help="Candidates judged at a time.", min=1, max=1024)] = 1,
    ray: Annotated[
        str | None, typer.Option("--ray", help="Address of a Ray cluster, or 'local' for one of processes here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Search networks and recipes that fit a board: F1, flash, RAM and instructions; goes on where it was cut."""
    from leadwire.compress.search import load_search
    from leadwire.pipeline.search import search_networks
    from leadwire.views import search as views
    from leadwire.views.console import ConsoleWatcher

    loaded = load_search(plan, output=output, trials=trials)
    with ConsoleWatcher() as watcher:
        result = search_networks(loaded, watcher, workers=workers, ray=ray)
    show(result, as_json, views.search)

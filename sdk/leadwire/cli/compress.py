"""The verb that makes a network smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import Fresh, Json, Output, app, show


@app.command()
def compress(
    recipe: Annotated[Path, typer.Argument(help="The recipe (TOML): a model, the data, and the steps.")],
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Run a recipe's steps on a Keras model; after each: accuracy on test patients, flash, RAM, instructions."""
    import dataclasses
    import json

    from leadwire.compress import load_recipe
    from leadwire.pipeline.compress import compress_model
    from leadwire.views import compress as views
    from leadwire.views.console import ConsoleWatcher
    from leadwire.workspace import write_atomically

    loaded = load_recipe(recipe, output=output)
    with ConsoleWatcher() as watcher:
        result = compress_model(loaded, watcher, fresh=fresh)
    record = json.dumps(dataclasses.asdict(result), indent=1, sort_keys=True)
    write_atomically(loaded.output / "compression.json", record.encode())
    show(result, as_json, views.compression)

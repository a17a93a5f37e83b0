"""The Keras files that a recipe names, looked at before anything is trained and without Keras."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from leadwire.errors import BadInputError, FileMissingError

from .layer_names import check_names
from .recipe import Recipe


def start_model(recipe: Recipe) -> Path | None:
    """The Keras file that the recipe starts from, None for a network of the zoo.

    FileMissingError or BadInputError (2) for this file, and for what steps name and is not there: Keras files, and
    layers of them. Left to the steps: layers of a network of the zoo, of one with learnt ranges and of an .h5 file,
    which Keras alone can tell, and what a step can do with a layer.
    """
    start = recipe.model.path
    named = [*([start] if start else []), *(name for step in recipe.steps for name in step.files)]
    layers = {"": None} | {name: _layers_of(_keras_file(recipe.base / name)) for name in named}
    network = start
    for step in recipe.steps:
        for file, patterns in step.named_layers:
            name = file or network
            known = layers[name]
            if known is not None:
                check_names(known, patterns, f"step '{step.label}': model '{recipe.base / name}' has no layer '{{}}'")
        if step.leaves != "":
            network = step.leaves or ""
    return recipe.base / start if start else None


def step_files(recipe: Recipe, index: int) -> tuple[Path, ...]:
    """The Keras files that a step's settings name: their content decides too what it makes."""
    return tuple(recipe.base / name for name in recipe.steps[index].files)


def _keras_file(path: Path) -> Path:
    if not path.is_file():
        raise FileMissingError(path, role="model")
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise BadInputError(f"model '{path}' is no Keras file", hint="give a .keras file")
    return path


def _layers_of(path: Path) -> tuple[str, ...] | None:
    """The names of a model's layers, None where the file does not tell."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))["config"]
        return tuple(str(layer["config"]["name"]) for layer in config["layers"])
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return None

"""Layers that a recipe names: by their names, or by patterns of them (`block*`)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import Field

from leadwire.errors import BadInputError

from .recipe import Recipe

LayerNames = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=256)]


def chosen_layers(present: Iterable[str], layers: LayerNames, skip: LayerNames, model: str) -> tuple[str, ...]:
    """Those of `present` (the layers that a step can work on) that `layers` names, all if it is empty, less `skip`.

    BadInputError (2) for a name or pattern that fits none, with the names there are.
    """
    names = tuple(present)
    _check(names, (*layers, *skip), f"model '{model}' has no layer '{{}}' that this step could work on")
    return tuple(
        name
        for name in names
        if (not layers or any(fnmatchcase(name, pattern) for pattern in layers))
        and not any(fnmatchcase(name, pattern) for pattern in skip)
    )


def check_layer_names(recipe: Recipe, start: Path) -> None:
    """Before anything is trained: BadInputError (2) for layers named in a step that the Keras file the recipe starts
    from has not. Steps behind a distillation, whose network may be another, are left to themselves, as is a file
    that is not read here."""
    try:
        with zipfile.ZipFile(start) as archive:
            config = json.loads(archive.read("config.json"))["config"]
        names = tuple(str(layer["config"]["name"]) for layer in config["layers"])
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return
    for step in recipe.steps:
        if step.kind == "distill":
            return
        patterns = (*getattr(step, "layers", ()), *getattr(step, "skip", ()))
        _check(names, patterns, f"step '{step.label}': model '{start}' has no layer '{{}}'")


def _check(names: tuple[str, ...], patterns: LayerNames, words: str) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise BadInputError(words.format(pattern), hint=f"its layers: {', '.join(names)}")

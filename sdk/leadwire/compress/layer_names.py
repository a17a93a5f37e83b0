"""Layers that a recipe names: by their names, or by patterns of them (`block*`)."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from leadwire.errors import BadInputError

LayerNames = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=256)]


def chosen_layers(present: Iterable[str], layers: LayerNames, skip: LayerNames, model: str) -> tuple[str, ...]:
    """Those of `present` (the layers that a step can work on) that `layers` names, all if it is empty, less `skip`.

    BadInputError (2) for a name or pattern that fits none, with the names there are.
    """
    names = tuple(present)
    check_names(names, (*layers, *skip), f"model '{model}' has no layer '{{}}' that this step could work on")
    return tuple(
        name
        for name in names
        if (not layers or any(fnmatchcase(name, pattern) for pattern in layers))
        and not any(fnmatchcase(name, pattern) for pattern in skip)
    )


def check_names(names: tuple[str, ...], patterns: LayerNames, words: str) -> None:
    """BadInputError (2) for a name or pattern that fits none of `names`; `words` have a {} for it."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise BadInputError(words.format(pattern), hint=f"its layers: {', '.join(names)}")

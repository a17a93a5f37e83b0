"""Architecture zoo: networks for 1-D signals from a few settings, full INT8 once quantized, on every board.

    settings = zoo.settings("resnet", {"width": 12, "blocks": 2})
    model = zoo.build(settings, (96, 2), 5, features=19)      # keras.Model, untrained

One module per family, found by its name; `family.py` says what it has. Keras is loaded by `build` alone. What each
family costs on a board: docs/manual/zoo.md.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from leadwire.errors import BadInputError
from leadwire.strict import parse_table

from .family import Choices, Family, Search, Shape, Span

__all__ = ["FAMILIES", "Choices", "Family", "Search", "Shape", "Span", "build", "build_for", "family_of", "settings"]

_MOST_SAMPLES: Final = 1 << 16


def _found() -> dict[str, Family]:
    modules = {info.name: importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
    return {name: module.FAMILY for name, module in sorted(modules.items()) if hasattr(module, "FAMILY")}


FAMILIES: Final[Mapping[str, Family]] = _found()
"""Every family by its name."""


def settings(family: str, table: Mapping[str, Any], path: Path | None = None) -> Any:
    """The settings of a family from a table of TOML, defaults where it says nothing; `path` is the table's file.

    BadInputError for a family that there is not, ConfigError (both 2) with every mistake in the table.
    """
    if family not in FAMILIES:
        raise BadInputError(f"there is no family '{family}'", hint=f"families: {', '.join(FAMILIES)}")
    return parse_table(FAMILIES[family].settings, dict(table), path or Path(f"settings of {family}"))


def family_of(settings: Any) -> str:
    """The name of the family that these settings are of; BadInputError (2) for anything else."""
    for name, family in FAMILIES.items():
        if type(settings) is family.settings:
            return name
    raise BadInputError(
        f"{type(settings).__qualname__} are the settings of no family", hint=f"families: {', '.join(FAMILIES)}"
    )


def build(
    settings: Any,
    input_shape: Sequence[int],
    classes: int,
    *,
    features: int = 0,
    names: tuple[str, str] = ("beat", "features"),
) -> Any:
    """An untrained keras.Model of the family that `settings` are of. Its weights follow keras.utils.set_random_seed.

    Inputs: a window of `input_shape` [samples, channels] and, where `features` is not 0, so many further numbers that
    are joined before the last layers. Output: probabilities of `classes`, or of a family that gives a value for every
    sample, [samples, classes]. BadInputError or ConfigError (2) where settings are out of range or do not fit the
    shape.
    """
    name = family_of(settings)
    family = FAMILIES[name]
    checked: Any = parse_table(family.settings, asdict(settings), Path(f"settings of {name}"))
    if len(input_shape) != 2 or not 2 <= input_shape[0] <= _MOST_SAMPLES or not 1 <= input_shape[1] <= 256:
        raise BadInputError(
            f"the input's shape is {tuple(input_shape)}, not (samples, channels)",
            hint=f"give 2 to {_MOST_SAMPLES} samples of 1 to 256 channels, without the batch",
        )
    fewest = 2 if family.gives == "classes" else 1
    if not fewest <= classes <= 1024:
        raise BadInputError(f"{classes} classes", hint=f"{name} gives {fewest} to 1024")
    if not 0 <= features <= 4096:
        raise BadInputError(f"{features} features", hint="give 0 (none) to 4096")
    if features and family.gives == "samples":
        raise BadInputError(
            f"{name} gives a value for every sample and has no place for {features} features",
            hint=f"leave them out, or take {', '.join(n for n, f in FAMILIES.items() if f.gives == 'classes')}",
        )
    shape = Shape(
        samples=input_shape[0], channels=input_shape[1], features=features, outputs=classes, names=names
    )  # fmt: skip
    return family.build(checked, shape)


def build_for(
    family: str, table: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], classes: int, path: Path | None = None
) -> Any:
    """`build` from a table of settings in the file `path`, for a data set whose inputs have these `shapes` by name, the
    batch left out: a window [samples, channels] and perhaps features [n], in any order. Errors as of both."""
    windows = [name for name, shape in shapes.items() if len(shape) == 2]
    vectors = [name for name, shape in shapes.items() if len(shape) == 1]
    if len(windows) != 1 or len(vectors) > 1 or len(shapes) != len(windows) + len(vectors):
        listed = ", ".join(f"'{name}' {tuple(shape)}" for name, shape in shapes.items())
        raise BadInputError(
            f"inputs {listed or 'missing'}: the zoo's networks take one window (samples, channels) and at most one "
            "vector",
            hint="join inputs of the data set, or bring a Keras file of your own",
        )
    return build(
        settings(family, table, path),
        shapes[windows[0]],
        classes,
        features=shapes[vectors[0]][0] if vectors else 0,
        names=(windows[0], vectors[0] if vectors else "features"),
    )

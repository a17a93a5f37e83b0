"""Strict parsing of TOML and JSON files into the records: the dataclass is the type, the parser and the schema.

Unknown keys, wrong types and missing keys are all reported at once, each with its key path. Types are taken strictly:
"5" is no number, nor are nan and inf. (The table goes through JSON, where an array is what a tuple is read from.)
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Hashable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from leadwire.errors import ConfigError, FileMissingError

T = TypeVar("T")
MAX_TOML_BYTES = 4 * 1024 * 1024


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(with_config(ConfigDict(extra="forbid", allow_inf_nan=False))(cast(type[Any], kind)))


def read_toml(path: Path, role: str) -> dict[str, Any]:
    """The parsed table of a TOML file; FileMissingError or ConfigError (2) otherwise."""
    if not path.is_file():
        raise FileMissingError(path, role=role)
    if path.stat().st_size > MAX_TOML_BYTES:
        raise ConfigError(path, [f"file is larger than {MAX_TOML_BYTES} bytes"])
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        mistakes = list(_wide_integers(table, ()))
    except UnicodeDecodeError as error:
        raise ConfigError(path, [f"not UTF-8 text at byte {error.start}"]) from error
    except (ValueError, RecursionError) as error:  # tomllib's own, and integers of thousands of digits
        raise ConfigError(path, [f"not valid TOML: {error}"]) from error
    if mistakes:
        raise ConfigError(path, mistakes)
    return table


def read_json(path: Path, role: str) -> dict[str, Any]:
    """The object of a JSON file; FileMissingError or ConfigError (2) otherwise."""
    if not path.is_file():
        raise FileMissingError(path, role=role)
    if path.stat().st_size > MAX_TOML_BYTES:
        raise ConfigError(path, [f"file is larger than {MAX_TOML_BYTES} bytes"])
    try:
        table = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigError(path, [f"not JSON: {error}"]) from None
    if not isinstance(table, dict):
        raise ConfigError(path, ["not a JSON object"])
    return table


def _wide_integers(value: object, at: tuple[int | str, ...]) -> Iterator[str]:
    """TOML's integers have 64 bits; Python's reader takes any."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _wide_integers(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _wide_integers(item, (*at, index))
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        yield f"{_key(at)}: an integer of more than 64 bits"


def parse_table(kind: type[T], table: dict[str, Any], path: Path) -> T:
    """`table` as a record of type `kind`; ConfigError lists every mistake, 'key.path: what is wrong'."""
    try:
        return cast(T, _adapter(cast(Hashable, kind)).validate_json(json.dumps(table, default=str), strict=True))
    except ValidationError as error:
        mistakes = [f"{_key(item['loc'])}: {_sentence(item)}" for item in error.errors()]
        raise ConfigError(path, mistakes) from error


def load_toml(kind: type[T], path: Path, role: str) -> T:
    return parse_table(kind, read_toml(path, role), path)


def _key(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text or "file"


def _sentence(item: Any) -> str:
    if item["type"] == "unexpected_keyword_argument":
        return "unknown key"
    if item["type"] in ("missing", "missing_keyword_only_argument", "missing_argument"):
        return "missing"
    message = str(item["msg"])
    message = message[0].lower() + message[1:]
    value = item.get("input")
    return f"{message}, found {value!r}" if isinstance(value, (str, int, float, bool)) else message

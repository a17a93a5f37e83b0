"""Keras files in and out. Imported where Keras runs."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import keras

from leadwire.errors import FileMissingError, ModelFileError


def load_keras(path: Path) -> Any:
    """FileMissingError or ModelFileError (2) with Keras' own words; code in the file is not run (safe mode)."""
    if not path.is_file():
        raise FileMissingError(path, role="model")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ModelFileError(path, " ".join(str(error).split())[:400]) from error


def save_keras(model: Any, path: Path) -> None:
    """A .keras file whose bytes follow from the model alone (Keras writes the time of day and memory addresses into the
    archive); whole or not at all."""
    dated = path.with_name(f".{path.stem}.{os.getpid()}.keras")
    plain = dated.with_suffix(".tmp")
    try:
        model.save(dated)
        with zipfile.ZipFile(dated) as source, zipfile.ZipFile(plain, "w") as target:
            for name in sorted(source.namelist()):
                data = source.read(name)
                if name == "metadata.json":
                    data = json.dumps({**json.loads(data), "date_saved": ""}).encode()
                elif name == "config.json":
                    data = json.dumps(_numbered(json.loads(data), {})).encode()
                target.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        plain.replace(path)
    finally:
        dated.unlink(missing_ok=True)
        plain.unlink(missing_ok=True)


def _numbered(config: Any, numbers: dict[int, int]) -> Any:
    """A model's config in which objects that several layers share, which Keras calls by their addresses in memory, are
    numbered in the order in which they are first named; `numbers` are those given so far, by address."""
    if isinstance(config, list):
        return [_numbered(one, numbers) for one in config]
    if not isinstance(config, dict):
        return config
    return {
        key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else _numbered(value, numbers)
        for key, value in config.items()
    }

"""The output folder of a run: finished stages are kept there, and skipped when nothing they depend on changed.

A stage is skipped when the key (SHA-256 over the digests and options it reads, and over leadwire's own sources) is the
one recorded and every file it wrote still has the recorded digest.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from leadwire import __version__, resources
from leadwire.errors import BadInputError

T = TypeVar("T")


def file_digest(path: Path) -> str:
    """SHA-256 of a file; of a folder (a SavedModel), that of the lines `sha256sum` prints for its files, sorted by
    their relative names ('/' between parts)."""
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
        listed = "".join(f"{file_digest(files[name])}  {name}\n" for name in sorted(files))
        return hashlib.sha256(listed.encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@functools.cache
def tool_digest() -> str:
    """SHA-256 over leadwire's own sources, templates and boards: another leadwire, another run."""
    package = Path(__file__).parent
    folders = [package, resources.FIRMWARE_TEMPLATES, resources.BOARDS, resources.VALIDATION]
    digest = hashlib.sha256(__version__.encode())
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix not in (".pyc", ".pyo") and "_data" not in file.relative_to(folder).parts:
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def source_date() -> datetime | None:
    """The time that SOURCE_DATE_EPOCH fixes for files that carry one, None where it is not set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return None
    try:
        return datetime.fromtimestamp(int(epoch), tz=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadInputError(f"SOURCE_DATE_EPOCH is '{epoch}', not seconds since 1970") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary name in the same folder, then rename: never a half-written file. An OSError names `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Workspace:
    """`fresh` runs every stage again. `on_stage(name, skipped)` is told of each stage as it begins."""

    root: Path
    fresh: bool = False
    on_stage: Callable[[str, bool], None] = lambda name, skipped: None

    def stage(
        self,
        name: str,
        kind: type[T],
        inputs: Mapping[str, Any],
        produce: Callable[[], T],
        files: Callable[[T], Sequence[Path]] = lambda record: (),
    ) -> T:
        """The record of a stage, from the folder where its key is unchanged, else from `produce`.

        `inputs` holds plain data: digests and options. `files` lists what the stage wrote.
        """
        key = hashlib.sha256(
            json.dumps([str(self.root), tool_digest(), name, inputs], sort_keys=True, default=str).encode()
        ).hexdigest()
        note = self.root / ".leadwire" / f"{name}.json"
        kept = None if self.fresh else self._kept(note, key, TypeAdapter(kind))
        self.on_stage(name, kept is not None)
        if kept is not None:
            return kept
        note.unlink(missing_ok=True)
        record = produce()
        written = {str(path): file_digest(path) for path in files(record)}
        plain = TypeAdapter(kind).dump_python(record, mode="json")
        write_atomically(note, json.dumps({"key": key, "files": written, "record": plain}, sort_keys=True).encode())
        return record

    def _kept(self, note: Path, key: str, adapter: TypeAdapter[T]) -> T | None:
        try:
            kept = json.loads(note.read_bytes())
            if kept["key"] != key or any(file_digest(Path(name)) != digest for name, digest in kept["files"].items()):
                return None
            return adapter.validate_python(kept["record"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError):
            return None

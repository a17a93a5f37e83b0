"""What a backend hands back, and how a project lies on disk: files, manifest, digest."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError

MANIFEST = "leadwire-project.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenVector:
    """Bytes of all inputs and of all outputs, in graph order, for the self-test."""

    input: bytes
    output: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """Choices of backend tflm; aot has none.

    The array of the model goes to `section` ('': the compiler's choice) at a multiple of `alignment`. `int8_only`
    registers the kernels without their other types.
    """

    section: str = ""
    alignment: int = 16
    int8_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPart:
    """What a firmware team drops into its tree: (path, contents) of every file, sorted; C and C++ sources; include
    folders; the size of the arena; operator kinds whose kernels a library must bring."""

    files: tuple[tuple[str, bytes], ...]
    sources: tuple[str, ...]
    include_dirs: tuple[str, ...]
    arena_bytes: int
    operators: tuple[str, ...] = ()


def manifest(files: dict[str, bytes], facts: dict[str, object]) -> bytes:
    """The manifest: `facts` and the SHA-256 of every file. Its own SHA-256 is the project's digest."""
    content = {**facts, "files": {path: sha256_hex(files[path]) for path in sorted(files)}}
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode("utf-8")


def write_project(root: Path, files: dict[str, bytes], manifest_bytes: bytes) -> None:
    """Write a project, replacing an older one: files that only the older one had are removed, others are left alone.

    BadInputError (2) where `root` is not a folder that can be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        for path in sorted(_listed(root) - set(files)):
            (root / path).unlink(missing_ok=True)
        for path, contents in sorted(files.items()):
            _replace(root / path, contents)
        _replace(root / MANIFEST, manifest_bytes)
    except OSError as error:
        raise BadInputError(
            f"cannot write the generated project to '{root}': {error.strerror or error}",
            hint="choose an output folder that can be written",
        ) from error


def _listed(root: Path) -> set[str]:
    """Files of the project that `root` holds: plain relative paths of its manifest, none where that is not ours."""
    try:
        content = json.loads((root / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return set()
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict):
        return set()
    return {path for path in files if not Path(path).is_absolute() and ".." not in Path(path).parts}


def _replace(path: Path, contents: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

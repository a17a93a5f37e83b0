"""A package as a folder: an older package in its place is replaced, anything else is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from leadwire.errors import BadInputError
from leadwire.workspace import write_atomically


def write_folder(root: Path, files: Mapping[str, bytes], *, facts: str, manifest: str) -> None:
    """Write `files` below `root`; files that only an older package had are removed.

    BadInputError (2) where `root` holds something that is not a package, or cannot be written.
    """
    try:
        if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not (root / facts).is_file())):
            raise BadInputError(
                f"'{root}' exists and is not a leadwire package", hint="remove it, or choose another --out"
            )
        for path in sorted(_listed(root / manifest) - set(files)):
            (root / path).unlink(missing_ok=True)
        for path, data in sorted(files.items()):
            write_atomically(root / path, data)
    except OSError as error:
        raise BadInputError(
            f"cannot write the package '{root}': {error.strerror or error}", hint="choose a folder that can be written"
        ) from error


def _listed(manifest: Path) -> set[str]:
    """Plain relative paths that an older manifest names."""
    try:
        lines = manifest.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    paths = {line[66:] for line in lines if line[64:66] == "  "}
    return {path for path in paths if not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts}

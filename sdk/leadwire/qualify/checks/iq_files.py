"""leadwire's own files are the ones that its wheel brought."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from leadwire.qualify.check import Context, Finding, equal, note
from leadwire.resources import BOARDS, EXAMPLES, FIRMWARE_TEMPLATES, VALIDATION
from leadwire.workspace import tool_digest

TITLE = "leadwire's own files"
REQUIREMENTS = ("LW-QUA-001",)
_PACKAGE = Path(__file__).resolve().parents[2]


def look(context: Context) -> Iterator[Finding]:
    for folder in (_PACKAGE, BOARDS, FIRMWARE_TEMPLATES, VALIDATION, EXAMPLES):
        yield equal(f"folder {folder.name}", "there", "there" if folder.is_dir() else "missing")
    listed = [
        file
        for file in distribution("leadwire").files or ()
        if file.hash is not None and Path(str(file.locate())).resolve().is_relative_to(_PACKAGE)
    ]
    if listed:
        changed = [str(file) for file in listed if not _as_listed(Path(str(file.locate())), file.hash)]
        yield equal(f"{len(listed)} files of the wheel", "as in its RECORD", ", ".join(changed) or "as in its RECORD")
    else:
        yield note("files of the package", "an editable checkout, which has no RECORD; qualify an installed wheel")
    yield note("SHA-256 over sources, templates, boards and protocols", tool_digest())


def _as_listed(path: Path, listed: object) -> bool:
    """RECORD's digest is base64 without padding (PEP 376)."""
    mode, value = getattr(listed, "mode", ""), getattr(listed, "value", "")
    if mode != "sha256" or not path.is_file():
        return False
    found = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
    return found == value

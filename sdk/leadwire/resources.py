"""Where the data folders are: beside the sources in a checkout, under `leadwire/_data` in a wheel.

The only module that knows which of the two it runs from.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_WHEEL_DATA = _PACKAGE / "_data"
ROOT = _WHEEL_DATA if _WHEEL_DATA.is_dir() else _PACKAGE.parent.parent

FIRMWARE_TEMPLATES = ROOT / "firmware_templates"
BOARDS = ROOT / "boards"
VALIDATION = ROOT / "validation"
EXAMPLES = ROOT / "examples"

"""Board 'host': the model as a shared library in this process; nothing to flash and nothing to talk to."""

from __future__ import annotations

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board

from .tool import Started


def start(image: FirmwareImage, board: Board, port: str) -> Started:
    """`port` is not used: the library is called, not spoken to."""
    return Started(port="", talks=False)

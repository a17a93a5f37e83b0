"""Board 'host': the model as a shared library in this process; nothing to flash and nothing to talk to."""

from __future__ import annotations

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board
from leadwire.errors import BadInputError

from .tool import Started


def start(image: FirmwareImage, board: Board, port: str) -> Started:
    """The library is called, not spoken to: BadInputError where a port is given."""
    if port:
        raise BadInputError(f"board '{board.id}' has no serial port", hint="leave out --port")
    return Started(port="", talks=False)

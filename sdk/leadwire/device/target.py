"""One board out of many of its kind: where it is plugged in, and who it must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from leadwire.board import Board
from leadwire.errors import BadInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is empty is not asked for. BadInputError for a `unique_id` that is no hexadecimal number of whole bytes.

    `port` is the serial port of the link ('/dev/ttyACM0', 'COM4', 'socket://...'), `flash_port` the one on which a
    serial boot loader listens where that is another. `probe_serial` selects the debug probe (or the chip that is its
    own USB device), `usb_location` is where the serial port's adapter is plugged in, as pyserial says it ('1-1.4').
    `unique_id` is the chip's number in hex, as `describe` gives it. `tool` replaces the board's flash tool and
    `arguments` single keys of its table in the board file.
    """

    board: Board
    port: str = ""
    flash_port: str = ""
    probe_serial: str = ""
    usb_location: str = ""
    unique_id: str = ""
    tool: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"([0-9a-f]{2})*", self.unique_id):
            raise BadInputError(
                f"unique id '{self.unique_id}' of board '{self.board.id}' is not a chip's number",
                hint="lower-case hexadecimal, two digits for each byte, as 'leadwire flash' shows it",
            )

    @property
    def flash_tool(self) -> str:
        return self.tool or self.board.flash_tool

    @property
    def boot_port(self) -> str:
        """Where a serial boot loader listens."""
        return self.flash_port or self.port

    def at(self, port: str) -> Target:
        """The same board, found at this port."""
        return replace(self, port=port)

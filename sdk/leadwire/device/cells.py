"""The cells of a stream without any input or output: requests to bytes, bytes to answers (the formats of
docs/manual/link-protocol.md, "Cells" and "Streams"). The device's side is firmware_templates/app/cell.c and stream.c.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from .correction import PARITY_BYTES, correct, parity

REQUEST_SYNC = b"\xe1\x5a"
ANSWER_SYNC = b"\xd2\xa5"
CRC_BYTES = 4
MAX_CELL_BYTES = 255
_REQUEST = struct.Struct("!HB")
"""Number of the cell, bytes of input in it."""
_ANSWER = struct.Struct("!BHIIIIH")
"""Kind, number wanted next, run, cycles, stack, io_crc, offset of the outputs that follow."""
_AROUND_BYTES = len(REQUEST_SYNC) + CRC_BYTES + PARITY_BYTES
REQUEST_AROUND_BYTES = _AROUND_BYTES + _REQUEST.size
ANSWER_AROUND_BYTES = _AROUND_BYTES + _ANSWER.size


class Kind(IntEnum):
    STATE = 0
    LOST = 1
    RESULT = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class CellAnswer:
    """`wanted`: number of the next request cell, 16 bits. RESULT: of run number `run`, `output` from `offset` on, with
    zeros behind. REFUSED: `cycles` is the code. Otherwise `run` counts the runs so far."""

    kind: Kind
    wanted: int
    run: int
    cycles: int
    stack: int
    io_crc: int
    offset: int
    output: bytes


class CellCoder:
    """Requests of one session to cells of `size` bytes."""

    def __init__(self, session: int, size: int) -> None:
        self.size = size
        self.data_bytes = size - REQUEST_AROUND_BYTES
        self._key = zlib.crc32(session.to_bytes(4))

    def data(self, number: int, data: bytes) -> bytes:
        """Input bytes, at least one and at most `data_bytes`."""
        return self._seal(_REQUEST.pack(number & 0xFFFF, len(data)) + data)

    def question(self, run: int) -> bytes:
        """Asks for the results from a run number on."""
        return self._seal(_REQUEST.pack(0, 0) + (run & 0xFFFF_FFFF).to_bytes(4))

    def _seal(self, content: bytes) -> bytes:
        content = content.ljust(self.size - _AROUND_BYTES, b"\0")
        block = REQUEST_SYNC + content + zlib.crc32(content, self._key).to_bytes(CRC_BYTES)
        return block + parity(block)


class CellReader:
    """Finds the answers of one session in received bytes. `lost` counts cells that were none, `corrected` those that
    were put right. Memory is bounded by one cell."""

    def __init__(self, session: int, size: int) -> None:
        self.size = size
        self.lost = self.corrected = 0
        self._key = zlib.crc32(session.to_bytes(4))
        self._bytes = b""
        self._in_step = False

    def feed(self, data: bytes) -> list[CellAnswer]:
        """The answers that `data` completes, in order."""
        found: list[CellAnswer] = []
        self._bytes += data
        while True:
            if not self._in_step:
                self._search(0)
            if len(self._bytes) < self.size:
                return found
            answer = self._open(self._bytes[: self.size])
            self._in_step = answer is not None
            if answer is not None:
                self._bytes = self._bytes[self.size :]
                found.append(answer)
            else:
                self.lost += 1
                self._search(1)

    def _search(self, start: int) -> None:
        """Drops bytes until the first one left may start a cell."""
        at = self._bytes.find(ANSWER_SYNC, start)
        if at < 0:
            at = len(self._bytes) - (len(self._bytes) > start and self._bytes[-1:] == ANSWER_SYNC[:1])
        self._bytes = self._bytes[at:]

    def _open(self, block: bytes) -> CellAnswer | None:
        content = self._content(block)
        if content is None:
            right = correct(block)
            content = None if right is None else self._content(right)
            if content is None:
                return None
            self.corrected += 1
        kind, wanted, run, cycles, stack, io_crc, offset = _ANSWER.unpack_from(content)
        if kind not in list(Kind):
            return None
        return CellAnswer(Kind(kind), wanted, run, cycles, stack, io_crc, offset, content[_ANSWER.size :])

    def _content(self, block: bytes) -> bytes | None:
        content = block[len(ANSWER_SYNC) : -CRC_BYTES - PARITY_BYTES]
        crc = block[-CRC_BYTES - PARITY_BYTES : -PARITY_BYTES]
        return content if zlib.crc32(content, self._key).to_bytes(CRC_BYTES) == crc else None

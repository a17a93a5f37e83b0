"""SMP's serial console framing without any input or output: bytes in, messages out, and the reverse.

The formats are those of docs/manual/link-protocol.md (MCUmgr's console framing). Written here, and not taken from
`smp.packet`, because that decoder trusts its input: it wants whole lines in order and ends at the first bad one. The
encoder gives the same bytes as `smp.packet.encode`, and tests/vectors/link hold both to it.
"""

from __future__ import annotations

import binascii
from collections import Counter
from enum import StrEnum

FIRST_LINE = b"\x06\x09"
FURTHER_LINE = b"\x04\x14"
LINE_BYTES = 127
"""Longest line, start bytes and line feed included."""

TEXT_BYTES = (LINE_BYTES - 3) // 4 * 4
"""Most base64 characters in a line: whole groups of four."""

LENGTH_BYTES = 2
CRC_BYTES = 2
FRAME_OVERHEAD_BYTES = LENGTH_BYTES + CRC_BYTES
MAX_MESSAGE_BYTES = 0xFFFF - CRC_BYTES

_LINE_FEED = 0x0A
_START_OF_START = {FIRST_LINE[0]: FIRST_LINE, FURTHER_LINE[0]: FURTHER_LINE}


def crc16(data: bytes | bytearray) -> int:
    """CRC-16/XMODEM: polynomial 0x1021, initial value 0, not reflected."""
    return binascii.crc_hqx(data, 0)


def encode(message: bytes) -> bytes:
    """All lines that carry one SMP message; ValueError above 65,533 bytes."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise ValueError(f"an SMP message has at most {MAX_MESSAGE_BYTES} bytes, not {len(message)}")
    length = (len(message) + CRC_BYTES).to_bytes(LENGTH_BYTES, "big")
    text = binascii.b2a_base64(length + message + crc16(message).to_bytes(CRC_BYTES, "big"), newline=False)
    lines = [text[start : start + TEXT_BYTES] + b"\n" for start in range(0, len(text), TEXT_BYTES)]
    return FIRST_LINE + FURTHER_LINE.join(lines)


class Fault(StrEnum):
    """Why received bytes were dropped."""

    NOISE = "bytes outside lines"
    LINE_TOO_LONG = "lines too long"
    LINE_BROKEN = "lines without a line feed"
    BASE64 = "lines that are not base64"
    ORPHAN = "further lines without a first"
    INCOMPLETE = "packets cut short"
    LENGTH = "packets of a wrong length"
    CRC = "packets with a wrong CRC"


class FrameDecoder:
    """Takes bytes as they arrive, in pieces of any size, and gives each whole message once.

    Nothing received raises: what is not a whole packet is dropped and counted in `faults` (NOISE counts bytes, the
    others lines or packets). Memory is bounded by one line and one packet.
    """

    def __init__(self, faults: Counter[Fault] | None = None) -> None:
        """`faults`: goes on counting there."""
        self.faults: Counter[Fault] = Counter() if faults is None else faults
        self._start = b""  # start bytes of the line being received, b"" outside lines
        self._pending = b""  # a first start byte that waits for its second
        self._text = bytearray()
        self._packet: bytearray | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order."""
        messages: list[bytes] = []
        for byte in data:
            if self._pending and byte == _START_OF_START[self._pending[0]][1]:
                self._begin_line()
            elif byte in _START_OF_START:
                self._take(self._pending)
                self._pending = bytes((byte,))
            else:
                self._take(self._pending)
                self._pending = b""
                if self._start and byte == _LINE_FEED:
                    messages += self._end_line()
                else:
                    self._take(bytes((byte,)))
        return messages

    def _begin_line(self) -> None:
        if self._start:
            self.faults[Fault.LINE_BROKEN] += 1
            self._packet = None
        self._start, self._pending = _START_OF_START[self._pending[0]], b""
        self._text.clear()

    def _take(self, data: bytes) -> None:
        """Bytes that are neither start nor end: text inside a line, noise outside."""
        if not data:
            return
        if not self._start:
            self.faults[Fault.NOISE] += len(data)
            return
        self._text += data
        if len(self._text) > TEXT_BYTES:
            self.faults[Fault.LINE_TOO_LONG] += 1
            self._start, self._packet = b"", None

    def _end_line(self) -> list[bytes]:
        """A line is complete; the message it completes, if any."""
        start, self._start = self._start, b""
        if start == FIRST_LINE:
            if self._packet is not None:
                self.faults[Fault.INCOMPLETE] += 1
            self._packet = bytearray()
        elif self._packet is None:
            self.faults[Fault.ORPHAN] += 1
            return []
        try:
            self._packet += binascii.a2b_base64(self._text, strict_mode=True)
        except binascii.Error:
            return self._reject(Fault.BASE64)
        return self._end_packet(self._packet)

    def _end_packet(self, packet: bytearray) -> list[bytes]:
        if len(packet) < LENGTH_BYTES:
            return []
        expected = LENGTH_BYTES + int.from_bytes(packet[:LENGTH_BYTES], "big")
        if expected < FRAME_OVERHEAD_BYTES or len(packet) > expected:
            return self._reject(Fault.LENGTH)
        if len(packet) < expected:
            return []
        message, crc = packet[LENGTH_BYTES:-CRC_BYTES], int.from_bytes(packet[-CRC_BYTES:], "big")
        if crc16(message) != crc:
            return self._reject(Fault.CRC)
        self._packet = None
        return [bytes(message)]

    def _reject(self, fault: Fault) -> list[bytes]:
        self.faults[fault] += 1
        self._packet = None
        return []

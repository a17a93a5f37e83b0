"""Intel HEX (Intel, Hexadecimal Object File Format Specification, revision A): lines of at most 16 bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leadwire.emulator.elf import Segment

_LINE_BYTES = 16
_PAGE_BYTES = 1 << 16
_DATA, _END, _UPPER_ADDRESS = 0, 1, 4


def text(segments: Iterable[Segment]) -> str:
    """The file. A record of type 04 comes before the first data of each 64 KiB."""
    return "".join(f":{record}\n" for record in _records(segments))


def _records(segments: Iterable[Segment]) -> Iterator[str]:
    upper = 0
    for segment in segments:
        at = 0
        while at < len(segment.data):
            address = segment.address + at
            if address >> 16 != upper:
                upper = address >> 16
                yield _record(_UPPER_ADDRESS, 0, upper.to_bytes(2, "big"))
            size = min(_LINE_BYTES, len(segment.data) - at, _PAGE_BYTES - address % _PAGE_BYTES)
            yield _record(_DATA, address % _PAGE_BYTES, segment.data[at : at + size])
            at += size
    yield _record(_END, 0, b"")


def _record(kind: int, address: int, data: bytes) -> str:
    record = bytes([len(data), *address.to_bytes(2, "big"), kind]) + data
    return (record + bytes([-sum(record) & 0xFF])).hex().upper()

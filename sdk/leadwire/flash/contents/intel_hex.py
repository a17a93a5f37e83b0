"""Intel HEX (Intel, Hexadecimal Object File Format Specification, revision A): lines of at most 16 bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leadwire.emulator.elf import Segment
from leadwire.errors import BadInputError

_LINE_BYTES = 16
_PAGE_BYTES = 1 << 16
_DATA, _END, _SEGMENT_ADDRESS, _UPPER_ADDRESS = 0, 1, 2, 4


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


def data(text: str) -> bytes:
    """The bytes of a file that holds one stretch of memory; BadInputError for anything else."""
    found = segments(text)
    if len(found) > 1:
        raise BadInputError(f"an Intel HEX file leaves a gap before {found[1].address:#010x}", hint="read it again")
    return found[0].data if found else b""


def segments(text: str) -> tuple[Segment, ...]:
    """The stretches of memory of a file, in its order; BadInputError where a line is damaged or the end is missing."""
    found: list[tuple[int, bytearray]] = []
    base, ended = 0, False
    for number, line in enumerate(text.split(), 1):
        try:
            record = bytes.fromhex(line[1:])
        except ValueError:
            record = b""
        if ended or line[:1] != ":" or len(record) < 5 or len(record) != record[0] + 5 or sum(record) & 0xFF:
            raise BadInputError(f"line {number} of an Intel HEX file is damaged", hint="make or read it again")
        place, kind, body = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind in (_UPPER_ADDRESS, _SEGMENT_ADDRESS):
            base = int.from_bytes(body, "big") << (16 if kind == _UPPER_ADDRESS else 4)
        elif kind == _DATA:
            if not found or found[-1][0] + len(found[-1][1]) != base + place:
                found.append((base + place, bytearray()))
            found[-1][1].extend(body)
        ended = kind == _END
    if not ended:
        raise BadInputError("an Intel HEX file has no end record: it is cut off", hint="make or read it again")
    return tuple(Segment(address=address, data=bytes(body)) for address, body in found)

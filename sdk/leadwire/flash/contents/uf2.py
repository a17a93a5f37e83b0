"""UF2, the format of boot loaders that show themselves as a drive (Microsoft, USB Flashing Format): blocks of 512
bytes, each with its address, number and count, so that any order and any copy program will do."""

from __future__ import annotations

import struct

from leadwire.emulator.elf import Segment
from leadwire.errors import BadInputError

BLOCK_BYTES = 512
_PAYLOAD_BYTES = 256
_MAGIC = 0x0A324655, 0x9E5D5157, 0x0AB16F30
_FAMILY_IS_GIVEN = 0x2000
_HEADER = struct.Struct("<8I")


def blocks(address: int, data: bytes, family: int) -> bytes:
    """The file for `data` at `address`, which is rounded down to a block's payload; padding is erased flash."""
    lead = address % _PAYLOAD_BYTES
    data = b"\xff" * lead + data
    data += b"\xff" * (-len(data) % _PAYLOAD_BYTES)
    count = len(data) // _PAYLOAD_BYTES
    first, second, end = _MAGIC
    flags = _FAMILY_IS_GIVEN if family else 0
    made = bytearray()
    for number in range(count):
        place = address - lead + number * _PAYLOAD_BYTES
        header = _HEADER.pack(first, second, flags, place, _PAYLOAD_BYTES, number, count, family)
        payload = data[number * _PAYLOAD_BYTES : (number + 1) * _PAYLOAD_BYTES]
        made += (header + payload).ljust(BLOCK_BYTES - 4, b"\0") + end.to_bytes(4, "little")
    return bytes(made)


def segments(file: bytes) -> tuple[Segment, ...]:
    """What a file writes, block by block in its order; BadInputError where it is none or not whole."""
    first, second, end = _MAGIC
    blocks_given = [file[start : start + BLOCK_BYTES] for start in range(0, len(file), BLOCK_BYTES)]
    found = []
    for number, block in enumerate(blocks_given):
        head = _HEADER.unpack_from(block) if len(block) == BLOCK_BYTES else (0,) * 8
        magic, size, stated, count = (head[0], head[1], block[-4:]), head[4], head[5], head[6]
        whole = stated == number and count == len(blocks_given) and 0 < size <= BLOCK_BYTES - _HEADER.size - 4
        if magic != (first, second, end.to_bytes(4, "little")) or not whole:
            raise BadInputError(f"block {number} of a UF2 file is damaged, or the file is cut", hint="make it again")
        found.append(Segment(address=head[3], data=block[_HEADER.size : _HEADER.size + size]))
    return tuple(found)

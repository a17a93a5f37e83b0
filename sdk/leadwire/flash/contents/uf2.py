"""UF2, the format of boot loaders that show themselves as a drive (Microsoft, USB Flashing Format): blocks of 512
bytes, each with its address, number and count, so that any order and any copy program will do."""

from __future__ import annotations

import struct

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

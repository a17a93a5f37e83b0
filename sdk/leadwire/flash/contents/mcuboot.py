"""MCUboot's image format (docs.mcuboot.com, Bootloader, Image format): header, program, trailer with its SHA-256."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

_HEADER_MAGIC, _TLV_MAGIC, _TLV_SHA256 = 0x96F3B83D, 0x6907, 0x10
_HEADER = struct.Struct("<IIHHIIBBHII")
"""Magic, load address, bytes of header, protected trailer and program, flags, version in four numbers, padding."""
LEAST_HEADER_BYTES = _HEADER.size


@dataclass(frozen=True, slots=True, kw_only=True)
class McubootImage:
    """`data` is what goes into the slot, `digest` the SHA-256 in its trailer, in hex."""

    data: bytes
    digest: str


def wrap(program: bytes, *, header_bytes: int, version: tuple[int, int, int, int]) -> McubootImage:
    """The image of a program that begins `header_bytes` behind the start of its slot; not signed."""
    header = _HEADER.pack(_HEADER_MAGIC, 0, header_bytes, 0, len(program), 0, *version, 0)
    hashed = header.ljust(header_bytes, b"\xff") + program
    digest = hashlib.sha256(hashed).digest()
    entry = struct.pack("<HH", _TLV_SHA256, len(digest)) + digest
    return McubootImage(data=hashed + struct.pack("<HH", _TLV_MAGIC, 4 + len(entry)) + entry, digest=digest.hex())

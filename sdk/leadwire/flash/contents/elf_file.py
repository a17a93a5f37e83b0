"""An ELF file with nothing but what is loaded, for flash tools that take no other form (ELF-32, TIS ELF 1.2)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from leadwire.emulator.elf import Segment

_HEADER = struct.Struct("<16s2H5I6H")
_PROGRAM_HEADER = struct.Struct("<8I")
_IDENT = b"\x7fELF\x01\x01\x01"
_EXECUTABLE, _ARM, _VERSION, _LOAD, _READ_EXECUTE = 2, 40, 1, 1, 5


def write(segments: Sequence[Segment]) -> bytes:
    """The file; programs of Arm's cores alone reach a tool that wants one."""
    count = len(segments)
    start = _HEADER.size + count * _PROGRAM_HEADER.size
    first = segments[0].address if segments else 0
    sizes = (_HEADER.size, _PROGRAM_HEADER.size, count, 0, 0, 0)
    head = _HEADER.pack(_IDENT, _EXECUTABLE, _ARM, _VERSION, first, _HEADER.size, 0, 0, *sizes)
    table, body = b"", b""
    for one in segments:
        size = len(one.data)
        place = (start + len(body), one.address, one.address, size, size)
        table += _PROGRAM_HEADER.pack(_LOAD, *place, _READ_EXECUTE, 1)
        body += one.data
    return head + table + body

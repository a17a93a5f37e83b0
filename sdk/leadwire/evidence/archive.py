"""One file that holds the others: a ZIP archive of the plainest kind, the same bytes on every machine and Python.

Members are stored (not compressed) in the order of their names, with one fixed time (1980-01-01), no attributes, no
extra fields and no comments; APPNOTE 6.3.9, sections 4.3.7, 4.3.12 and 4.3.16. Any tool can open it.

`unpack` accepts only what `pack` writes: it reads the members and packs them again, and every byte must agree. So
there is no second member of a name, no hidden bytes, no compression bomb and no byte that can change unseen.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from leadwire.errors import EvidenceError

MAX_CONTENT_BYTES = 256 << 20
MAX_BUNDLE_BYTES = MAX_CONTENT_BYTES + (64 << 10)
MAX_MEMBERS = 4096
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.+-]{0,98}[A-Za-z0-9_+-])?"
NAME = re.compile(rf"{_PART}(?:/{_PART}){{0,7}}")
_DEVICES = re.compile(r"(?i)(?:con|nul|aux|prn|com\d|lpt\d)(?:\.[^/]*)?")

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _STORED, _MIDNIGHT, _JANUARY_1980 = 20, 0, 0, (1 << 5) | 1


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of `files`; ValueError for a name outside the grammar or an archive beyond the limits."""
    if len(files) > MAX_MEMBERS or sum(map(len, files.values())) > MAX_CONTENT_BYTES:
        raise ValueError(f"a bundle holds at most {MAX_MEMBERS} files and {MAX_CONTENT_BYTES} bytes")
    body, directory = bytearray(), bytearray()
    _check_names(files)
    for name, data in sorted(files.items()):
        raw = name.encode("ascii")
        common = (_VERSION, 0, _STORED, _MIDNIGHT, _JANUARY_1980, zlib.crc32(data), len(data), len(data), len(raw), 0)
        directory += _CENTRAL.pack(b"PK\1\2", _VERSION, *common, 0, 0, 0, 0, len(body)) + raw
        body += _LOCAL.pack(b"PK\3\4", *common) + raw + data
    end = _END.pack(b"PK\5\6", 0, 0, len(files), len(files), len(directory), len(body), 0)
    return bytes(body + directory + end)


def _check_names(names: Iterable[str]) -> None:
    """ValueError unless all names can lie beside each other in a folder of any system."""
    seen: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        if not NAME.fullmatch(name) or any(map(_DEVICES.fullmatch, parts)):
            raise ValueError(f"{name[:80]!r} cannot be the name of a file in a bundle")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(f"'{other}' and '{name}' are one file on some systems")
    for name in seen:
        folders = name.split("/")[:-1]
        if clash := next((at for n in range(len(folders)) if (at := "/".join(folders[: n + 1])) in seen), None):
            raise ValueError(f"'{clash}' is a file and a folder")


def unpack(data: bytes, *, source: Path | str) -> dict[str, bytes]:
    """The files of an archive that `pack` wrote; EvidenceError (8) for any other bytes."""
    files: dict[str, bytes] = {}
    position = 0
    while data[position : position + 4] == b"PK\3\4":
        if len(files) == MAX_MEMBERS:
            raise EvidenceError(source, f"more than {MAX_MEMBERS} files")
        if position + _LOCAL.size > len(data):
            raise EvidenceError(source, f"truncated at byte {len(data)}")
        _, _, flags, method, _, _, _, packed, size, name_length, extra = _LOCAL.unpack_from(data, position)
        start = position + _LOCAL.size + name_length
        name = data[position + _LOCAL.size : start].decode("latin-1")
        if not NAME.fullmatch(name):
            raise EvidenceError(source, f"{name[:80]!r} cannot be the name of a file in a bundle")
        if name in files:
            raise EvidenceError(source, f"two files are named '{name}'")
        if flags or method != _STORED or packed != size or extra:
            raise EvidenceError(source, f"'{name}' is not stored as leadwire stores it; the archive was packed again")
        if start + size > len(data):
            raise EvidenceError(source, f"truncated inside '{name}'")
        files[name] = data[start : start + size]
        position = start + size
    if not files:
        raise EvidenceError(source, "not a leadwire evidence bundle")
    try:
        packed_again = pack(files)
    except ValueError as error:
        raise EvidenceError(source, str(error)) from error
    if packed_again != data:
        raise EvidenceError(source, "bytes of the archive's own structure were changed, added or removed")
    return files

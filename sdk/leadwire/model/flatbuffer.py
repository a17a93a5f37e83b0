"""Bounds-checked reading of a FlatBuffers file from an untrusted source.

Layout (https://flatbuffers.dev/internals): offsets are little-endian uint32 relative to where they stand; a table
starts with an int32 back to its vtable, which lists uint16 field offsets; a vector is a uint32 count and its elements.
Every access is checked against the file. A budget bounds the total work: a hostile file may let many tables share the
same bytes, so that a small file would unfold to gigabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leadwire.errors import ModelFileError

_WORK_PER_BYTE: Final = 16
_WORK_FLOOR: Final = 65_536


class FlatBuffer:
    """The bytes of a file; `name` is how errors call it."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self._budget = _WORK_PER_BYTE * len(data) + _WORK_FLOOR

    def fail(self, reason: str) -> ModelFileError:
        return ModelFileError(self.name, reason)

    def span(self, start: int, size: int, what: str) -> int:
        """`start`, after checking that `size` bytes from there lie in the file and within the budget."""
        if start < 0 or size < 0 or start + size > len(self.data):
            raise self.fail(
                f"{what} lies outside the file (byte {start}, {size} bytes, file has {len(self.data)}): "
                "truncated or corrupted"
            )
        self._budget -= size
        if self._budget < 0:
            raise self.fail(f"{what}: its tables overlap so often that it cannot be a real model (byte {start})")
        return start

    def unpack(self, code: str, position: int, what: str) -> int | float | bool:
        self.span(position, struct.calcsize(code), what)
        value: int | float | bool = struct.unpack_from(code, self.data, position)[0]
        return value

    def follow(self, position: int, what: str) -> int:
        """Where the uint32 offset at `position` leads."""
        return position + int(self.unpack("<I", position, what))

    def root(self) -> Table:
        return self.table_at(self.follow(0, "root offset"), "root table")

    def table_at(self, position: int, what: str) -> Table:
        vtable = position - int(self.unpack("<i", position, what))
        vtable_bytes = int(self.unpack("<H", vtable, f"vtable of {what}"))
        table_bytes = int(self.unpack("<H", vtable + 2, f"vtable of {what}"))
        if vtable_bytes < 4 or vtable_bytes % 2 or table_bytes < 4:
            raise self.fail(f"vtable of {what} at byte {vtable} is not one: corrupted")
        self.span(vtable, vtable_bytes, f"vtable of {what}")
        self.span(position, table_bytes, what)
        fields = struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", self.data, vtable + 4)
        if any(0 < field < 4 or field >= table_bytes for field in fields if field):
            raise self.fail(f"vtable of {what} at byte {vtable} points outside its table: corrupted")
        return Table(buffer=self, position=position, fields=fields, what=what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; fields are named by their slot in the schema, from 0. Absent fields read as the default."""

    buffer: FlatBuffer
    position: int
    fields: tuple[int, ...]
    what: str

    def integer(self, slot: int, code: str, default: int = 0) -> int:
        """A scalar of struct code 'b', 'B', 'i', 'I', 'q', 'Q' or '?'."""
        at = self._at(slot)
        return default if at is None else int(self.buffer.unpack("<" + code, at, self.what))

    def table(self, slot: int, what: str) -> Table | None:
        at = self._at(slot)
        return None if at is None else self.buffer.table_at(self.buffer.follow(at, what), what)

    def tables(self, slot: int, what: str) -> Iterator[Table]:
        """The tables of a vector, each named `what` and its index."""
        start, count = self._vector(slot, 4, what)
        for index in range(count):
            name = f"{what} {index}"
            yield self.buffer.table_at(self.buffer.follow(start + 4 * index, name), name)

    def count(self, slot: int, what: str) -> int:
        return self._vector(slot, 4, what)[1]

    def numbers(self, slot: int, dtype: str, what: str) -> npt.NDArray[np.generic] | None:
        """A vector of scalars of a little-endian numpy type, None where absent."""
        if self._at(slot) is None:
            return None
        kind = np.dtype(dtype)
        start, count = self._vector(slot, kind.itemsize, what)
        return np.frombuffer(self.buffer.data, kind, count, start)

    def integers(self, slot: int, dtype: str, what: str) -> tuple[int, ...]:
        """A vector of integers, () where absent."""
        values = self.numbers(slot, dtype, what)
        return () if values is None else tuple(values.tolist())

    def raw(self, slot: int, what: str) -> bytes:
        """A vector of bytes, b'' where absent."""
        start, count = self._vector(slot, 1, what)
        return self.buffer.data[start : start + count]

    def text(self, slot: int, what: str) -> str:
        """A string; bytes that are not UTF-8 become U+FFFD."""
        return self.raw(slot, what).decode("utf-8", errors="replace")

    def _at(self, slot: int) -> int | None:
        if slot >= len(self.fields) or not self.fields[slot]:
            return None
        return self.position + self.fields[slot]

    def _vector(self, slot: int, item_bytes: int, what: str) -> tuple[int, int]:
        """First byte and element count; (0, 0) where absent."""
        at = self._at(slot)
        if at is None:
            return 0, 0
        name = f"{what} of {self.what}"
        start = self.buffer.follow(at, name)
        count = int(self.buffer.unpack("<I", start, name))
        return self.buffer.span(start + 4, count * item_bytes, name), count

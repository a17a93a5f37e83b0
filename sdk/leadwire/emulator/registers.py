"""Peripheral registers: 32-bit words that byte and halfword accesses reach too."""

from __future__ import annotations

_MASK = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF}


class Registers:
    """A peripheral as plain storage. Subclasses give single registers a meaning in `get` and `put`."""

    def __init__(self, reset: dict[int, int] | None = None) -> None:
        self.words: dict[int, int] = dict(reset or {})

    def read(self, offset: int, size: int) -> int:
        if size == 4:
            return self.get(offset & ~3)
        return (self.get(offset & ~3) >> 8 * (offset & 3)) & _MASK[size]

    def write(self, offset: int, size: int, value: int) -> None:
        """`size` 1, 2 or 4 bytes. A narrow write leaves the other bytes of the word as stored."""
        word, shift = offset & ~3, 8 * (offset & 3)
        if size != 4:
            value = (self.words.get(word, 0) & ~(_MASK[size] << shift)) | (value & _MASK[size]) << shift
        self.put(word, value & 0xFFFFFFFF)

    def get(self, offset: int) -> int:
        return self.words.get(offset, 0)

    def put(self, offset: int, value: int) -> None:
        self.words[offset] = value

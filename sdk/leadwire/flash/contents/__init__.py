"""What the flash of a board must hold to run an image, and the file formats that flash tools take it in.

The one place where an ELF becomes .bin, Intel HEX or UF2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leadwire.board import Board
from leadwire.emulator.elf import Segment, load_program
from leadwire.errors import BadInputError

from . import intel_hex, uf2

Form = Literal["elf", "bin", "hex", "uf2"]
ERASED = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """`segments` in order of address, without overlap, each within one flash region of the board."""

    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, elf: Path, board: Board) -> Contents:
        """BadInputError where the file is no ELF, or has bytes outside the board's flash."""
        program = load_program(elf, machine=None)
        segments = sorted(program.segments, key=lambda segment: segment.address)
        flash = [region for region in board.memory if region.kind == "flash"]
        reached = 0
        for segment in segments:
            last = segment.address + len(segment.data)
            if segment.address < reached:
                raise BadInputError(f"firmware image '{elf}': two segments overlap at {segment.address:#010x}")
            reached = last
            if not any(region.origin <= segment.address and last <= region.end for region in flash):
                raise BadInputError(
                    f"firmware image '{elf}': {len(segment.data)} B at {segment.address:#010x} are outside the flash "
                    f"of board '{board.id}'",
                    hint="build the image for this board",
                )
        return cls(segments=tuple(segments))

    @property
    def address(self) -> int:
        return self.segments[0].address

    @property
    def size_bytes(self) -> int:
        """From the first byte to the last, gaps included."""
        return self.segments[-1].address + len(self.segments[-1].data) - self.address

    @property
    def data(self) -> bytes:
        """All bytes from `address` on; gaps as erased flash."""
        whole = bytearray([ERASED]) * self.size_bytes
        for segment in self.segments:
            start = segment.address - self.address
            whole[start : start + len(segment.data)] = segment.data
        return bytes(whole)

    def digest(self, held: bytes | None = None) -> str:
        """SHA-256 over the segments' bytes; of `held`, what a board holds from `address` on, over the same places."""
        whole = self.data if held is None else held
        parts = ((segment.address - self.address, len(segment.data)) for segment in self.segments)
        return hashlib.sha256(b"".join(whole[start : start + size] for start, size in parts)).hexdigest()

    def save(self, form: Form, path: Path, *, family: int = 0) -> Path:
        """Write the file; `family` is UF2's family id."""
        if form == "bin":
            path.write_bytes(self.data)
        elif form == "hex":
            path.write_text(intel_hex.text(self.segments), encoding="ascii")
        elif form == "uf2":
            path.write_bytes(uf2.blocks(self.address, self.data, family))
        else:
            raise ValueError(form)
        return path

"""What the flash of a board must hold to run an image, and the file formats that flash tools take it in.

The one place where an ELF becomes .bin, Intel HEX or UF2, and where such files of others are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board
from leadwire.emulator.elf import Segment, load_program
from leadwire.errors import BadInputError

from . import elf_file, intel_hex, uf2
from .read import read_segments

Form = Literal["elf", "bin", "hex", "uf2"]
ERASED = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """`segments` in order of address, without overlap, each within one flash region of the board."""

    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, elf: Path, board: Board) -> Contents:
        """BadInputError where the file is no ELF, or has bytes outside the board's flash."""
        segments = _in_order(load_program(elf, machine=None).placed, elf)
        flash = [region for region in board.memory if region.kind == "flash"]
        for segment in segments:
            last = segment.address + len(segment.data)
            if not any(region.origin <= segment.address and last <= region.end for region in flash):
                raise BadInputError(
                    f"firmware image '{elf}': {len(segment.data)} B at {segment.address:#010x} are outside the flash "
                    f"of board '{board.id}'",
                    hint="build the image for this board; one of ESP-IDF is flashed by its flasher_args.json",
                )
        return cls(segments=segments)

    @classmethod
    def of_image(cls, image: FirmwareImage, board: Board) -> Contents:
        """What its own files for the flash say, else its ELF; BadInputError where a file is not what was accepted."""
        if not image.flash_files:
            return cls.of(image.elf, board)
        segments: list[Segment] = []
        for file in image.flash_files:
            data = file.path.read_bytes() if file.path.is_file() else b""
            if hashlib.sha256(data).hexdigest() != file.digest:
                raise BadInputError(f"file for the flash '{file.path}' is not the one that was accepted")
            origin = file.offset_bytes if file.offset_bytes is not None else cls.of(image.elf, board).address
            segments += read_segments(file.path, data, origin)
        return cls(segments=_in_order(segments, image.elf))

    def holds(self, other: Contents) -> bool:
        """Whether every byte of `other` is here, at its place."""
        held, first = self.data, self.address
        return all(
            part.address >= first and held[part.address - first :].startswith(part.data) for part in other.segments
        )

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
        elif form == "elf":
            path.write_bytes(elf_file.write(self.segments))
        elif form == "uf2":
            path.write_bytes(uf2.blocks(self.address, self.data, family))
        else:
            raise ValueError(form)
        return path


def _in_order(segments: Iterable[Segment], path: Path) -> tuple[Segment, ...]:
    """By address; BadInputError where two overlap, or there is nothing."""
    ordered = sorted(segments, key=lambda segment: segment.address)
    for one, other in pairwise(ordered):
        if other.address < one.address + len(one.data):
            raise BadInputError(f"firmware image '{path}': two segments overlap at {other.address:#010x}")
    if not ordered:
        raise BadInputError(f"firmware image '{path}': nothing to write")
    return tuple(ordered)

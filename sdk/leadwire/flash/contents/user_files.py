"""What a user's build made for the flash: checked against the ELF that it must be of, and copied.

A .hex, .bin or .uf2 holds every byte of the ELF at its place, and may hold more (a boot loader, a signature). ESP-IDF's
build folder has flasher_args.json, which names files and their offsets in the flash; its application carries the
SHA-256 of the ELF that it was made from (ESP-IDF API reference, App Image Format, application description).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from leadwire.artifacts import FirmwareImage, FlashFile, sha256_hex
from leadwire.board import Board
from leadwire.errors import BadInputError, FileMissingError
from leadwire.workspace import write_atomically

from . import Contents

_LARGEST_BYTES = 64 << 20
_IMAGE_MAGIC, _DESCRIPTION_MAGIC = 0xE9, 0xABCD5432
_DESCRIPTION_AT, _DIGEST_AT, _DIGEST_BYTES = 0x20, 0xB0, 32
"""Behind the header of the image and that of its first segment; the digest behind the 144 B of other facts."""
_BY_OFFSET = "esptool"
"""The tool that writes files at offsets instead of a program at its addresses."""


def take_files(files: Sequence[Path], image: FirmwareImage, board: Board, out: Path) -> FirmwareImage:
    """The image with copies of its files for the flash in `out`. BadInputError where they are not of this ELF, or
    something lies outside the board's flash; a board that exists in an emulator alone has no flash to judge by."""
    if not files and board.emulation is None:
        Contents.of(image.elf, board)
    taken: list[tuple[Path, bytes, int | None]] = []
    for path in files:
        found = _of_esp_idf(path, board) if path.suffix == ".json" else iter([(path, _read(path), None)])
        taken += found
    if any(offset is not None for _, _, offset in taken):
        _check_application(taken, image, board)
    given = tuple(
        FlashFile(path=path, digest=sha256_hex(data), size_bytes=len(data), offset_bytes=offset)
        for path, data, offset in taken
    )
    if given and all(file.offset_bytes is None for file in given):
        _check_same_program(replace(image, flash_files=given), board)
    kept = (
        _copy(number, file, data, out) for number, (file, (_, data, _)) in enumerate(zip(given, taken, strict=True))
    )
    return replace(image, flash_files=tuple(kept))


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileMissingError(path, role="file for the flash")
    if path.stat().st_size > _LARGEST_BYTES:
        raise BadInputError(f"file for the flash '{path}': {path.stat().st_size} B are more than any flash has")
    return path.read_bytes()


def _of_esp_idf(path: Path, board: Board) -> Iterator[tuple[Path, bytes, int]]:
    """Files and offsets of a flasher_args.json; they lie in its own folder."""
    folder = path.resolve().parent
    try:
        listed = json.loads(_read(path))["flash_files"]
        places = [(int(str(offset), 0), str(name)) for offset, name in listed.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadInputError(
            f"'{path}' is no flasher_args.json of ESP-IDF: it has no flash_files", hint="run 'idf.py build' again"
        ) from None
    if not places:
        raise BadInputError(f"'{path}' names no files", hint="run 'idf.py build' again")
    for offset, name in sorted(places):
        file = (folder / name).resolve()
        if not file.is_relative_to(folder):
            raise BadInputError(f"'{path}' names '{name}', which is not in its folder")
        data = _read(file)
        if not 0 <= offset <= board.total_bytes("flash") - len(data):
            raise BadInputError(
                f"'{path}': {len(data)} B of '{name}' at {offset:#x} are outside the {board.total_bytes('flash')} B of "
                f"flash of board '{board.id}'",
                hint="build for a flash of this board's size",
            )
        yield file, data, offset


def _check_application(taken: Sequence[tuple[Path, bytes, int | None]], image: FirmwareImage, board: Board) -> None:
    if board.flash_tool != _BY_OFFSET:
        raise BadInputError(
            f"board '{board.id}' is flashed with {board.flash_tool}, which takes no files at offsets",
            hint="leave flasher_args.json to boards of Espressif",
        )
    if any(offset is None for _, _, offset in taken):
        raise BadInputError("flasher_args.json names all files for the flash", hint="give it alone")
    described = [digest for _, data, _ in taken if (digest := _elf_digest(data)) is not None]
    if image.digest not in described:
        found = ", ".join(one[:16] + "..." for one in described) or "none"
        raise BadInputError(
            f"the files for the flash are of another build than '{image.elf.name}' ({image.digest[:16]}...): the "
            f"application among them was made from {found}",
            hint="give the ELF and flasher_args.json of one 'idf.py build'",
        )


def _elf_digest(data: bytes) -> str | None:
    """SHA-256 of the ELF that an application image says it was made from; None where it is no application."""
    if len(data) < _DIGEST_AT + _DIGEST_BYTES or data[0] != _IMAGE_MAGIC:
        return None
    (magic,) = struct.unpack_from("<I", data, _DESCRIPTION_AT)
    return data[_DIGEST_AT : _DIGEST_AT + _DIGEST_BYTES].hex() if magic == _DESCRIPTION_MAGIC else None


def _check_same_program(image: FirmwareImage, board: Board) -> None:
    program, given = Contents.of(image.elf, board), Contents.of_image(image, board)
    if not given.holds(program):
        names = ", ".join(file.path.name for file in image.flash_files)
        raise BadInputError(
            f"{names} is not the program of the ELF ({image.digest[:16]}...)", hint="give files of one build"
        )
    flash = [region for region in board.memory if region.kind == "flash"]
    for one in given.segments:
        if not any(region.origin <= one.address and one.address + len(one.data) <= region.end for region in flash):
            raise BadInputError(
                f"{len(one.data)} B at {one.address:#010x} of the files for the flash are outside that of board "
                f"'{board.id}'",
                hint="leave out what is no program (option bytes, UICR), or write it once by hand",
            )


def _copy(number: int, file: FlashFile, data: bytes, out: Path) -> FlashFile:
    copy = out / f"flash-{number}{file.path.suffix.lower()}"
    try:
        write_atomically(copy, data)
    except OSError as error:
        raise BadInputError(f"'{copy}' cannot be written: {error.strerror}", hint="choose another folder") from error
    return replace(file, path=copy)

"""An image of forty bytes, and a job for each flash tool: on a real board that names the tool where there is one."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from functools import cache
from pathlib import Path

from leadwire.artifacts import FirmwareImage, StackBound
from leadwire.board import Board, list_boards, load_board
from leadwire.device.target import Target
from leadwire.flash import tool
from leadwire.flash.chips import unique_id_place

BYTES = bytes(range(40))


def small_elf(address: int, data: bytes = BYTES) -> bytes:
    """An Arm executable of one segment (TIS ELF 1.2), without sections."""
    header = struct.pack(
        "<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 40, 1, address | 1, 52, 0, 0x05000200, 52, 32, 1, 40, 0, 0
    )
    return header + struct.pack("<8I", 1, 84, address, address, len(data), len(data), 5, 4) + data


def image_of(path: Path, board_id: str) -> FirmwareImage:
    return FirmwareImage(
        elf=path,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        project_digest="1" * 64,
        model_digest="2" * 64,
        board_id=board_id,
        backend="aot",
        toolchain="none",
        build_id="3" * 32,
        sections=(),
        text_bytes=0,
        rodata_bytes=0,
        data_bytes=0,
        bss_bytes=0,
        model_flash_bytes=0,
        model_ram_bytes=0,
        stack=StackBound(bytes=0, path=()),
    )


@cache
def boards() -> tuple[Board, ...]:
    return tuple(map(load_board, list_boards()))


def board_for(name: str) -> Board:
    """The first board, by id, that the tool can program, rather one whose chip has a number that can be read."""
    named = [board for board in boards() if name in board.flash_tools and board.emulation is None]
    named.sort(key=lambda board: unique_id_place(board.mcu) is None)
    return named[0] if named else dataclasses.replace(load_board("virtual-stm32f405"), emulation=None)


def job_for(name: str, folder: Path, **place: str) -> tool.Job:
    """The tool's job for forty bytes at the start of the board's flash."""
    board = board_for(name)
    flash = next(region for region in board.memory if region.kind == "flash")
    elf = folder / "image.elf"
    elf.write_bytes(small_elf(flash.origin))
    target = Target(board=board, port="/dev/ttyTEST", tool=name, **place)
    return tool.Job(image=image_of(elf, board.id), target=target, folder=folder)

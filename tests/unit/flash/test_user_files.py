"""Files for the flash beside a user's ELF: what is of it, what is not, and what is written then."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from intelhex import IntelHex

from flash_example import BYTES, image_of, job_for, small_elf
from leadwire.artifacts import FirmwareImage
from leadwire.board import Board, load_board
from leadwire.device.target import Target
from leadwire.emulator.elf import load_program
from leadwire.errors import BadInputError, FileMissingError
from leadwire.flash import esptool, openocd, tool
from leadwire.flash.contents import Contents, elf_file, intel_hex, uf2
from leadwire.flash.contents.user_files import take_files

ORIGIN = 0x08000000
ESP = load_board("esp32-c3-devkitm-1")


@pytest.fixture
def board() -> Board:
    return load_board("nucleo-f401re")


@pytest.fixture
def image(tmp_path: Path, board: Board) -> FirmwareImage:
    (tmp_path / "user.elf").write_bytes(small_elf(ORIGIN))
    return image_of(tmp_path / "user.elf", board.id)


def hex_text(*parts: tuple[int, bytes]) -> str:
    """By intelhex, not by leadwire."""
    made = IntelHex()
    for address, data in parts:
        made.puts(address, data)
    stream = io.StringIO()
    made.write_hex_file(stream)
    return stream.getvalue()


def test_a_hex_file_of_the_same_program_may_hold_more(tmp_path: Path, image: FirmwareImage, board: Board) -> None:
    loader = b"\xaa" * 20
    (tmp_path / "a.hex").write_text(hex_text((ORIGIN, BYTES), (ORIGIN + 0x20000, loader)))
    taken = take_files([tmp_path / "a.hex"], image, board, tmp_path / "out")
    contents = Contents.of_image(taken, board)
    assert [(one.address, one.data) for one in contents.segments] == [(ORIGIN, BYTES), (ORIGIN + 0x20000, loader)]
    assert contents.digest() == hashlib.sha256(BYTES + loader).hexdigest()
    job = tool.Job(image=taken, target=Target(board=board, port="x", tool="openocd"), folder=tmp_path)
    written = load_program(Path(next(w for w in openocd.argv(job) if "write_image" in w).split("{")[1].rstrip("}")))
    assert written.segments == contents.segments  # the ELF that OpenOCD is handed holds the boot loader too
    assert taken.flash_files[0].digest == hashlib.sha256((tmp_path / "a.hex").read_bytes()).hexdigest()


def test_bin_and_uf2_lie_where_the_elf_does(tmp_path: Path, image: FirmwareImage, board: Board) -> None:
    (tmp_path / "a.bin").write_bytes(BYTES + b"\0" * 8)
    (tmp_path / "a.uf2").write_bytes(uf2.blocks(ORIGIN, BYTES, 0))
    for name in ("a.bin", "a.uf2"):
        taken = take_files([tmp_path / name], image, board, tmp_path / "out")
        assert Contents.of_image(taken, board).data.startswith(BYTES)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.hex", hex_text((ORIGIN, BYTES[:-1] + b"\0")).encode(), "is not the program of the ELF"),
        ("a.hex", hex_text((ORIGIN + 4, BYTES)).encode(), "is not the program of the ELF"),
        ("a.hex", hex_text((ORIGIN, BYTES), (0x10001000, b"1234")).encode(), "outside that of board"),
        ("a.hex", hex_text((ORIGIN, BYTES)).replace(":00000001FF", "").encode(), "cut off"),
        ("a.hex", hex_text((ORIGIN, BYTES)).replace("0", "1", 1).encode(), "damaged"),
        ("a.hex", b"\xff\xfe", "not text"),
        ("a.bin", b"", "is empty"),
        ("a.bin", BYTES[:20], "is not the program of the ELF"),
        ("a.uf2", uf2.blocks(ORIGIN, BYTES, 0)[:-1], "UF2 file is damaged"),
        ("a.uf2", uf2.blocks(ORIGIN, BYTES * 20, 0)[512:], "UF2 file is damaged"),
        ("a.img", BYTES, "is no file for the flash"),
        ("a.json", b"{}", "no flash_files"),
        ("a.json", b'{"flash_files": []}', "no flash_files"),
        ("a.json", b"[" * 5000, "no flash_files"),
    ],
)
def test_files_that_are_refused(
    tmp_path: Path, image: FirmwareImage, board: Board, name: str, data: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInputError, match=words):
        take_files([tmp_path / name], image, board, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_missing_or_changes(tmp_path: Path, image: FirmwareImage, board: Board) -> None:
    with pytest.raises(FileMissingError):
        take_files([tmp_path / "none.hex"], image, board, tmp_path / "out")
    (tmp_path / "a.bin").write_bytes(BYTES)
    taken = take_files([tmp_path / "a.bin"], image, board, tmp_path / "out")
    taken.flash_files[0].path.write_bytes(BYTES[::-1])
    with pytest.raises(BadInputError, match="not the one that was accepted"):
        Contents.of_image(taken, board)


def test_an_elf_alone_must_lie_in_flash(tmp_path: Path, board: Board) -> None:
    (tmp_path / "user.elf").write_bytes(small_elf(0x20000000))
    with pytest.raises(BadInputError, match="outside the flash"):
        take_files([], image_of(tmp_path / "user.elf", board.id), board, tmp_path / "out")


def test_padding_between_sections_is_nobodys(tmp_path: Path) -> None:
    """TIS ELF 1.2: a segment of two sections with a gap; files for the flash have there what they like."""
    names = b"\0one\0two\0.shstrtab\0"
    body = b"AAAA" + b"\0" * 4 + b"BBBB"
    sections_at = 84 + len(body) + len(names)
    header = struct.pack(
        "<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 40, 1, ORIGIN, 52, sections_at, 0, 52, 32, 1, 40, 4, 3
    )
    segment = struct.pack("<8I", 1, 84, ORIGIN, ORIGIN, len(body), len(body), 5, 4)

    def section(name: int, kind: int, flags: int, address: int, offset: int, size: int) -> bytes:
        return struct.pack("<10I", name, kind, flags, address, offset, size, 0, 0, 1, 0)

    table = (
        section(0, 0, 0, 0, 0, 0)
        + section(1, 1, 2, ORIGIN, 84, 4)
        + section(5, 1, 2, ORIGIN + 8, 92, 4)
        + section(9, 3, 0, 0, 84 + len(body), len(names))
    )
    data = header + segment + body + names + table
    assert len(data) == sections_at + len(table)
    path = tmp_path / "a.elf"
    path.write_bytes(data)
    contents = Contents.of(path, load_board("nucleo-f401re"))
    assert [(one.address, one.data) for one in contents.segments] == [(ORIGIN, b"AAAA"), (ORIGIN + 8, b"BBBB")]
    assert contents.data == b"AAAA" + b"\xff" * 4 + b"BBBB"


def test_the_elf_writer_is_read_back(tmp_path: Path) -> None:
    parts = intel_hex.segments(hex_text((ORIGIN, b"123"), (ORIGIN + 0x10000, b"45")))
    path = tmp_path / "a.elf"
    path.write_bytes(elf_file.write(parts))
    assert load_program(path).segments == parts


# ---------------------------------------------------------------------------------------------- ESP-IDF


def application(elf_digest: str, size: int = 400) -> bytes:
    """An application image's head as ESP-IDF documents it: 24 B of header, 8 B of segment, then the description."""
    head = b"\xe9" + b"\x01" * 31
    description = struct.pack("<I4x8x32s32s16s16s32s", 0xABCD5432, b"1.0", b"bench", b"t", b"d", b"v6.0")
    return (head + description + bytes.fromhex(elf_digest)).ljust(size, b"\x55")


@pytest.fixture
def idf(tmp_path: Path) -> Path:
    """A build folder with ELF, files and flasher_args.json."""
    elf = tmp_path / "app.elf"
    elf.write_bytes(small_elf(0x42000020).replace(struct.pack("<HH", 2, 40), struct.pack("<HH", 2, 243)))
    files = {"0x0": "bootloader/boot.bin", "0x8000": "table.bin", "0x10000": "app.bin"}
    (tmp_path / "bootloader").mkdir()
    (tmp_path / "bootloader" / "boot.bin").write_bytes(b"\xe9" + b"B" * 300)
    (tmp_path / "table.bin").write_bytes(b"\xaa\x50" + b"T" * 100)
    (tmp_path / "app.bin").write_bytes(application(hashlib.sha256(elf.read_bytes()).hexdigest()))
    (tmp_path / "flasher_args.json").write_text(json.dumps({"flash_files": files, "flash_settings": {}}))
    return tmp_path


def test_esp_idfs_files_go_to_their_offsets_and_are_read_back(idf: Path) -> None:
    image = image_of(idf / "app.elf", ESP.id)
    taken = take_files([idf / "flasher_args.json"], image, ESP, idf / "out")
    assert [file.offset_bytes for file in taken.flash_files] == [0, 0x8000, 0x10000]
    job = tool.Job(image=taken, target=Target(board=ESP, port="/dev/ttyTEST"), folder=idf)
    words = esptool.argv(job)
    placed = words[words.index("write-flash") + 1 :]
    assert placed[::2] == ("0x0", "0x8000", "0x10000")
    assert [Path(name).read_bytes()[:2] for name in placed[1::2]] == [b"\xe9B", b"\xaa\x50", b"\xe9\x01"]
    read = esptool.read_argv(job, idf / "dump")
    assert read[-4:] == ("read-flash", "0x0", str(0x10000 + 400), str(idf / "dump"))
    held = job.contents.data
    assert job.contents.digest(held) == job.contents.digest()
    assert job.contents.digest(held[:-1] + b"x") != job.contents.digest()


def test_esp_idfs_files_of_another_build_or_place_are_refused(idf: Path, board: Board) -> None:
    image = image_of(idf / "app.elf", ESP.id)
    args = idf / "flasher_args.json"

    def refuse(words: str, board: Board = ESP, *more: Path) -> None:
        with pytest.raises(BadInputError, match=words):
            take_files([args, *more], image, board, idf / "out")
        assert not (idf / "out").exists()

    refuse("takes no files at offsets", board)
    refuse("names all files for the flash", ESP, idf / "table.bin")
    (idf / "app.bin").write_bytes(application("12" * 32))
    refuse("of another build than 'app.elf'.*made from 1212")
    (idf / "app.bin").write_bytes(b"\xe9" + bytes(300))
    refuse("made from none")
    for offset, name, words in (
        ("0x10000", "../../etc/passwd", "not in its folder"),
        ("-1", "app.bin", "outside the"),
        ("0x3fffff", "app.bin", "outside the"),
        ("here", "app.bin", "no flash_files"),
    ):
        args.write_text(json.dumps({"flash_files": {offset: name}}))
        refuse(words)
    args.write_text(json.dumps({"flash_files": {"0x0": "none.bin"}}))
    with pytest.raises(FileMissingError):
        take_files([args], image, ESP, idf / "out")


def test_own_images_are_written_as_ever(tmp_path: Path) -> None:
    job = job_for("esptool", tmp_path)
    assert replace(job.image, flash_files=()) == job.image
    assert job.contents == Contents.of(job.image.elf, job.board)

"""Images that others built: what is accepted, what is read out of them, and every way in which they are refused."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from leadwire.artifacts import FirmwareImage, FirmwareProject, UserImage
from leadwire.board import Board, Budget, MemoryRegion, load_board
from leadwire.build import build_image
from leadwire.build.elf import model_share, read_elf
from leadwire.build.user_image import MARK, accept_image
from leadwire.emulator.elf import load_program
from leadwire.errors import BadInputError, BudgetError, FileMissingError
from leadwire.pipeline.sources import generate_sources, plan_package, read_model
from rig_example import write_model
from user_image_example import build_user_image, builds_for

BOARD = load_board("virtual-stm32f405")
Accept = Callable[..., FirmwareImage]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "small.tflite")


@pytest.fixture(scope="module")
def elf(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_user_image(source, BOARD, tmp_path_factory.mktemp("user"))


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FirmwareProject, dict[str, str]]:
    return builds_for(source, BOARD, tmp_path_factory.mktemp("sources"))


@pytest.fixture
def accept(elf: Path, made: tuple[FirmwareProject, dict[str, str]], tmp_path: Path) -> Accept:
    """`accept(bytes, board=..., sources=..., builds=...)`: the record, with what is given in place of what is right."""

    def run(data: bytes | None = None, board: Board = BOARD, **other: object) -> FirmwareImage:
        path = tmp_path / "given.elf"
        path.write_bytes(elf.read_bytes() if data is None else data)
        sources, builds = made
        given = {"sources": sources, "packages": builds, **other}
        return accept_image(UserImage(elf=path), board=board, out=tmp_path / "out", **given)  # type: ignore[arg-type]

    return run


def test_the_record_says_what_the_file_is(
    accept: Accept, elf: Path, made: tuple[FirmwareProject, dict[str, str]]
) -> None:
    image = accept()
    sources, builds = made
    assert image.digest == hashlib.sha256(elf.read_bytes()).hexdigest()
    assert image.elf.read_bytes() == elf.read_bytes()
    assert (image.model_digest, image.project_digest) == (sources.model_digest, sources.digest)
    assert image.package == "zephyr" and builds[image.build_id] == "zephyr"
    with elf.open("rb") as stream:
        comment = ELFFile(stream).get_section_by_name(".comment").data().split(b"\0")[0].decode()
    assert comment in image.toolchain and image.toolchain.startswith("the board's user's, from the zephyr package: ")
    with elf.open("rb") as stream:
        sizes = {s.name: s["sh_size"] for s in ELFFile(stream).iter_sections() if s["sh_flags"] & 2}
    assert image.bss_bytes == sizes["zeroed"]
    assert image.flash_bytes == sum(sizes.values()) - sizes["zeroed"]
    assert image.stack.bytes == BOARD.stack_bytes and "board's file" in image.stack.notes[0]


def test_the_models_share_by_names_is_that_by_objects(source: Path, tmp_path: Path) -> None:
    """Of an image that leadwire links, where both can be had: names see every function and table, to whole words."""
    model = read_model(source)
    plan = plan_package(model, "aot", None)
    project = generate_sources(source, model, plan, BOARD, tmp_path / "source", "aot")
    own = build_image(project, BOARD, out=tmp_path / "own")
    identity = load_identity(own.elf)
    taken = accept_image(UserImage(elf=own.elf), project, {identity: "zephyr"}, BOARD, tmp_path / "out")
    assert own.model_ram_bytes <= taken.model_ram_bytes <= own.model_ram_bytes + 64
    assert own.model_flash_bytes * 0.98 <= taken.model_flash_bytes <= own.model_flash_bytes * 1.25
    assert (taken.flash_bytes, taken.bss_bytes) == (own.flash_bytes, own.bss_bytes)
    assert model_share(read_elf(own.elf), []).flash_bytes == 0


def load_identity(elf: Path) -> str:
    """The build id behind the mark, by hand."""
    data = b"".join(segment.data for segment in load_program(elf, machine=None).segments)
    at = data.index(MARK) + len(MARK)
    return data[at : at + 16].hex()


def test_a_stripped_file_counts_as_a_whole(accept: Accept, elf: Path, source: Path, tmp_path: Path) -> None:
    stripped = build_user_image(source, BOARD, tmp_path, "-Wl,--strip-all")
    image = accept(stripped.read_bytes())
    assert image.model_flash_bytes == image.flash_bytes > accept().model_flash_bytes
    assert any("whole image counts" in note for note in image.stack.notes)


@pytest.mark.parametrize(
    ("core", "words"),
    [
        ("cortex-m0", "its core is cortex-m0"),
        ("cortex-m3", "its core is cortex-m3"),
        ("cortex-m4", "floating-point unit"),
        ("rv32imc", "EM_RISCV"),
        ("xtensa-lx7", "EM_XTENSA"),
    ],
)
def test_code_of_another_core(accept: Accept, core: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        accept(board=replace(BOARD, core=core))


@pytest.mark.parametrize("core", ["cortex-m7f", "cortex-m33f", "cortex-m55", "cortex-m85"])
def test_code_of_a_lesser_core_runs(accept: Accept, core: str) -> None:
    assert accept(board=replace(BOARD, core=core)).package == "zephyr"


def test_another_model_board_or_sources(
    accept: Accept, elf: Path, made: tuple[FirmwareProject, dict[str, str]]
) -> None:
    sources, builds = made
    other = "ab" * 32
    with pytest.raises(BadInputError, match=f"of another model: found {sources.model_digest}, expected {other}"):
        accept(sources=replace(sources, model_digest=other))
    with pytest.raises(BadInputError, match="for another board: found virtual-stm32f405, expected mine"):
        accept(board=replace(BOARD, id="mine"))
    stale = {"00" * 16: "zephyr"}
    with pytest.raises(BadInputError, match="other sources than this leadwire generates") as caught:
        accept(packages=stale)
    assert next(build for build, name in builds.items() if name == "zephyr") in caught.value.message
    assert "leadwire package" in caught.value.hint


def test_no_bench_firmware_or_two(accept: Accept, elf: Path) -> None:
    data = elf.read_bytes()
    assert data.count(MARK) == 1
    with pytest.raises(BadInputError, match="holds no bench firmware"):
        accept(data.replace(MARK, b"x" * len(MARK)))
    at = data.index(MARK)
    with pytest.raises(BadInputError, match="holds no bench firmware"):
        accept(data[:at] + data[at : at + 40].upper() + data[at + 40 :])
    second = at + len(MARK) + 16 + 65 + len(BOARD.id) + 1
    twice = data[:second] + MARK + b"\1" * 16 + data[at + len(MARK) + 16 : second] + data[second + second - at :]
    with pytest.raises(BadInputError, match="holds 2 different bench firmwares"):
        accept(twice)


def test_a_file_that_is_cut_anywhere(accept: Accept, elf: Path) -> None:
    data = elf.read_bytes()
    for size in (0, 3, 51, 52, 100, 5000, len(data) // 2, len(data) - 1):
        with pytest.raises(BadInputError):
            accept(data[:size])


def test_headers_that_lie(accept: Accept, elf: Path) -> None:
    """Counts, offsets and sizes of an ELF header at their ends: an error each, quickly, and nothing written."""
    data = elf.read_bytes()
    for offset, width in ((18, 2), (28, 4), (32, 4), (42, 2), (44, 2), (46, 2), (48, 2), (50, 2)):
        for value in (0, 1, (1 << (8 * width)) - 1):
            damaged = bytearray(data)
            damaged[offset : offset + width] = value.to_bytes(width, "little")
            try:
                accept(bytes(damaged))
            except (BadInputError, BudgetError):
                continue
    sections = struct.unpack_from("<I", data, 32)[0]
    for field in range(0, 40, 4):
        damaged = bytearray(data)
        damaged[sections + 40 + field : sections + 44 + field] = b"\xff\xff\xff\xff"
        try:
            accept(bytes(damaged))
        except (BadInputError, BudgetError):
            continue


def test_larger_than_the_boards_memory(accept: Accept) -> None:
    def board(flash: int, ram: int) -> Board:
        regions = (
            MemoryRegion(name="flash", kind="flash", origin=0x08000000, size_bytes=flash),
            MemoryRegion(name="sram", kind="ram", origin=0x20000000, size_bytes=ram),
        )
        return replace(BOARD, memory=regions, budget=Budget(flash_bytes=flash, ram_bytes=ram))

    with pytest.raises(BudgetError, match=r"flash  \d+ B of 4096 B linked"):
        accept(board=board(4096, 131072))
    with pytest.raises(BudgetError, match=r"ram  \d+ B of 9000 B linked"):
        accept(board=board(1 << 20, 9000))


def test_a_file_that_is_not_there(made: tuple[FirmwareProject, dict[str, str]], tmp_path: Path) -> None:
    for path in (tmp_path / "none.elf", tmp_path):
        with pytest.raises(FileMissingError):
            accept_image(UserImage(elf=path), made[0], made[1], BOARD, tmp_path / "out")
    assert not (tmp_path / "out").exists()

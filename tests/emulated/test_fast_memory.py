"""Part of a model in the CCM of the emulated STM32F405, and in a second RAM on QEMU: the same bytes."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from unicorn import UC_HOOK_MEM_READ

from leadwire.artifacts import FirmwareImage, MemoryPlan
from leadwire.bench import pattern_input
from leadwire.board import Board, MemoryRegion, load_board
from leadwire.budget import check_image
from leadwire.build import build_image
from leadwire.device.client import DeviceClient
from leadwire.device.target import Target
from leadwire.emulator.elf import load_program
from leadwire.emulator.machine import Machine
from leadwire.emulator.usart import SerialLine
from leadwire.errors import DeviceError
from leadwire.flash import flash_image
from leadwire.model.tflite import parse_tflite
from leadwire.pipeline.sources import generate_sources, plan_model
from leadwire.planner import FastRequest
from small_network import INPUT_BYTES, small_network

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")

VIRTUAL = load_board("virtual-stm32f405")
CCM = range(0x1000_0000, 0x1001_0000)
FLASH = range(0x0800_0000, 0x0810_0000)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(small_network())
    return path


def built(
    path: Path, board: Board, wish: str, out: Path, limit: int | None = None, toolchain: str = "zig"
) -> tuple[MemoryPlan, FirmwareImage]:
    model = parse_tflite(path.read_bytes(), name="small")
    plan = plan_model(model, board, fast=FastRequest(region=wish, limit_bytes=limit))
    sources = generate_sources(path, model, plan, board, out / "source", "aot")
    return plan, build_image(sources, board, toolchain=toolchain, out=out)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def without(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> FirmwareImage:
    """The image that places nothing there."""
    return built(model_file, VIRTUAL, "off", tmp_path_factory.mktemp("usual"))[1]


@pytest.fixture(scope="module")
def with_all(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryPlan, FirmwareImage]:
    return built(model_file, VIRTUAL, "auto", tmp_path_factory.mktemp("auto"))


def answer(image: FirmwareImage, board: Board) -> tuple[int, int]:
    """CRC-32 of the output for the pattern input, cycles; the self-test at start-up must have passed."""
    with flash_image(image, Target(board=board)) as running, DeviceClient(running.port) as client:
        result = client.infer(1, pattern_input(INPUT_BYTES))
        assert client.self_test().ok
        return zlib.crc32(result.output), result.cycles


def check_sections(plan: MemoryPlan, image: FirmwareImage) -> None:
    """Linked where planned, as large as planned, and flashed to flash."""
    assert plan.fast is not None
    placed = {section.name: section for section in image.sections if section.address in CCM}
    assert set(placed) <= {".fast_data", ".fast_bss"}, "nothing else strays into the region"
    assert (".fast_data" in placed) is bool(plan.fast.tables)
    assert (".fast_bss" in placed) is bool(plan.fast.arena_bytes)
    assert 0 < image.model_fast_bytes <= plan.fast.limit_bytes
    assert image.model_fast_bytes == pytest.approx(sum(section.size_bytes for section in placed.values()), abs=8)
    with image.elf.open("rb") as stream:
        for segment in ELFFile(stream).iter_segments("PT_LOAD"):
            assert not segment["p_filesz"] or segment["p_paddr"] in FLASH
    rows = {line.resource: line.used for line in check_image(image, plan, VIRTUAL).lines}
    assert rows["fast"] == image.model_fast_bytes


def test_tables_in_the_ccm(without: FirmwareImage, with_all: tuple[MemoryPlan, FirmwareImage]) -> None:
    plan, image = with_all
    check_sections(plan, image)
    assert image.model_ram_bytes == without.model_ram_bytes
    assert image.model_flash_bytes == without.model_flash_bytes, "the copy takes room in flash as before"
    assert answer(image, VIRTUAL) == answer(without, VIRTUAL), "the timing model has no wait states"


@pytest.mark.parametrize("limit", [None, 520])
def test_activations_in_the_ccm(without: FirmwareImage, model_file: Path, tmp_path: Path, limit: int | None) -> None:
    plan, image = built(model_file, VIRTUAL, "ccm:arena", tmp_path, limit)
    check_sections(plan, image)
    assert plan.fast is not None and (plan.fast.arena_bytes == plan.arena_bytes) is (limit is None)
    usual = plan_model(parse_tflite(model_file.read_bytes(), name="small"), VIRTUAL)
    assert without.model_ram_bytes - image.model_ram_bytes == pytest.approx(
        usual.arena_bytes - (plan.arena_bytes - plan.fast.arena_bytes), abs=8
    )
    assert answer(image, VIRTUAL)[0] == answer(without, VIRTUAL)[0]


@pytest.mark.arm_gcc
def test_gnu_ld_places_the_same(without: FirmwareImage, model_file: Path, tmp_path: Path) -> None:
    plan, image = built(model_file, VIRTUAL, "auto", tmp_path, 1000, "arm-none-eabi-gcc")
    check_sections(plan, image)
    assert answer(image, VIRTUAL)[0] == answer(without, VIRTUAL)[0]


def reads(image: FirmwareImage, where: range) -> int:
    """Data reads in a stretch of memory from reset until the firmware sleeps: start-up and one inference, which is the
    self-test's."""
    count = 0

    def on_read(*_: object) -> None:
        nonlocal count
        count += 1

    asleep: list[bool] = []
    machine = Machine(
        load_program(image.elf),
        clock_hz=VIRTUAL.clock_hz,
        line=SerialLine(lambda _sent: None),
        wait=lambda _seconds: asleep.append(True),
    )
    machine._core._uc.hook_add(UC_HOOK_MEM_READ, on_read, None, where.start, where.stop - 1)
    while not asleep:
        machine.step()
    return count


def test_the_kernels_read_the_ccm_instead_of_the_flash(
    without: FirmwareImage, with_all: tuple[MemoryPlan, FirmwareImage]
) -> None:
    plan, image = with_all
    assert plan.fast is not None
    there, before, after = reads(image, CCM), reads(without, FLASH), reads(image, FLASH)
    copied = -(-image.model_fast_bytes // 4)
    assert before - after == pytest.approx(there - copied, abs=copied), "reads moved, one copy of the tables came"
    assert 0 < there <= sum(table.reads for table in plan.fast.tables), "the planned count is the most there can be"
    assert after < before / 2


@pytest.mark.qemu
def test_a_second_ram_on_qemu(without: FirmwareImage, model_file: Path, tmp_path: Path) -> None:
    """The second witness of start-up code and linker script: another emulator, another region."""
    board = load_board("qemu-mps2-an386")
    psram = MemoryRegion(name="psram", kind="ram", origin=0x2100_0000, size_bytes=1 << 20, external=True)
    board = replace(board, memory=(*board.memory, psram))
    plan, image = built(model_file, board, "psram:both", tmp_path / "fast")
    assert plan.fast is not None and plan.fast.tables and plan.fast.arena_bytes
    assert any(section.address in range(psram.origin, psram.end) for section in image.sections)
    assert answer(image, board)[0] == answer(without, VIRTUAL)[0]


@pytest.mark.qemu
def test_an_old_qemu_without_ccm_is_named(
    with_all: tuple[MemoryPlan, FirmwareImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board("qemu-stm32f405")
    monkeypatch.setattr("leadwire.flash.qemu.qemu_version", lambda: "7.2.22")
    image = replace(with_all[1], board_id=board.id)
    with pytest.raises(DeviceError, match=r"'ccm' at 0x10000000, which QEMU 7.2.22 does not have") as caught:
        flash_image(image, Target(board=board))
    assert "8.0 or newer" in caught.value.hint

"""Budgets: every figure against a sum done by hand, the table as written down, and what an estimate may not do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leadwire.artifacts import (
    BenchmarkResult,
    BudgetLine,
    BudgetReport,
    DeviceInfo,
    FirmwareImage,
    MemoryPlan,
    Percentiles,
    Placement,
    StackBound,
)
from leadwire.board import Board, Budget, load_board
from leadwire.budget import check_benchmark, check_image, check_plan, require_fit
from leadwire.errors import BudgetError
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor, TensorType

BOARD = load_board("virtual-stm32f405")


def tensor(
    index: int, name: str, elements: int, *, constant: bool = False, dtype: TensorType = TensorType.INT8
) -> Tensor:
    data = bytes(elements * dtype.item_bytes) if constant else None
    return Tensor(index=index, name=name, shape=(1, elements), dtype=dtype, data=data)


MODEL = Model(
    name="ecg_resnet", digest="m" * 64, size_bytes=1, description="",
    tensors=(
        tensor(0, "ecg", 32768), tensor(1, "block2/conv", 32768), tensor(2, "w", 3000, constant=True),
        tensor(3, "b", 10, constant=True, dtype=TensorType.INT32), tensor(4, "flat", 32768),
        tensor(5, "shape", 2, constant=True, dtype=TensorType.INT32), tensor(6, "sum", 32768),
    ),
    operators=(
        Operator(index=0, kind="CONV_2D", inputs=(0, 2, 3), outputs=(1,)),
        Operator(index=1, kind="RESHAPE", inputs=(1, 5), outputs=(4,)),
        Operator(index=2, kind="ADD", inputs=(4, 0), outputs=(6,)),
    ),
    inputs=(0,), outputs=(6,),
)  # fmt: skip


def place(index: int, size: int, first: int, last: int) -> Placement:
    return Placement(tensor=index, offset_bytes=0, size_bytes=size, first_operator=first, last_operator=last)


PLAN = MemoryPlan(
    model_digest="m" * 64, arena_bytes=71204, lower_bound_bytes=71204, peak_operator=0, alignment_bytes=4,
    placements=(place(0, 32768, 0, 2), place(1, 32768, 0, 1)), scratch=(place(-1, 5668, 0, 0),), in_place=(),
)  # fmt: skip
IMAGE = FirmwareImage(
    elf=Path("firmware.elf"), digest="i" * 64, project_digest="p" * 64, model_digest="m" * 64, board_id=BOARD.id,
    backend="aot", toolchain="zig", build_id="0" * 32, sections=(), text_bytes=20000, rodata_bytes=9000, data_bytes=4,
    bss_bytes=9000, model_flash_bytes=15000, model_ram_bytes=6000, stack=StackBound(bytes=1000, path=("main",)),
)  # fmt: skip


def benchmark(board: Board, longest_us: float, stack: int = 700) -> BenchmarkResult:
    device = DeviceInfo(
        firmware_version="",
        build_id="",
        model_name="",
        model_digest="",
        board_id=board.id,
        unique_id="",
        clock_hz=1,
        arena_bytes=0,
        input_bytes=0,
        output_bytes=0,
        operator_count=0,
        cycle_counter="dwt",
    )
    return BenchmarkResult(
        board_id=board.id, backend="aot", image_digest=IMAGE.digest, model_digest="m" * 64, basis=board.basis,
        inputs=50, warmup=3, instructions_per_inference=1, instructions_basis="", constant_instructions=True,
        cycles_estimate=1.0,
        latency_us=Percentiles(p50=longest_us / 2, p95=longest_us / 2, p99=longest_us / 2, max=longest_us),
        throughput_hz=1.0, operators=(), macs=1, arena_bytes=1, flash_bytes=IMAGE.flash_bytes,
        ram_bytes=IMAGE.ram_bytes, stack_high_water_bytes=stack, output_crc32="", io_digest="", device=device,
    )  # fmt: skip


def with_budget(board: Board, flash: int, ram: int, latency: float | None = None) -> Board:
    return replace(board, budget=Budget(flash_bytes=flash, ram_bytes=ram, latency_us=latency))


def used(report: BudgetReport) -> dict[str, tuple[float, str]]:
    return {line.resource: (line.used, line.basis) for line in report.lines}


def test_the_plan_counts_arena_and_the_constants_that_are_read() -> None:
    report = check_plan(PLAN, MODEL, with_budget(BOARD, 3040, 71204))
    assert used(report) == {"flash": (3000 + 10 * 4, "planned"), "ram": (71204, "planned")}
    assert report.fits
    assert report.peak == "op 0 CONV_2D 'block2/conv': input 32 768 + output 32 768 + scratch 5 668"
    assert not check_plan(PLAN, MODEL, with_budget(BOARD, 3039, 71204)).fits
    assert not check_plan(PLAN, MODEL, with_budget(BOARD, 3040, 71203)).fits


def test_the_peak_names_what_is_held_and_not_what_is_shared() -> None:
    plan = replace(PLAN, peak_operator=2, in_place=((2, 4),), scratch=(), lower_bound_bytes=65536 + 100)
    assert check_plan(plan, MODEL, BOARD).peak == "op 2 ADD 'sum': input 65 536 + held for later 100"


def test_an_image_counts_the_models_share_and_the_stack_bound() -> None:
    report = check_image(IMAGE, PLAN, with_budget(BOARD, 15000, 7000), MODEL)
    assert used(report) == {"flash": (15000, "linked"), "ram": (7000, "linked")}
    assert report.fits
    assert report.subject_digest == IMAGE.digest
    assert not check_image(IMAGE, PLAN, with_budget(BOARD, 14999, 7000)).fits
    assert not check_image(IMAGE, PLAN, with_budget(BOARD, 15000, 6999)).fits
    unbounded = replace(IMAGE, stack=StackBound(bytes=1000, path=(), notes=("recursion: f -> f",)))
    assert "no bound: recursion" in check_image(unbounded, PLAN, BOARD).lines[1].note


def test_a_benchmark_brings_the_largest_latency_and_the_stack_that_was_used() -> None:
    board = with_budget(BOARD, 15000, 6700, latency=4000.0)
    report = check_benchmark(benchmark(board, 4000.0), board, IMAGE)
    assert used(report) == {"flash": (15000, "linked"), "ram": (6700, "emulated"), "latency": (4000.0, "emulated")}
    assert report.fits
    assert not check_benchmark(benchmark(board, 4000.1), board, IMAGE).fits
    assert used(check_benchmark(benchmark(board, 1.0), board)) == {"latency": (1.0, "emulated")}


@pytest.mark.requirement("LW-MEM-002")
def test_an_estimate_never_passes_where_a_measurement_is_required() -> None:
    real = replace(with_budget(BOARD, 15000, 7000, latency=4000.0), emulation=None)
    measured = benchmark(real, 10.0)
    assert check_benchmark(measured, real).fits
    emulated = check_benchmark(replace(measured, basis="emulated"), real)
    assert not emulated.fits
    with pytest.raises(BudgetError, match="needs measured"):
        require_fit(emulated, MODEL)
    line = BudgetLine(resource="latency", used=1, limit=None, unit="us", basis="planned", required_basis="measured")
    assert line.proven


def test_instruction_counts_of_qemu_break_a_latency_limit_but_do_not_keep_it() -> None:
    qemu = with_budget(load_board("qemu-stm32f405"), 15000, 7000, latency=4000.0)
    within = check_benchmark(benchmark(qemu, 3999.0), qemu).lines[0]
    assert within.limit is None
    assert "not judged" in within.note
    assert not check_benchmark(benchmark(qemu, 4001.0), qemu).fits


@pytest.mark.requirement("LW-MEM-002")
def test_the_error_is_the_table_of_what_is_over() -> None:
    board = with_budget(BOARD, 3000, 57344)
    with pytest.raises(BudgetError) as caught:
        require_fit(check_plan(PLAN, MODEL, board), MODEL)
    assert caught.value.exit_code == 4
    assert caught.value.message == (
        "'ecg_resnet' does not fit virtual-stm32f405\n"
        "  flash   3 040 B of  3 000 B planned      40 B over\n"
        "         weights and biases; code comes with linking\n"
        "  ram    71 204 B of 57 344 B planned  13 860 B over\n"
        "         arena; stack comes with linking\n"
        "         peak at op 0 CONV_2D 'block2/conv': input 32 768 + output 32 768 + scratch 5 668"
    )
    assert caught.value.hint.startswith(
        "a smaller op 0 CONV_2D 'block2/conv', or fewer weights (most: op 0 CONV_2D 'block2/conv'), or "
    )
    report = check_plan(PLAN, MODEL, BOARD)
    assert require_fit(replace(report, lines=report.lines[:1]), MODEL).fits


def test_boards_that_would_do_are_named() -> None:
    small = with_budget(BOARD, 3000, 60000)
    plan = replace(PLAN, arena_bytes=60001)
    with pytest.raises(BudgetError) as caught:
        require_fit(check_plan(plan, MODEL, small), MODEL)
    assert "launchxl-cc1352r1 (180 224 B flash, 61 440 B RAM), nucleo-f401re (262 144 B flash" in caught.value.hint
    assert caught.value.hint.count("B RAM)") == 3
    assert "host" not in caught.value.hint
    with pytest.raises(BudgetError) as caught:
        require_fit(check_plan(replace(plan, arena_bytes=10**8), MODEL, small), MODEL)
    assert "a larger budget, where the product allows it" in caught.value.hint

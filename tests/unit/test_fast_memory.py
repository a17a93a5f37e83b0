"""Part of a model in a second memory region: what is chosen, what sources and budget say of it, bad wishes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from leadwire.artifacts import MemoryPlan
from leadwire.board import Board, load_board
from leadwire.budget import check_plan, require_fit
from leadwire.build import build_host_library
from leadwire.device.host_library import HostLibrary
from leadwire.errors import BadInputError, BudgetError
from leadwire.generate import generate_project
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops.spec import Constant
from leadwire.pipeline.alone import live_bytes
from leadwire.pipeline.packages import PackageOptions, package_model
from leadwire.pipeline.sources import plan_model, plan_package
from leadwire.pipeline.watcher import Quiet
from leadwire.planner import FastRequest, FastSpace, fast_space, plan_memory
from leadwire.planner.fast import size_bytes
from small_network import small_network

VIRTUAL, H743, MPS = (load_board(name) for name in ("virtual-stm32f405", "nucleo-h743zi", "qemu-mps2-an386"))


@pytest.fixture(scope="module")
def model() -> Model:
    return parse_tflite(small_network(), name="small")


def space(size: int, flash: int = 5, ram: int = 0, holds: str = "both") -> FastSpace:
    return FastSpace(
        region="ccm", size_bytes=size, flash_wait_states=flash, ram_wait_states=ram, holds=holds  # type: ignore[arg-type]
    )  # fmt: skip


def planned(model: Model, room: FastSpace) -> MemoryPlan:
    return plan_memory(model, fast=room)


def check_apart(plan: MemoryPlan) -> None:
    """Nothing that is alive together overlaps within a region, but where sharing was planned."""
    assert plan.fast is not None
    for one, other in combinations(plan.placed, 2):
        together = one.first_operator <= other.last_operator and other.first_operator <= one.last_operator
        apart = (
            one.offset_bytes + one.size_bytes <= other.offset_bytes
            or other.offset_bytes + other.size_bytes <= one.offset_bytes
        )
        if together and not apart:
            same = one.offset_bytes == other.offset_bytes
            overlapped = any(one.last_operator == index or other.last_operator == index for index in plan.overlaps)
            assert same or overlapped
    behind = plan.arena_bytes - plan.fast.arena_bytes
    for one in plan.placed:
        there = one.first_operator in plan.fast.scratch if one.tensor < 0 else one.tensor in plan.fast.tensors
        assert (one.offset_bytes >= behind) is there
        assert one.offset_bytes + one.size_bytes <= (plan.arena_bytes if there else behind)


def test_tables_come_by_reads_for_a_byte(model: Model) -> None:
    """conv1 is read at 61 positions, the depthwise one at 61, conv2 at 30, the dense layer once."""
    whole = planned(model, space(65_536)).fast
    assert whole is not None
    reads = {table.name: table.reads for table in whole.tables}
    assert reads["op1_weights"] == 8 * 7 * 61
    assert reads["op2_weights"] == 5 * 8 * 61
    assert reads["op4_weights"] == 16 * 3 * 8 * 30
    assert reads["op6_weights"] == 5 * 16
    assert reads["op4_bias"] == 16 * 30
    names = [table.name for table in whole.tables]
    assert names.index("op1_weights") < names.index("op4_weights") < names.index("op6_weights")
    assert whole.wait_states == 5 * sum(reads.values())
    assert whole.arena_bytes == 0, "the arena's own region has no wait states either"


@pytest.mark.parametrize("size", [0, 16, 40, 80, 120, 400, 600, 700, 900])
def test_no_more_is_placed_than_fits_and_hotter_tables_first(model: Model, size: int) -> None:
    found = planned(model, space(size)).fast
    assert found is not None and found.used_bytes <= size
    whole = planned(model, space(65_536)).fast
    assert whole is not None
    left = size - 16 - sum(-(-table.size_bytes // 8) * 8 for table in found.tables)
    left_out = [table for table in whole.tables if table not in found.tables]
    assert all(-(-table.size_bytes // 8) * 8 > left for table in left_out), "what is left out would still fit"


def test_the_arena_moves_where_that_saves_wait_states_or_is_asked_for(model: Model) -> None:
    usual = plan_memory(model)
    faster = planned(model, space(65_536, ram=1))
    assert faster.fast is not None and faster.fast.arena_bytes == faster.arena_bytes == usual.arena_bytes
    assert faster.placements == usual.placements and faster.backward == usual.backward
    asked = planned(model, space(65_536, holds="arena"))
    assert asked.fast is not None and asked.fast.arena_bytes == usual.arena_bytes and asked.fast.tables == ()
    kept = planned(model, space(65_536, ram=1, holds="weights"))
    assert kept.fast is not None and kept.fast.arena_bytes == 0 and kept.fast.tables


@pytest.mark.parametrize("size", [300, 520, 900])
def test_of_an_arena_that_does_not_fit_the_hottest_tensors_go(model: Model, tmp_path: Path, size: int) -> None:
    """Two arenas give the bytes of one."""
    plan = planned(model, space(size, holds="arena"))
    assert plan.fast is not None and plan.fast.arena_bytes <= size - 16
    check_apart(plan)
    assert all(live_bytes(plan, operator.index) <= plan.arena_bytes for operator in model.operators)
    host = load_board("host")
    answers = []
    for name, its in (("one", plan_memory(model)), ("two", plan)):
        project = generate_project(model, its, host, tmp_path / name / "source")
        library = HostLibrary(build_host_library(project, tmp_path / name))
        draw = np.random.default_rng(3)
        answers.append([library.infer(draw.bytes(model.input_bytes)) for _ in range(20)])
        assert library.arena_bytes == its.arena_bytes
    assert answers[0] == answers[1]


def test_some_of_these_sizes_split_the_arena(model: Model) -> None:
    parts = [planned(model, space(size, holds="arena")).fast_arena_bytes for size in (100, 300, 520, 700, 900)]
    whole = plan_memory(model).arena_bytes
    assert any(0 < part < whole for part in parts)


def test_sources_mark_what_moves_and_nothing_else(model: Model, tmp_path: Path) -> None:
    plan = planned(model, space(200))
    assert plan.fast is not None
    project = generate_project(model, plan, VIRTUAL, tmp_path / "fast")
    weights = (tmp_path / "fast/model/weights.c").read_text()
    marked = {line.split()[3].partition("[")[0] for line in weights.splitlines() if line.startswith("LW_FAST_TABLE")}
    assert marked == {f"lw_small_{table.name}" for table in plan.fast.tables} and marked
    header = (tmp_path / "fast/model/weights.h").read_text()
    assert "#define LW_FAST_TABLE\n" in header and "#include LW_PLACEMENT" in header
    assert dict(project.defines)["LW_FAST_MEMORY"] == "1"
    script = (tmp_path / "fast/port/linker.ld").read_text()
    assert "} > ccm AT > flash" in script and "} > ccm\n" in script
    generate_project(model, plan_memory(model), VIRTUAL, tmp_path / "usual")
    for path in sorted((*(tmp_path / "usual/model").iterdir(), tmp_path / "usual/port/linker.ld")):
        assert "fast" not in path.read_text().lower(), path


def test_planned_budget_counts_each_region_against_its_own_limit(model: Model) -> None:
    plan = plan_model(model, VIRTUAL, fast=FastRequest(region="ccm:arena", limit_bytes=4096))
    rows = {line.resource: line for line in check_plan(plan, model, VIRTUAL).lines}
    assert (rows["ram"].used, rows["fast"].used, rows["fast"].limit) == (0, plan.arena_bytes, 4096)
    assert rows["fast"].note.startswith("ccm: ")
    assert plan.fast is not None
    over = replace(plan, fast=replace(plan.fast, limit_bytes=plan.arena_bytes - 1))
    with pytest.raises(BudgetError, match=r"fast +[\d ]+ B of") as caught:
        require_fit(check_plan(over, model, VIRTUAL), model)
    assert "fast_bytes" in caught.value.hint


def test_off_is_the_default_and_auto_is_quiet_where_there_is_nothing(model: Model) -> None:
    assert plan_model(model, VIRTUAL) == plan_model(model, VIRTUAL, fast=FastRequest())
    assert plan_model(model, VIRTUAL).fast is None
    assert fast_space(MPS, FastRequest(region="auto")) is None
    assert plan_model(model, MPS, fast=FastRequest(region="auto")).fast is None


def test_auto_takes_the_largest_region_coupled_for_data() -> None:
    found = fast_space(H743, FastRequest(region="auto"))
    assert found is not None and (found.region, found.size_bytes) == ("dtcm", 131_072)
    assert (found.flash_wait_states, found.ram_wait_states) == (1, 1)
    assert sum("not published" in note for note in found.notes) == 2
    ccm = fast_space(VIRTUAL, FastRequest(region="auto", limit_bytes=100))
    assert ccm is not None and (ccm.flash_wait_states, ccm.ram_wait_states, ccm.size_bytes) == (5, 0, 100)
    assert [note for note in ccm.notes if "DMA" in note]


@pytest.mark.parametrize(
    ("board", "wish", "limit", "message"),
    [
        (VIRTUAL, "nope", None, "has no memory region 'nope'"),
        (VIRTUAL, "", None, "has no memory region ''"),
        (VIRTUAL, "flash", None, "is flash"),
        (VIRTUAL, "sram", None, "where all data of virtual-stm32f405 lies already"),
        (H743, "itcm", None, "for instructions alone"),
        (VIRTUAL, "ccm:code", None, "nothing called 'code'"),
        (VIRTUAL, "ccm:", None, "nothing called ''"),
        (VIRTUAL, "off:arena", None, "nothing called 'arena'"),
        (VIRTUAL, "ccm", 65_537, "65537 B of the 65536 B"),
        (VIRTUAL, "ccm", 0, "0 B of the 65536 B"),
        (VIRTUAL, "off", 100, "100 B of fast memory without one"),
        (MPS, "ccm", None, "has no memory region 'ccm'"),
    ],
)
def test_wishes_that_cannot_be_kept(board: Board, wish: str, limit: int | None, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        fast_space(board, FastRequest(region=wish, limit_bytes=limit))


def test_tflm_and_packages_for_no_board_are_refused(model: Model) -> None:
    with pytest.raises(BadInputError, match="backend tflm places nothing"):
        plan_model(model, VIRTUAL, "tflm", fast=FastRequest(region="auto"))
    with pytest.raises(BadInputError, match="of which board"):
        plan_package(model, "aot", None, None, FastRequest(region="auto"))
    plan = plan_package(model, "aot", None, H743, FastRequest(region="auto"))
    assert plan.fast is not None and plan.fast.region == "dtcm" and set(plan.kernels) <= {"portable"}


def test_a_struct_counts_its_size_or_more() -> None:
    assert size_bytes(Constant(suffix="w", ctype="int8_t", values=(1,) * 7)) == 7
    assert size_bytes(Constant(suffix="w", ctype="uint32_t", values=(1,) * 7)) == 28
    assert size_bytes(Constant(suffix="r", ctype="lw_rescale", values=(1,) * 6, row=3)) >= 2 * 8


def test_a_package_of_any_ecosystem_takes_a_boards_region(tmp_path: Path) -> None:
    source = tmp_path / "small.tflite"
    source.write_bytes(small_network())
    for wish in ("off", "dtcm:weights"):
        options = PackageOptions(
            ecosystem="cmake",
            board=None if wish == "off" else H743,
            fast=FastRequest(region=wish, limit_bytes=None if wish == "off" else 500),
        )
        package_model(source, options, tmp_path / wish[:3], Quiet())
    usual, fast = (
        {path.name: path.read_text() for path in (tmp_path / name).rglob("weights.*")} for name in ("off", "dtc")
    )
    assert "LW_FAST" not in usual["weights.h"] + usual["weights.c"]
    assert fast["weights.c"].count("LW_FAST_TABLE const") > 0
    assert fast["weights.c"].replace("LW_FAST_TABLE ", "") == usual["weights.c"], "nothing but the mark"

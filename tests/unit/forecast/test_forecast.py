"""A forecast is cycles over clock with a band, and never enough for a pass."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from leadwire.board import Board, Budget, list_boards, load_board
from leadwire.device.target import Target
from leadwire.errors import BadInputError, NoPortError
from leadwire.forecast import EMULATED_TO_SILICON, MACS_FACTOR, check_forecast, forecast_latency, work_from_macs
from leadwire.forecast.calibration import calibrate
from leadwire.forecast.tables import costs, timing_of
from leadwire.forecast.work import OperatorWork, Work
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor, TensorType
from leadwire.pipeline import run_project
from leadwire.pipeline.alone import analyze_model, bench_model, choose, plan_only, require_budget, require_reports
from leadwire.pipeline.forecast import CODES, count_work, forecast_model, rank_boards
from leadwire.pipeline.sources import read_model
from leadwire.pipeline.watcher import Quiet
from leadwire.project import load_project
from leadwire.resources import EXAMPLES


def tensor(index: int, elements: int, *, constant: bool = False) -> Tensor:
    data = bytes(elements) if constant else None
    return Tensor(index=index, name=f"t{index}", shape=(1, elements), dtype=TensorType.INT8, data=data)


MODEL = Model(
    name="adds", digest="d" * 64, size_bytes=1, description="",
    tensors=(tensor(0, 100), tensor(1, 100), tensor(2, 100), tensor(3, 2, constant=True)),
    operators=(
        Operator(index=0, kind="ADD", inputs=(0, 0), outputs=(1,)),
        Operator(index=1, kind="RESHAPE", inputs=(1, 3), outputs=(2,)),
    ),
    inputs=(0,), outputs=(2,),
)  # fmt: skip


def work(cycles: float = 1e6, *, code: str = "cortex-m4f", counted: bool = True) -> Work:
    operator = OperatorWork(index=0, kind="ADD", tensor="t1", macs=0, cycles=cycles)
    return Work(model_digest=MODEL.digest, code=code, how="by hand", counted=counted, operators=(operator,))


def limited(board: Board, latency_us: float | None) -> Board:
    return replace(board, budget=Budget(flash_bytes=1000, ram_bytes=1000, latency_us=latency_us))


def test_on_a_cortex_m4_it_is_the_emulated_cycles_and_what_they_are_worth() -> None:
    board = load_board("nucleo-l4r5zi")
    found = forecast_latency(MODEL, board, work())
    low, high = EMULATED_TO_SILICON
    assert found.cycles == pytest.approx(1e6 * math.sqrt(low * high))
    assert found.latency_us == pytest.approx(found.cycles / 120)
    band = calibrate().boards_band.factor
    assert found.low_us == pytest.approx(1e6 / 120 * low / band)
    assert found.high_us == pytest.approx(1e6 / 120 * high * band)
    assert found.basis == "estimated"
    assert found.core_is_calibrated
    assert found.operators[0].share == 1


def test_it_goes_with_clock_and_core() -> None:
    board = load_board("nucleo-l4r5zi")
    at = forecast_latency(MODEL, board, work()).latency_us
    assert forecast_latency(MODEL, replace(board, clock_hz=60_000_000), work()).latency_us == pytest.approx(2 * at)
    for core, slower in (("cortex-m33f", 0.82), ("cortex-m7f", 0.6), ("cortex-m85", 0.54)):
        other = forecast_latency(MODEL, replace(board, core=core), work()).latency_us
        assert other / at == pytest.approx(slower, rel=0.08), core


def test_a_core_that_nobody_published_has_the_band_of_cores_left_out() -> None:
    found = forecast_latency(MODEL, load_board("esp32-c3-devkitm-1"), work(code="cortex-m3"))
    assert not found.core_is_calibrated
    assert "one core out of 4" in found.band
    low, high = EMULATED_TO_SILICON
    assert found.high_us / found.low_us == pytest.approx(calibrate().cores_band.factor ** 2 * high / low)


def test_without_a_count_the_band_is_wider() -> None:
    board = load_board("nucleo-u575zi-q")
    counted, estimated = (forecast_latency(MODEL, board, work(counted=counted)) for counted in (True, False))
    assert estimated.latency_us == counted.latency_us
    assert estimated.high_us == pytest.approx(MACS_FACTOR * counted.high_us)
    assert "multiplications alone" in estimated.band


@pytest.mark.parametrize(("limit", "fails"), [(None, False), (1e9, False), (8333.0, False), (100.0, True)])
@pytest.mark.requirement("LW-MEM-002")
def test_a_forecast_is_never_enough_for_a_pass(limit: float | None, fails: bool) -> None:
    for board in (load_board("nucleo-l4r5zi"), load_board("virtual-stm32f405")):
        board = limited(board, limit)
        report = check_forecast(forecast_latency(MODEL, board, work()), board)
        assert report.basis == "estimated"
        assert bool(report.lines[0].over) == fails
        assert report.fits == (limit is None)


def test_other_peoples_work_and_computers_are_refused() -> None:
    with pytest.raises(ValueError, match="another"):
        forecast_latency(MODEL, load_board("nucleo-g0b1re"), work())
    with pytest.raises(ValueError, match="another"):
        forecast_latency(replace(MODEL, digest="e" * 64), load_board("nucleo-l4r5zi"), work())
    with pytest.raises(BadInputError, match="core 'host' has no timing"):
        forecast_latency(MODEL, load_board("host"), work())


def test_work_from_multiplications_is_cost_times_count() -> None:
    found = work_from_macs(MODEL, "cortex-m4f")
    assert [one.cycles for one in found.operators] == [100 * costs()["cortex-m4f", "ADD"], 0.0]
    assert not found.counted
    for code in CODES:
        assert work_from_macs(MODEL, code).cycles > 0
    assert {timing_of(load_board(board).core).code for board in list_boards() if board != "host"} <= set(CODES)


@pytest.mark.parametrize("code", ["cortex-m4f", "cortex-m0"])
def test_counted_work_is_that_of_the_bench_and_near_that_from_multiplications(
    reference_models: Path, code: str
) -> None:
    path = reference_models / "ecg_cnn_int8.tflite"
    counted = count_work(path, code)
    assert counted is not None
    assert counted.counted
    estimated = work_from_macs(read_model(path), code)
    assert 1 / MACS_FACTOR < estimated.cycles / counted.cycles < MACS_FACTOR
    assert [one.kind for one in counted.operators] == [one.kind for one in estimated.operators]
    per_mac = counted.cycles / sum(one.macs for one in counted.operators)
    assert 1 < per_mac < 3 if code == "cortex-m4f" else 6 < per_mac < 20


def test_a_model_that_the_emulated_board_cannot_hold_is_forecast_from_multiplications(
    reference_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadwire.pipeline.forecast.count_work", lambda *_: None)
    found = forecast_model(reference_models / "ecg_cnn_int8.tflite", load_board("virtual-stm32f405"))
    assert "multiplications" in found.forecast.work
    assert found.verdict == "inconclusive"
    with pytest.raises(BadInputError, match="'guess'"):
        forecast_model(reference_models / "ecg_cnn_int8.tflite", load_board("nrf52dk"), "guess")


def test_boards_are_ranked_by_margin_and_those_that_do_not_fit_say_why(reference_models: Path) -> None:
    ranking = rank_boards(reference_models / "ecg_kachuee_int8.tflite")
    fitting = [one for one in ranking.boards if one.fits]
    others = [one for one in ranking.boards if not one.fits]
    assert {one.board_id for one in ranking.boards} == set(list_boards()) - {"host"}
    assert [one.margin for one in fitting] == sorted((one.margin for one in fitting), reverse=True)
    assert all(one.margin >= 0 for one in fitting)
    assert list(ranking.boards) == fitting + others
    assert "nucleo-f103rb" in {one.board_id for one in others}
    for one in ranking.boards:
        budget = load_board(one.board_id).budget
        said = {reason.split()[0] for reason in one.reasons}
        assert ("flash" in said) == (one.flash_bytes > budget.flash_bytes), one
        assert ("ram" in said) == (one.ram_bytes > budget.ram_bytes), one
        assert ("latency" in said) == (budget.latency_us is not None and one.latency_low_us > budget.latency_us), one
    virtual = next(one for one in fitting if one.board_id == "virtual-stm32f405")
    built = linked_share(reference_models / "ecg_kachuee_int8.tflite")
    assert (virtual.flash_bytes, virtual.ram_bytes) == built


def linked_share(path: Path) -> tuple[int, int]:
    from tempfile import TemporaryDirectory

    from leadwire.pipeline.alone import build_model

    with TemporaryDirectory() as folder:
        analysis = analyze_model(build_model(path, choose("virtual-stm32f405", "aot", "auto"), Path(folder), Quiet()))
    return analysis.flash_bytes, analysis.ram_bytes


def test_a_board_without_a_port_is_planned_for_and_builds_nothing(reference_models: Path) -> None:
    path = reference_models / "ecg_kachuee_int8.tflite"
    built = plan_only(path, choose("nrf52dk", "aot", "auto"))
    analysis = analyze_model(built)
    assert (analysis.basis, analysis.fits, analysis.stack_bytes) == ("planned", True, None)
    require_reports(built)
    with pytest.raises(NoPortError) as caught:
        require_budget(built)
    assert "--for zephyr" in caught.value.hint


def test_a_project_for_a_board_without_a_port_ends_before_it_begins(tmp_path: Path) -> None:
    project = load_project(EXAMPLES / "arrhythmia" / "leadwire.toml", output=tmp_path / "out")
    with pytest.raises(NoPortError, match="'nrf52dk'"):
        run_project(project, until="build", watcher=Quiet(), target=Target(board=load_board("nrf52dk")))
    assert not (tmp_path / "out" / "firmware").exists()
    assert not list(tmp_path.glob("out/*.tflite"))


@pytest.mark.qemu
def test_a_cores_code_takes_as_many_instructions_on_the_core_itself(reference_models: Path) -> None:
    """QEMU executes the same kernels on a Cortex-M0: the second witness of code that stands for a core."""
    path = reference_models / "ecg_cnn_int8.tflite"
    counted = count_work(path, "cortex-m0")
    assert counted is not None
    there = bench_model(path, choose("qemu-microbit", "aot", "auto"), Quiet(), pattern=True, inputs=1, warmup=0)
    assert there.instructions_per_inference == pytest.approx(counted.instructions, rel=0.005)

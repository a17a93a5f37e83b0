"""One network on every port in its emulator: bench and validate, the same bytes as on this computer and as TFLite's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leadwire import reference
from leadwire.artifacts import Predictions
from leadwire.bench import run_benchmark
from leadwire.board import list_boards, load_board
from leadwire.build.image import build_host_library
from leadwire.datasets.dataset import Dataset
from leadwire.device.client import DeviceClient
from leadwire.device.host_library import HostLibrary
from leadwire.device.samples import run_samples
from leadwire.device.target import Target
from leadwire.flash import flash_image
from leadwire.model.tflite import parse_tflite
from leadwire.pipeline.alone import Options, bench_model, build_model, choose, generate_model, require_budget
from leadwire.protocols import ClassRule, Endpoint, HostDeviceRule, Protocol, StatisticsRule
from leadwire.resources import FIRMWARE_TEMPLATES
from leadwire.validate import run_validation
from small_network import CLASSES, INPUT_BYTES, small_network

LABELS = ("N", "S", "V", "F", "Q")
PATIENTS, BEATS_EACH = 20, 2
PROTOCOL = Protocol(
    name="ports",
    title="one network on every port",
    intended_population="none",
    labels=LABELS,
    minimum_patients=PATIENTS,
    classes=(ClassRule(label="V", name="VEB"),),
    endpoints=(Endpoint(name="accuracy", measure="accuracy", margin=0.2, rationale="bytes are compared, not figures"),),
    host_device=HostDeviceRule(witness="host_c"),
    statistics=StatisticsRule(resamples=200, method="bca", seed=7),
    digest="f" * 64,
)
COUNTERS = {
    "virtual-stm32f405": ("dwt", 168_000_000),
    "qemu-stm32f405": ("tim2", 1_000_000_000),
    "qemu-stm32vldiscovery": ("systick", 24_000_000),
    "qemu-microbit": ("timer0", 16_000_000),
    "qemu-lm3s6965evb": ("systick", 50_000_000),
    "qemu-mps2-an385": ("timer0", 25_000_000),
    "qemu-mps2-an386": ("timer0", 25_000_000),
    "qemu-mps2-an500": ("timer0", 25_000_000),
    "qemu-mps2-an505": ("timer0", 20_000_000),
    "qemu-mps3-an547": ("cntcv", 32_000_000),
    "qemu-riscv32-virt": ("mcycle", 1_000_000_000),
}
RISCV = "qemu-riscv32-virt"
PORTS = [
    "virtual-stm32f405",
    *(pytest.param(board, marks=pytest.mark.qemu) for board in COUNTERS if board not in ("virtual-stm32f405", RISCV)),
    pytest.param(RISCV, marks=pytest.mark.qemu_riscv),
]


class Quiet:
    """A watcher that nobody reads."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "small.tflite"
    path.write_bytes(small_network())
    return path


@pytest.fixture(scope="module")
def cohort() -> Dataset:
    draw = np.random.default_rng(3)
    beats = PATIENTS * BEATS_EACH
    patients = tuple(f"p{beat // BEATS_EACH:02d}" for beat in range(beats))
    return Dataset(
        name="ports",
        split="test",
        inputs=(draw.normal(size=(beats, INPUT_BYTES, 1)).astype(np.float32),),
        input_names=("ecg",),
        labels=draw.integers(0, CLASSES, beats).astype(np.int64),
        label_names=LABELS,
        patients=patients,
        records=patients,
        times_s=np.arange(beats, dtype=np.float64),
        basis="synthetic",
        licence="none",
        recordings=(),
    )


@pytest.fixture(scope="module")
def answers(network: Path, cohort: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """TFLite's reference kernels and the generated C on this computer; they are each other's witness first."""
    model = parse_tflite(network.read_bytes(), name="small")
    rows = reference.quantize_inputs(model, cohort.inputs, cohort.input_names)
    folder = tmp_path_factory.mktemp("host")
    library = HostLibrary(build_host_library(generate_model(network, choose("host", "aot", "zig"), folder), folder))
    found = {
        "tflite": np.asarray(reference.run_tflite(network, rows), dtype=np.int8).reshape(len(rows), -1),
        "host_c": np.stack([np.frombuffer(library.infer(row.tobytes()), dtype=np.int8) for row in rows]),
    }
    assert np.array_equal(found["tflite"], found["host_c"])
    assert len(np.unique(found["host_c"], axis=0)) > PATIENTS
    return found


@pytest.mark.requirement("LW-ENG-001", "LW-MEM-003")
@pytest.mark.parametrize("board_id", PORTS)
def test_the_same_network_gives_the_same_bytes(
    network: Path, cohort: Dataset, answers: dict[str, np.ndarray], tmp_path: Path, board_id: str
) -> None:
    options = choose(board_id, "aot", "zig")
    built = build_model(network, options, tmp_path, Quiet())
    image = require_budget(built)
    rows = reference.quantize_inputs(built.model, cohort.inputs, cohort.input_names)
    with flash_image(image, options.target) as running:
        kept: list[tuple[bytes, ...]] = []
        few = [row.tobytes() for row in rows[:3]]
        result = run_benchmark(running, built.model, built.plan, inputs=few, warmup=1, keep=kept.append)
        if running.count_instructions is not None:
            running.count_instructions(False)
        with DeviceClient(running.port, running.board.link.baud) as client:
            info = client.expect(image)
            run = run_samples(client, [row.tobytes() for row in rows], image=image)
    assert (info.cycle_counter, info.clock_hz) == COUNTERS[board_id]
    assert list(kept[0]) == [answers["host_c"][i].tobytes() for i in range(3)]
    assert result.instructions_per_inference is not None
    assert (
        result.instructions_per_inference > 5 * result.macs / 4
    )  # loads, multiplications and loops: a whole inference
    assert image.stack.bytes >= result.stack_high_water_bytes > 200
    device = np.frombuffer(b"".join(run.outputs), dtype=np.int8).reshape(len(rows), -1)
    raw = {**answers, "device": device}
    predictions = {
        name: Predictions(
            runtime=name,  # type: ignore[arg-type]
            model_digest=built.model.digest,
            dataset_digest=cohort.digest,
            outputs=reference.dequantize_outputs(built.model, values),
            raw=values,
        )
        for name, values in raw.items()
    }
    floats = reference.dequantize_outputs(built.model, answers["tflite"])
    predictions["float"] = Predictions(
        runtime="float", model_digest="b" * 64, dataset_digest=cohort.digest, outputs=floats
    )
    validated = run_validation(
        cohort,
        PROTOCOL,
        predictions,
        model_digest=built.model.digest,
        image_digest=image.digest,
        io_digest=run.io_digest,
        lost_samples=0,
        calibration_patients=("elsewhere",),
    )
    assert validated.verdict == "pass", validated.reasons


def test_every_port_is_here_with_every_core_that_an_emulator_has_it_on() -> None:
    boards = [load_board(board) for board in list_boards()]
    emulated = {(board.port, board.core) for board in boards if board.basis == "emulated"}
    here = {(board.port, board.core) for board in map(load_board, COUNTERS)}
    assert emulated == here
    assert {port.name for port in (FIRMWARE_TEMPLATES / "ports").iterdir() if port.is_dir()} == {p for p, _ in here}


@pytest.mark.qemu
def test_the_real_microbits_image_runs_on_qemus(tmp_path: Path) -> None:
    """The very firmware that would be flashed: QEMU stands in for the board, and the figures say so."""
    real = load_board("microbit")
    assert real.emulation is None and real.basis == "measured"
    stand_in = replace(real, flash_tool="qemu", emulation=load_board("qemu-microbit").emulation)
    path = tmp_path / "small.tflite"
    path.write_bytes(small_network())
    options = Options(target=Target(board=stand_in), backend="aot", toolchain="auto")
    result = bench_model(path, options, Quiet(), pattern=True, inputs=1, warmup=0)
    assert (result.board_id, result.basis, result.device.clock_hz) == ("microbit", "emulated", 16_000_000)
    assert result.output_crc32 == "4932a9f3"  # of docs/manual/ports.md, the same on every board

"""bench against a device double whose figures are known, seen as each kind of board."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import statistics
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_device import BUILD, CLOCK_HZ, DIGEST, FakeDevice, model_output

from leadwire.artifacts import BenchmarkResult, FirmwareImage, MemoryPlan, StackBound
from leadwire.bench import pattern_input, run_benchmark
from leadwire.board import Board, Budget, Emulation, LinkSettings, MemoryRegion
from leadwire.device.running import CounterRead, RunningBoard
from leadwire.errors import DatasetError, DeviceError, WrongDeviceError
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor, TensorType
from leadwire.resources import FIRMWARE_TEMPLATES

PLAN = MemoryPlan(
    model_digest=DIGEST.hex(),
    arena_bytes=1024,
    lower_bound_bytes=1000,
    peak_operator=0,
    alignment_bytes=4,
    placements=(),
    scratch=(),
    in_place=(),
)


def tensor(index: int, name: str, *shape: int, data: bytes | None = None) -> Tensor:
    return Tensor(index=index, name=name, shape=shape, dtype=TensorType.INT8, data=data)


MODEL = Model(
    name="trivial",
    digest=DIGEST.hex(),
    size_bytes=0,
    description="",
    tensors=(
        tensor(0, "in", 1, 24),
        tensor(1, "w", 5, 24, data=bytes(120)),
        tensor(2, "fc", 1, 5),
        tensor(3, "relu", 1, 5),
        tensor(4, "out", 1, 5),
    ),
    operators=(
        Operator(index=0, kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,)),
        Operator(index=1, kind="RELU", inputs=(2,), outputs=(3,)),
        Operator(index=2, kind="SOFTMAX", inputs=(3,), outputs=(4,)),
    ),
    inputs=(0,),
    outputs=(4,),
)
IMAGE = FirmwareImage(
    elf=Path("firmware.elf"),
    digest="a" * 64,
    project_digest="b" * 64,
    model_digest=DIGEST.hex(),
    board_id="virtual-stm32f405",
    backend="aot",
    toolchain="",
    build_id=BUILD.hex(),
    sections=(),
    text_bytes=1000,
    rodata_bytes=200,
    data_bytes=30,
    bss_bytes=4000,
    model_flash_bytes=900,
    model_ram_bytes=2000,
    stack=StackBound(bytes=600, path=()),
)
REAL = Board(
    id="virtual-stm32f405",
    name="",
    vendor="",
    mcu="",
    core="cortex-m4f",
    clock_hz=CLOCK_HZ,
    port="stm32f4",
    flash_tool="none",
    memory=(MemoryRegion(name="flash", kind="flash", origin=0, size_bytes=1024),),
    budget=Budget(flash_bytes=1, ram_bytes=1),
    link=LinkSettings(),
)
BUILT_IN = dataclasses.replace(REAL, emulation=Emulation(engine="unicorn"))
QEMU = dataclasses.replace(
    REAL, clock_hz=25_000_000, emulation=Emulation(engine="qemu", machine="x", ns_per_instruction=1.0)
)


def varying(data: bytes) -> int:
    return 1000 + data[0]


INPUTS = [bytes([i]) + bytes(23) for i in range(100)]


@contextmanager
def running(board: Board, **device: Any) -> Iterator[RunningBoard]:
    with FakeDevice(**device) as fake:

        def reads() -> list[CounterRead]:
            seen, fake.counter_log = fake.counter_log, []
            return [CounterRead(count=count, instructions=executed) for count, executed in seen]

        log = reads if board.emulation is not None and board.emulation.engine == "unicorn" else None
        yield RunningBoard(board=board, image=IMAGE, port=fake.port, counter_reads=log)


def measure(board: Board, inputs: list[bytes] = INPUTS, **device: Any) -> BenchmarkResult:
    with running(board, **device) as target:
        return run_benchmark(target, MODEL, PLAN, inputs=inputs, warmup=3)


def test_pattern_input() -> None:
    assert pattern_input(8) == bytes([11, 48, 85, 122, 159, 196, 233, 14])
    assert len(pattern_input(1000)) == 1000


@pytest.mark.requirement("LW-BEN-001")
def test_built_in_emulator_counts_exactly() -> None:
    result = measure(BUILT_IN, cycles=varying)
    assert result.basis == "emulated"
    assert result.constant_instructions is False
    assert result.instructions_per_inference == statistics.median_low([(1000 + i) * 3 // 4 for i in range(100)])
    assert result.cycles_estimate == 1049
    assert "counted by the emulator" in result.instructions_basis


def test_latency_is_the_nearest_rank_of_cycles_over_clock() -> None:
    """100 inputs of 1000..1099 cycles at 16 MHz: the 50th, 95th, 99th and last of them."""
    result = measure(REAL, cycles=varying)
    latency = result.latency_us
    assert (latency.p50, latency.p95, latency.p99, latency.max) == (1049 / 16, 1094 / 16, 1098 / 16, 1099 / 16)
    assert result.throughput_hz == pytest.approx(16e6 / 1049.5)
    assert (result.basis, result.instructions_per_inference, result.constant_instructions) == ("measured", None, None)


def test_constant_instructions() -> None:
    assert measure(BUILT_IN).constant_instructions is True


@pytest.mark.parametrize(
    ("clock_hz", "ticks", "instructions"), [(25_000_000, 1000, 40_000), (1_000_000_000, 40_000, 40_000)]
)
def test_qemu_counts_by_virtual_time(clock_hz: int, ticks: int, instructions: int) -> None:
    """One instruction is one nanosecond: a tick at 25 MHz is 40 of them. At the board's 25 MHz they take 1.6 ms."""
    result = measure(QEMU, cycles=lambda data: ticks, describe={"clock_hz": clock_hz, "counter": "timer"})
    assert result.instructions_per_inference == instructions
    assert result.cycles_estimate == instructions
    assert result.latency_us.p50 == pytest.approx(1600)
    assert result.basis == "emulated"
    assert "lower bounds" in result.instructions_basis
    assert [share.instructions for share in result.operators] == [100 * n * instructions // ticks for n in (1, 2, 3)]


def test_qemu_tells_one_tick_from_a_difference() -> None:
    described = {"clock_hz": 25_000_000, "counter": "timer"}
    for spread, constant in ((1, True), (2, False)):
        result = measure(QEMU, cycles=lambda data, s=spread: 1000 + s * (data[0] & 1), describe=described)  # type: ignore[misc]
        assert result.constant_instructions is constant


def test_counter_slower_than_the_core() -> None:
    """A timer at half the core's clock: twice the cycles, the same time."""
    board = dataclasses.replace(REAL, clock_hz=2 * CLOCK_HZ)
    result = measure(board, describe={"counter": "tim2"})
    assert result.cycles_estimate == 8000
    assert result.latency_us.p50 == 250


def test_operator_shares() -> None:
    result = measure(BUILT_IN)
    assert [(s.index, s.kind, s.tensor, s.macs) for s in result.operators] == [
        (0, "FULLY_CONNECTED", "fc", 120),
        (1, "RELU", "relu", 0),
        (2, "SOFTMAX", "out", 0),
    ]
    assert [s.cycles for s in result.operators] == [100, 200, 300]
    assert [s.instructions for s in result.operators] == [75, 150, 225]
    assert sum(s.share for s in result.operators) == pytest.approx(1)
    assert result.macs == 120


def test_bytes_and_digests() -> None:
    result = measure(BUILT_IN)
    outputs = [model_output(data, 5) for data in INPUTS]
    assert result.output_crc32 == f"{zlib.crc32(b''.join(outputs)):08x}"
    pairs = b"".join(a + b for a, b in zip(INPUTS, outputs, strict=True))
    assert result.io_digest == hashlib.sha256(pairs).hexdigest()
    assert (result.inputs, result.warmup, result.stack_high_water_bytes) == (100, 3, 512)
    assert (result.flash_bytes, result.ram_bytes, result.arena_bytes) == (900, 2000 + 512, 1024)
    assert (result.image_digest, result.model_digest) == (IMAGE.digest, MODEL.digest)


def test_pattern_gives_the_crc_of_one_output() -> None:
    pattern = pattern_input(24)
    result = measure(REAL, inputs=[pattern] * 5)
    assert result.output_crc32 == f"{zlib.crc32(model_output(pattern, 5)):08x}"


def test_lost_answers_do_not_confuse_the_emulators_log() -> None:
    undisturbed = measure(BUILT_IN, cycles=varying)

    def lossy(index: int, lines: bytes) -> bytes:
        return b"" if index == 50 else lines

    with running(BUILT_IN, cycles=varying, tamper=lossy) as target:
        lost = run_benchmark(target, MODEL, PLAN, inputs=INPUTS, warmup=3)
    assert lost == undisturbed


HOST_MODEL = """
#include "leadwire.h"
static int8_t in[24], out[5];
static const lw_tensor inputs[] = {{"in", in, 24, {1, 24}, 2, 1, 1.0f, 0}};
static const lw_tensor outputs[] = {{"out", out, 5, {1, 5}, 2, 1, 1.0f, 0}};
static lw_status nothing(void) { return LW_OK; }
static lw_status step(uint16_t index) { return index < 3 ? LW_OK : LW_ERROR_ARGUMENT; }
static lw_status infer(void)
{
    int sum = 0;
    for (int i = 0; i < 24; i++) sum += in[i];
    for (int i = 0; i < 5; i++) out[i] = (int8_t)(sum + 7 * i);
    return LW_OK;
}
static const lw_model model = {"trivial", "test", {DIGEST}, 1024, 1, 1, 3, 0, inputs, outputs, 0, 0,
                               nothing, infer, step, nothing, nothing};
const lw_model *lw_host_model(void);
const lw_model *lw_host_model(void) { return &model; }
"""


@pytest.fixture
def host_board(tmp_path: Path) -> RunningBoard:
    """The double's model in C, compiled for this machine."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs gcc or clang")
    source, library = tmp_path / "model.c", tmp_path / "model.so"
    source.write_text(HOST_MODEL.replace("DIGEST", ", ".join(map(str, DIGEST))))
    include = f"-I{FIRMWARE_TEMPLATES / 'runtime'}"
    subprocess.run([compiler, "-shared", "-fPIC", include, "-o", str(library), str(source)], check=True, timeout=60)
    board = dataclasses.replace(REAL, id="host", clock_hz=1_000_000_000, emulation=Emulation(engine="host"))
    return RunningBoard(board=board, image=dataclasses.replace(IMAGE, elf=library, board_id="host"), port="")


def test_host_gives_the_devices_bytes_and_measures_time(host_board: RunningBoard) -> None:
    host = run_benchmark(host_board, MODEL, PLAN, inputs=INPUTS, warmup=1)
    device = measure(REAL)
    assert (host.output_crc32, host.io_digest) == (device.output_crc32, device.io_digest)
    assert (host.basis, host.instructions_per_inference) == ("measured", None)
    assert 0 < host.latency_us.p50 <= host.latency_us.max
    assert host.cycles_estimate == pytest.approx(host.latency_us.p50 * 1000, rel=0.5)
    assert [share.kind for share in host.operators] == ["FULLY_CONNECTED", "RELU", "SOFTMAX"]
    assert (host.device.board_id, host.device.operator_count) == ("host", 3)


def test_host_library_of_another_model(host_board: RunningBoard) -> None:
    other = dataclasses.replace(MODEL, digest="0" * 64)
    stale = dataclasses.replace(host_board, image=dataclasses.replace(host_board.image, model_digest="0" * 64))
    with pytest.raises(WrongDeviceError, match="'host' carries another model"):
        run_benchmark(stale, other, PLAN, inputs=INPUTS, warmup=0)


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(("inputs", "reason"), [([], "no inputs"), ([bytes(24), bytes(7)], r"inputs of \[7\] bytes")])
def test_unfit_inputs(inputs: list[bytes], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        measure(REAL, inputs=inputs)


@pytest.mark.parametrize(
    ("described", "what"),
    [
        ({"digest": bytes(32)}, "model"),
        ({"build": bytes(16)}, "firmware build"),
        ({"ops": 4}, "model: found 4 operators"),
        ({"arena": 2048}, "arena"),
    ],
)
def test_another_device_than_the_image(described: dict[str, Any], what: str) -> None:
    with pytest.raises(WrongDeviceError, match=f"another {what}"):
        measure(REAL, inputs=INPUTS[:2], describe=described)


def test_another_model_than_the_image() -> None:
    with running(REAL) as target, pytest.raises(WrongDeviceError, match="another model"):
        run_benchmark(target, dataclasses.replace(MODEL, digest="0" * 64), PLAN, inputs=INPUTS, warmup=0)


def test_counter_that_stands_still() -> None:
    with pytest.raises(DeviceError, match="stands still"):
        measure(REAL, inputs=INPUTS[:2], cycles=lambda data: 0)


class Forgetful(FakeDevice):
    """Answers the fourth run with other bytes than those before, consistently with its own CRC."""

    def _run(self, seq: int) -> dict[str, Any]:
        answer = super()._run(seq)
        if self.runs == 4:
            self.output = bytes(5)
            before = zlib.crc32(self.input + self.output, self.io_crc_before)
            answer, self.io_crc = {**answer, "out": self.output, "crc": zlib.crc32(self.output)}, before
        self.io_crc_before = self.io_crc
        return answer


def test_same_input_with_two_outputs_is_an_error() -> None:
    with Forgetful() as fake:
        target = RunningBoard(board=REAL, image=IMAGE, port=fake.port)
        with pytest.raises(DeviceError, match=r"two outputs for the same input \(input 3\)"):
            run_benchmark(target, MODEL, PLAN, inputs=[pattern_input(24)] * 6, warmup=0)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda reads: reads[:1], "saw 1 counter reads, not 2"),
        (lambda reads: reads and [*reads[:-1], dataclasses.replace(reads[-1], count=reads[-1].count ^ 1)], "disagree"),
    ],
)
def test_emulator_log_that_does_not_fit_the_device(spoil: Callable[[Any], Any], reason: str) -> None:
    with running(BUILT_IN) as target:
        log = target.counter_reads
        assert log is not None
        odd = dataclasses.replace(target, counter_reads=lambda: spoil(log()))
        with pytest.raises(DeviceError, match=reason):
            run_benchmark(odd, MODEL, PLAN, inputs=INPUTS[:3], warmup=0)

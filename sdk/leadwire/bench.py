"""bench: one model on one board, measured through the link.

Latency and cycles come from the device's own counter, read right before and right after `infer()`. Nothing is
subtracted: a figure includes the call of `infer()` and one counter read, about ten instructions. What the board is
decides what a figure is worth (`basis`), and `instructions_basis` says how instructions were counted:

- built-in emulator: exactly, by the emulator, between the same two reads; cycles from its timing model;
- QEMU: from the counter, because virtual time goes on by a fixed step for each instruction; cycles and latency are then
  lower bounds, one cycle for each instruction at the board's clock;
- real boards: nothing counts instructions; cycles and latency are measured;
- host: the shared library, timed by the operating system's clock with the call through ctypes included; cycles are
  nanoseconds.
"""

from __future__ import annotations

import hashlib
import math
import statistics
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadwire.artifacts import BenchmarkResult, DeviceInfo, LatencyBin, MemoryPlan, OperatorShare, Percentiles
from leadwire.errors import DatasetError, DeviceError, WrongDeviceError
from leadwire.ops.registry import macs as operator_macs

if TYPE_CHECKING:
    from leadwire.device.client import DeviceClient
    from leadwire.device.running import CounterRead, RunningBoard
    from leadwire.model.graph import Model

Progress = Callable[[int, int], None]
_COUNTER_MASK = 0xFFFF_FFFF


def pattern_input(n_bytes: int) -> bytes:
    """The fixed input of the baselines: byte i is (37 i + 11) modulo 256."""
    return bytes((i * 37 + 11) & 0xFF for i in range(n_bytes))


def run_benchmark(
    running: RunningBoard,
    model: Model,
    plan: MemoryPlan,
    *,
    inputs: Sequence[bytes],
    warmup: int = 2,
    progress: Progress | None = None,
    keep: Callable[[tuple[bytes, ...]], None] | None = None,
) -> BenchmarkResult:
    """Runs `warmup` inputs unmeasured, then all `inputs` in order, each all inputs' bytes of the model in graph order.

    `keep` is handed the output of each input, for those who compare them.

    Raises DatasetError (no inputs, or of a wrong size), WrongDeviceError (the board carries something else),
    DeviceError and its kinds (the run was not whole, or the same input gave two outputs).
    """
    board, image = running.board, running.image
    if image.model_digest != model.digest:
        raise WrongDeviceError(running.port or board.id, "model", image.model_digest, model.digest)
    sizes = {len(data) for data in inputs} - {model.input_bytes}
    if sizes or not inputs:
        found = f"inputs of {sorted(sizes)} bytes, the model takes {model.input_bytes}" if sizes else "no inputs"
        raise DatasetError("benchmark", found)
    on_host = board.emulation is not None and board.emulation.engine == "host"
    measure = _measure_host if on_host else _measure_device
    started = time.monotonic()
    measured = measure(running, model, inputs, warmup, progress)
    elapsed_s = time.monotonic() - started
    wide = on_host and image.backend == "tflm"  # an interpreter's arena is larger with 64-bit pointers
    if not wide and measured.info.arena_bytes != plan.arena_bytes:
        found, expected = f"{measured.info.arena_bytes} B", f"{plan.arena_bytes} B"
        raise WrongDeviceError(running.port or board.id, "arena", found, expected)
    _check_repeatable(running, inputs, measured.outputs)
    if keep is not None:
        keep(measured.outputs)
    instructions = measured.instructions
    result = BenchmarkResult(
        board_id=board.id,
        backend=image.backend,
        image_digest=image.digest,
        model_digest=model.digest,
        basis=board.basis,
        inputs=len(inputs),
        warmup=warmup,
        instructions_per_inference=None if instructions is None else statistics.median_low(instructions.counts),
        instructions_basis="not counted" if instructions is None else instructions.basis,
        constant_instructions=None if instructions is None else instructions.constant,
        cycles_estimate=statistics.median_low(measured.cycles),
        latency_us=_percentiles(measured.latency_us),
        throughput_hz=1e6 / statistics.fmean(measured.latency_us),
        operators=measured.operators,
        macs=sum(operator_macs(model)),
        arena_bytes=measured.info.arena_bytes,
        flash_bytes=image.model_flash_bytes,
        ram_bytes=image.model_ram_bytes + measured.stack_bytes,
        stack_high_water_bytes=measured.stack_bytes,
        output_crc32=_output_crc32(inputs, measured.outputs),
        io_digest=measured.io_digest,
        device=measured.info,
        latency_bins=_bins(measured.latency_us),
    )
    check_times(result, elapsed_s)
    return result


def check_times(result: BenchmarkResult, seconds: float) -> None:
    """DeviceError where a real board says of one inference that it took longer than the whole run's `seconds`.

    A counter that jumps back looks like one that wrapped. Emulators have their own time.
    """
    longest = result.latency_us.max / 1e6
    if result.basis == "measured" and longest > seconds:
        raise DeviceError(
            f"the counter '{result.device.cycle_counter}' of '{result.board_id}' gives {longest:.1f} s for one "
            f"inference of a run that took {seconds:.1f} s",
            hint="the counter jumps or its frequency is wrong: check the clocks in the board's configuration",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instructions:
    """`counts` of each run; `resolution` is what one count may be off."""

    counts: tuple[int, ...]
    resolution: float
    basis: str

    @property
    def constant(self) -> bool:
        return max(self.counts) - min(self.counts) <= self.resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    info: DeviceInfo
    outputs: tuple[bytes, ...]
    io_digest: str
    cycles: tuple[float, ...]
    latency_us: tuple[float, ...]
    instructions: _Instructions | None
    operators: tuple[OperatorShare, ...]
    stack_bytes: int


# ------------------------------------------------------------------------------------------- device


def _measure_device(
    running: RunningBoard, model: Model, inputs: Sequence[bytes], warmup: int, progress: Progress | None
) -> _Measured:
    from leadwire.device.client import DeviceClient
    from leadwire.device.samples import run_samples

    board = running.board
    if running.count_instructions is not None:
        running.count_instructions(True)
    with DeviceClient(running.port, board.link.baud) as client:
        info = client.expect(running.image)
        if info.operator_count != len(model.operators):
            found, expected = f"{info.operator_count} operators", f"{len(model.operators)} operators"
            raise WrongDeviceError(running.port, "model", found, expected)
        run_samples(client, [inputs[i % len(inputs)] for i in range(warmup)], one_by_one=True)
        spans: list[tuple[int, int]] = []

        def after_each(done: int, total: int) -> None:
            if running.counter_reads is not None:
                spans.extend(_spans(running, 1))
            if progress is not None:
                progress(done, total)

        if running.counter_reads is not None:
            running.counter_reads()
        run = run_samples(client, inputs, after_each, one_by_one=True)
        if 0 in run.cycles:
            raise DeviceError(f"the cycle counter '{info.cycle_counter}' of '{running.port}' stands still")
        clock = _Clock(running, info)
        return _Measured(
            info=info,
            outputs=run.outputs,
            io_digest=run.io_digest,
            cycles=tuple(clock.cycles(ticks) for ticks in run.cycles),
            latency_us=tuple(clock.latency_us(ticks) for ticks in run.cycles),
            instructions=clock.instructions(run.cycles, spans),
            operators=_operator_shares(client, running, model, inputs[0], clock),
            stack_bytes=run.stack_high_water_bytes,
        )


class _Clock:
    """What ticks of the device's counter mean on this board."""

    def __init__(self, running: RunningBoard, info: DeviceInfo) -> None:
        emulation = running.board.emulation
        self._running = running
        self._counter_hz = info.clock_hz
        self._core_hz = running.board.clock_hz
        self._counts_cycles = info.cycle_counter == "dwt"
        step_ns = emulation.ns_per_instruction if emulation is not None else None
        self.instructions_per_tick = None if step_ns is None else 1e9 / info.clock_hz / step_ns

    def cycles(self, ticks: int) -> float:
        """CPU cycles; on an emulator without a cycle model executed instructions, which are a lower bound."""
        if self.instructions_per_tick is not None:
            return ticks * self.instructions_per_tick
        return float(ticks) if self._counts_cycles else ticks * self._core_hz / self._counter_hz

    def latency_us(self, ticks: int) -> float:
        if self.instructions_per_tick is not None:
            return self.cycles(ticks) / self._core_hz * 1e6
        return ticks / self._counter_hz * 1e6

    def instructions(self, ticks: Sequence[int], spans: Sequence[tuple[int, int]]) -> _Instructions | None:
        """From the emulator's log (`spans`, one for each run) or, on QEMU, from the counter itself."""
        if self._running.counter_reads is not None:
            _check_log(self._running, ticks, spans)
            counts = tuple(executed for _, executed in spans)
            return _Instructions(counts=counts, resolution=0, basis="counted by the emulator between the counter reads")
        if self.instructions_per_tick is not None:
            step = self.instructions_per_tick
            basis = f"virtual time of QEMU, to {step:g} instruction(s); cycles and latency are lower bounds from it"
            return _Instructions(counts=tuple(round(t * step) for t in ticks), resolution=step, basis=basis)
        return None


def _spans(running: RunningBoard, count: int) -> list[tuple[int, int]]:
    """(ticks, executed instructions) between the reads of each of the last `count` pairs; the log is cleared."""
    reads: Sequence[CounterRead] = () if running.counter_reads is None else running.counter_reads()
    if len(reads) < 2 * count:
        raise DeviceError(f"the emulator of '{running.board.id}' saw {len(reads)} counter reads, not {2 * count}")
    pairs = zip(reads[-2 * count :: 2], reads[-2 * count + 1 :: 2], strict=True)
    return [
        ((last.count - first.count) & _COUNTER_MASK, last.instructions - first.instructions) for first, last in pairs
    ]


def _check_log(running: RunningBoard, ticks: Sequence[int], spans: Sequence[tuple[int, int]]) -> None:
    """The device reports the ticks that the emulator saw it read; else the two would not be of the same run."""
    if [seen for seen, _ in spans] != list(ticks):
        raise DeviceError(
            f"the emulator of '{running.board.id}' and its firmware disagree on the cycle counter",
            hint="this is a fault of leadwire's emulator or port: report it with the image",
        )


def _operator_shares(
    client: DeviceClient, running: RunningBoard, model: Model, data: bytes, clock: _Clock
) -> tuple[OperatorShare, ...]:
    """Each operator alone, `step` by `step`; a share is of the sum of all operators' cycles."""
    ticks = client.profile(0, data)
    executed: list[int | None] = [None] * len(ticks)
    if running.counter_reads is not None:
        spans = _spans(running, len(ticks))
        _check_log(running, ticks, spans)
        executed = [instructions for _, instructions in spans]
    elif clock.instructions_per_tick is not None:
        executed = [round(count * clock.instructions_per_tick) for count in ticks]
    return _shares(model, [clock.cycles(count) for count in ticks], executed)


def _shares(model: Model, cycles: Sequence[float], executed: Sequence[int | None]) -> tuple[OperatorShare, ...]:
    total = sum(cycles) or 1.0
    return tuple(
        OperatorShare(
            index=operator.index,
            kind=operator.kind,
            tensor=model.output(operator).label,
            macs=macs,
            cycles=spent,
            instructions=instructions,
            share=spent / total,
        )
        for operator, macs, spent, instructions in zip(
            model.operators, operator_macs(model), cycles, executed, strict=True
        )
    )


# ------------------------------------------------------------------------------------------- host


def _measure_host(
    running: RunningBoard, model: Model, inputs: Sequence[bytes], warmup: int, progress: Progress | None
) -> _Measured:
    from leadwire.device.host_library import HostLibrary

    library = HostLibrary(running.image.elf)
    if library.model_digest != model.digest:
        raise WrongDeviceError(running.board.id, "model", library.model_digest, model.digest)
    for i in range(warmup):
        library.infer(inputs[i % len(inputs)])
    outputs: list[bytes] = []
    elapsed_ns: list[int] = []
    io_digest = hashlib.sha256()
    for position, data in enumerate(inputs):
        started = time.perf_counter_ns()
        output = library.infer(data)
        elapsed_ns.append(max(1, time.perf_counter_ns() - started))
        outputs.append(output)
        io_digest.update(data + output)
        if progress is not None:
            progress(position + 1, len(inputs))
    step_ns: list[float] = []
    library.write_input(inputs[0])
    for index in range(library.operator_count):
        started = time.perf_counter_ns()
        library.step(index)
        step_ns.append(time.perf_counter_ns() - started)
    info = DeviceInfo(
        firmware_version="shared library",
        build_id=running.image.build_id,
        model_name=library.model_name,
        model_digest=library.model_digest,
        board_id=running.board.id,
        unique_id="",
        clock_hz=1_000_000_000,
        arena_bytes=library.arena_bytes,
        input_bytes=library.input_bytes,
        output_bytes=library.output_bytes,
        operator_count=library.operator_count,
        cycle_counter="perf_counter_ns",
        arena_used_bytes=library.arena_used_bytes,
        arena_needed_bytes=library.arena_needed_bytes,
    )
    return _Measured(
        info=info,
        outputs=tuple(outputs),
        io_digest=io_digest.hexdigest(),
        cycles=tuple(float(ns) for ns in elapsed_ns),
        latency_us=tuple(ns / 1000 for ns in elapsed_ns),
        instructions=None,
        operators=_shares(model, step_ns, [None] * len(step_ns)),
        stack_bytes=0,
    )


# ------------------------------------------------------------------------------------------- figures


def _percentiles(values: Sequence[float]) -> Percentiles:
    """Nearest rank: the smallest value that at least that share of all values does not exceed."""
    ordered = sorted(values)

    def rank(share: float) -> float:
        return ordered[math.ceil(share * len(ordered)) - 1]

    return Percentiles(p50=rank(0.50), p95=rank(0.95), p99=rank(0.99), max=ordered[-1])


def _bins(values: Sequence[float]) -> tuple[LatencyBin, ...]:
    """Histogram from the shortest to the longest: so many bins as Sturges' rule gives, one where all are equal."""
    low, high = min(values), max(values)
    if low == high:
        return (LatencyBin(low_us=low, high_us=high, inferences=len(values)),)
    number = math.ceil(math.log2(len(values))) + 1
    edges = [low + (high - low) * place / number for place in range(number)] + [high]
    counts = [0] * number
    for value in values:
        counts[min(int((value - low) / (high - low) * number), number - 1)] += 1
    return tuple(
        LatencyBin(low_us=edges[place], high_us=edges[place + 1], inferences=count)
        for place, count in enumerate(counts)
    )


def _output_crc32(inputs: Sequence[bytes], outputs: Sequence[bytes]) -> str:
    """CRC-32 of one output where all inputs are the same, else of all outputs in order; eight hex digits."""
    data = outputs[0] if len(set(inputs)) == 1 else b"".join(outputs)
    return f"{zlib.crc32(data):08x}"


def _check_repeatable(running: RunningBoard, inputs: Sequence[bytes], outputs: Sequence[bytes]) -> None:
    first: dict[bytes, bytes] = {}
    for position, (data, output) in enumerate(zip(inputs, outputs, strict=True)):
        if first.setdefault(data, output) != output:
            raise DeviceError(
                f"'{running.board.id}' gave two outputs for the same input (input {position})",
                hint="check the board's supply and clock; on an emulator report it with the image",
            )

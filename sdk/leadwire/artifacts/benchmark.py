"""What a device says of itself, and what was measured on it."""

from __future__ import annotations

from dataclasses import dataclass

from .words import Backend, Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """What the device says of itself in answer to `describe` (leadwire group of the link protocol).

    `arena_bytes` is the arena's size, `arena_used_bytes` what is in use after start (with TFLite Micro its own
    `arena_used_bytes()`), `arena_needed_bytes` the most that was in use at any time, temporary allocations included;
    the latter two are 0 where a device does not tell.
    """

    firmware_version: str
    build_id: str
    model_name: str
    model_digest: str
    board_id: str
    unique_id: str
    clock_hz: int
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    operator_count: int
    cycle_counter: str
    arena_used_bytes: int = 0
    arena_needed_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBin:
    """`inferences` took from `low_us` to `high_us`; the last bin includes its upper end."""

    low_us: float
    high_us: float
    inferences: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorShare:
    index: int
    kind: str
    tensor: str
    macs: int
    cycles: float
    instructions: int | None
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """One model on one board. `instructions_per_inference` is None where nothing can count them (real silicon).

    `constant_instructions`: the count was the same for all inputs. `output_crc32` is the CRC-32 (zlib) of the
    output bytes for the pattern input, or of all outputs in order; `io_digest` the SHA-256 over all (input, output)
    pairs. `flash_bytes` and `ram_bytes` are the model's share, as the budget counts it, RAM with the measured stack;
    None where the firmware was running already. `image_digest` is empty then, unless its ELF was shown.
    """

    board_id: str
    backend: Backend
    image_digest: str
    model_digest: str
    basis: Basis
    inputs: int
    warmup: int
    instructions_per_inference: int | None
    instructions_basis: str
    constant_instructions: bool | None
    cycles_estimate: float
    latency_us: Percentiles
    throughput_hz: float
    operators: tuple[OperatorShare, ...]
    macs: int
    arena_bytes: int
    flash_bytes: int | None
    ram_bytes: int | None
    stack_high_water_bytes: int
    output_crc32: str
    io_digest: str
    device: DeviceInfo
    latency_bins: tuple[LatencyBin, ...] = ()

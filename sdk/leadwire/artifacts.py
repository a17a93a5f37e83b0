"""The records that stages hand to each other. Read this module first.

    Model → MemoryPlan → FirmwareProject → FirmwareImage → BenchmarkResult ┐
      │      Board → BudgetReport (planned → linked → measured) ───────────┤→ Evidence
      └→ Predictions → ValidationResult ───────────────────────────────────┘

Each record names by SHA-256 (lower-case hex) what it was made from, so the evidence chain is a join and not a story.
A number carries its basis, a statistic its interval. Sizes are in bytes, times in the unit of the name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Basis = Literal["planned", "linked", "estimated", "emulated", "measured", "published"]
Verdict = Literal["pass", "fail", "inconclusive"]
Backend = Literal["aot", "tflm"]
Goal = Literal["size", "speed"]
Personality = Literal["bench", "mlperf", "mlperf-energy"]
"""What the firmware around a model speaks: leadwire's link, or the protocol of MLPerf Tiny in one of its two modes."""


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------------------------------------- quantize


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSet:
    """Which inputs set the activation ranges. `digest` covers the drawn inputs' bytes in order."""

    dataset: str
    policy: str
    seed: int
    count: int
    per_class: tuple[tuple[str, int], ...]
    patients: tuple[str, ...]
    indices: tuple[int, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerError:
    """Quantization error of one operator's output over the calibration set.

    `sqnr_db` is 10 log10(signal power / error power) of INT8 against float; `saturated_fraction` is the share of
    output values at -128 or 127 whose float value lies more than half a step beyond that end of the range.
    """

    operator_index: int
    kind: str
    tensor: str
    sqnr_db: float
    saturated_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedModel:
    """A full-integer INT8 .tflite file and how it was made."""

    path: Path
    digest: str
    size_bytes: int
    source_digest: str
    calibration: CalibrationSet
    layer_errors: tuple[LayerError, ...]
    pinned: tuple[tuple[str, str], ...]


# ---------------------------------------------------------------------------------------------- plan, budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One buffer in the arena, alive from the start of `first_operator` to the end of `last_operator`.

    `tensor` is the tensor that owns the bytes; a tensor that shares them (no-copy or in place) has its own placement
    with the same offset. Scratch of an operator has tensor -1.
    """

    tensor: int
    offset_bytes: int
    size_bytes: int
    first_operator: int
    last_operator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Static arena. `lower_bound_bytes` is the largest live set of any operator, `peak_operator` its index.

    `resident_bytes`, counted in the lower bound, lie at the arena's end from start to end: an interpreter's records.
    """

    model_digest: str
    arena_bytes: int
    lower_bound_bytes: int
    peak_operator: int
    alignment_bytes: int
    placements: tuple[Placement, ...]
    scratch: tuple[Placement, ...]
    in_place: tuple[tuple[int, int], ...]
    """(operator, input tensor) pairs whose output takes the input's place."""
    resident_bytes: int = 0
    kernels: tuple[str, ...] = ()
    """The variant of each operator that the plan is for; empty: all portable."""
    overlaps: tuple[int, ...] = ()
    """Operators whose output may overlap input 0, as far as their kernel allows."""
    backward: tuple[int, ...] = ()
    """Those of them that must walk from the last position to the first."""

    def offset(self, tensor: int) -> int:
        return next(p.offset_bytes for p in self.placements if p.tensor == tensor)

    def scratch_offset(self, operator: int) -> int:
        return next(p.offset_bytes for p in self.scratch if p.first_operator == operator)

    def kernel(self, operator: int) -> str:
        return self.kernels[operator] if self.kernels else "portable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """One resource against its limit; `limit` None means not limited.

    `required_basis` says what may pass, None: any. A figure of another basis can break the limit but not keep it.
    """

    resource: Literal["flash", "ram", "latency"]
    used: float
    limit: float | None
    unit: Literal["B", "us"]
    basis: Basis
    note: str = ""
    required_basis: Basis | None = None

    @property
    def over(self) -> float:
        return 0.0 if self.limit is None else max(0.0, self.used - self.limit)

    @property
    def proven(self) -> bool:
        return self.limit is None or self.required_basis in (None, self.basis)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReport:
    """The same budget with better knowledge each time: planned, linked, measured (emulated boards: emulated)."""

    board_id: str
    subject_digest: str
    basis: Basis
    lines: tuple[BudgetLine, ...]
    peak: str

    @property
    def fits(self) -> bool:
        return all(line.over == 0 and line.proven for line in self.lines)


# ---------------------------------------------------------------------------------------------- forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastShare:
    """`share` of the cycles of one operator."""

    index: int
    kind: str
    tensor: str
    macs: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyForecast:
    """The latency of one inference on a board that was not measured; a measurement lies between `low_us` and `high_us`
    for `coverage` of boards, as far as the published boards are like this one. `band` says how that was made, `work`
    where the cycles come from. `core_is_calibrated`: whether boards with this core are among the published ones.
    """

    board_id: str
    core: str
    clock_hz: int
    model_digest: str
    work: str
    cycles: float
    latency_us: float
    low_us: float
    high_us: float
    coverage: float
    band: str
    core_is_calibrated: bool
    operators: tuple[ForecastShare, ...]
    basis: Basis = "estimated"


# ---------------------------------------------------------------------------------------------- generate, build


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareProject:
    """Generated sources on disk. `sources` and `include_dirs` are relative to `root`; `digest` covers all files.

    `model_sources` is the part a firmware team drops into its tree (model and runtime); the rest is bench firmware
    and port. For board 'host' there is no firmware part. `operators` are the kinds of operators whose kernels the
    backend's library must bring, none where it needs no library.
    """

    root: Path
    backend: Backend
    board_id: str
    model_digest: str
    plan_arena_bytes: int
    sources: tuple[str, ...]
    model_sources: tuple[str, ...]
    include_dirs: tuple[str, ...]
    linker_script: str | None
    defines: tuple[tuple[str, str], ...]
    digest: str
    operators: tuple[str, ...] = ()
    personality: Personality = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    name: str
    address: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackBound:
    """Worst case from the compiler's frame sizes and the call graph of the ELF; `path` is the deepest call chain.

    `notes` says what the analysis could not follow (recursion, unknown indirect calls): with one, it is no bound.
    """

    bytes: int
    path: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UserImage:
    """What a board's user built from a package of leadwire, as it lies on disk: the ELF and, where flashing takes other
    files, those: .hex, .bin or .uf2 of the same program, or the flasher_args.json of ESP-IDF's build folder."""

    elf: Path
    flash_files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashFile:
    """A file that is written as it is; `offset_bytes` from the start of the flash, None where the file says its own
    addresses or lies where the ELF does."""

    path: Path
    digest: str
    size_bytes: int
    offset_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareImage:
    """A linked image. Sizes come from the ELF's sections: flash = text + rodata + data, ram = data + bss + stack.

    `model_flash_bytes` and `model_ram_bytes` count the model and runtime objects alone (the budgeted share);
    `digest` is the SHA-256 of the ELF file. `package` is the ecosystem of the package that the board's user built the
    image from, empty for leadwire's own; `flash_files` are what that build made for the flash.
    """

    elf: Path
    digest: str
    project_digest: str
    model_digest: str
    board_id: str
    backend: Backend
    toolchain: str
    build_id: str
    sections: tuple[Section, ...]
    text_bytes: int
    rodata_bytes: int
    data_bytes: int
    bss_bytes: int
    model_flash_bytes: int
    model_ram_bytes: int
    stack: StackBound
    personality: Personality = "bench"
    package: str = ""
    flash_files: tuple[FlashFile, ...] = ()

    @property
    def flash_bytes(self) -> int:
        return self.text_bytes + self.rodata_bytes + self.data_bytes

    @property
    def ram_bytes(self) -> int:
        return self.data_bytes + self.bss_bytes + self.stack.bytes


# ---------------------------------------------------------------------------------------------- flash, bench


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


# ---------------------------------------------------------------------------------------------- mlperf


@dataclass(frozen=True, slots=True, kw_only=True)
class MlperfLoop:
    """One `infer` of a performance run, timed by the device's clock."""

    sample: str
    iterations: int
    warmup: int
    elapsed_us: int

    @property
    def latency_us(self) -> float:
        return self.elapsed_us / self.iterations


@dataclass(frozen=True, slots=True, kw_only=True)
class MlperfQuality:
    """Quality over the files of a dataset folder, from the printed results, as the benchmark's runner takes them.

    `identical` of `inferences` gave the very output bytes of TensorFlow Lite Micro's interpreter on the host; None
    where that was not there to ask. `floor` is what the closed division asks for, `whole_set` whether all files of the
    benchmark's set were there.
    """

    statistic: Statistic
    floor: float | None
    files: int
    inferences: int
    whole_set: bool
    identical: int | None
    io_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MlperfResult:
    """One model on one board under MLPerf Tiny's protocol. The median over the loops is the score.

    `valid` is whether the loops keep the benchmark's rules; `reasons` says why not. It is no submission either way.
    `image_digest` is empty where the firmware was running already, `build_id` where that is not leadwire's.
    """

    benchmark: str
    board_id: str
    backend: Backend
    personality: Personality
    image_digest: str
    model_digest: str
    basis: Basis
    build_id: str
    unique_id: str
    loops: tuple[MlperfLoop, ...]
    median_latency_us: float | None
    median_throughput_hz: float | None
    valid: bool
    reasons: tuple[str, ...]
    quality: MlperfQuality | None = None


# ---------------------------------------------------------------------------------------------- energy


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintyPart:
    """One contribution to the uncertainty of an energy, as a standard uncertainty; `kind` is the GUM's type."""

    name: str
    kind: Literal["A", "B"]
    standard_j: float
    degrees: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyEstimate:
    """Energy of one inference: `energy_j` plus and minus `expanded_j` at `level` with `coverage_factor`.

    `net_energy_j` is less the idle power between the inferences times their duration; None where the trace shows no
    time between them. `degrees` None: so many that the normal distribution serves.
    """

    energy_j: float
    combined_j: float
    expanded_j: float
    coverage_factor: float
    level: float
    degrees: float | None
    parts: tuple[UncertaintyPart, ...]
    windows: int
    inferences_per_window: int
    duration_s: float
    mean_power_w: float
    idle_power_w: float | None
    net_energy_j: float | None
    voltage_v: float
    mean_current_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintyShare:
    """The share of the variance that an input is to blame for."""

    name: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryLife:
    """`assumptions` lists (input, value, standard uncertainty), in the units of their names."""

    hours: float
    interval: Interval
    mean_current_a: float
    inference_share: float
    self_discharge_a: float
    assumptions: tuple[tuple[str, float, float], ...]
    shares: tuple[UncertaintyShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyResult:
    """Energy per inference of one image on one board, from one trace.

    `basis` is 'measured' only where board and meter are both real; `simulated` names those that are not, and then
    nothing of this is a measurement. `trace_digest` is the SHA-256 that `Trace.digest` documents; `sync` says how the
    inferences were found in the trace. What is not known (a trace from a file) is empty.
    """

    basis: Literal["measured", "simulated"]
    simulated: tuple[str, ...]
    board_id: str
    model_digest: str
    image_digest: str
    build_id: str
    meter: str
    meter_serial: str
    meter_accuracy: str
    trace_source: str
    trace_digest: str
    sample_hz: float
    samples: int
    sync: str
    clock_drift: float | None
    clock_residual_s: float | None
    estimate: EnergyEstimate
    battery: BatteryLife | None = None


# ---------------------------------------------------------------------------------------------- validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Outputs of one runtime on the same inputs in the same order.

    `outputs` float64 [n, classes], dequantized for INT8 runtimes; `raw` the INT8 output bytes [n, output_bytes] or
    None for float. `indices` int64 [n], strictly rising: which beats of the dataset, None for all of them.
    """

    runtime: Literal["float", "tflite", "tflm", "host_c", "device"]
    model_digest: str
    dataset_digest: str
    outputs: npt.NDArray[np.float64]
    raw: npt.NDArray[np.int8] | None = None
    indices: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two-sided confidence interval; `method` names procedure and parameters ('patient bootstrap BCa, B=2000')."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A figure with its interval; `numerator` and `denominator` where it is a proportion."""

    name: str
    estimate: float
    interval: Interval | None = None
    numerator: int | None = None
    denominator: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeMetrics:
    """Figures of one runtime. `confusion[reference][predicted]` in the order of the dataset's labels."""

    runtime: str
    confusion: tuple[tuple[int, ...], ...]
    accuracy: Statistic
    sensitivity: tuple[Statistic, ...]
    positive_predictivity: tuple[Statistic, ...]

    @property
    def beats(self) -> int:
        return sum(map(sum, self.confusion))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointResult:
    """loss = float - INT8 on the device, in percentage points / 100, judged against the protocol's margin.

    `judged` is the interval the verdict was made by: from the lowest to the highest limit of the patient bootstrap and
    the first beat-level interval. `mcnemar_mid_p` tests equality and is for information. `patients_needed` is how many
    patients like these would end an inconclusive result, None where no number would or none is needed.
    """

    endpoint: str
    float_value: float
    int8_value: float
    loss: Statistic
    beat_level: tuple[Interval, ...]
    margin: float
    verdict: Verdict
    reason: str
    judged: Interval | None = None
    mcnemar_mid_p: float | None = None
    patients_needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Output bytes of two runtimes, beat by beat. `first_operator` is the first whose output differs, None when all
    are equal or it cannot be told.

    `compared` and `identical` count beats, `values` and `differing_values` output values; `lsb_histogram` holds
    (absolute difference, values) for each difference that occurs; `runtimes` names the two.
    """

    compared: int
    identical: int
    max_abs_lsb: int
    decisions_changed: int
    first_operator: str | None
    cause: str
    runtimes: tuple[str, str] = ("", "")
    values: int = 0
    differing_values: int = 0
    lsb_histogram: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """One recording: beats and accuracy of float, host INT8 and device INT8."""

    record: str
    patient: str
    beats: int
    float_accuracy: float
    host_accuracy: float
    device_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedDecision:
    """A beat whose class changed between float and INT8; the strip is millivolts around the beat for the report."""

    index: int
    record: str
    time_s: float
    reference: str
    float_class: str
    int8_class: str
    float_margin: float
    strip_mv: tuple[float, ...]
    strip_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationResult:
    """`judged_runtime` is the INT8 runtime of the endpoints, records and changed decisions: the device, or the
    generated C on the host where the protocol lets it stand in for a device that was sent `device_beats` of `beats`.
    `identities` compares every two INT8 runtimes; `host_device` is the one that the verdict depends on.
    `reasons` says what kept the verdict from being a pass.
    """

    protocol_name: str
    protocol_digest: str
    dataset_name: str
    dataset_digest: str
    dataset_basis: Literal["real", "synthetic"]
    model_digest: str
    image_digest: str
    labels: tuple[str, ...]
    beats: int
    patients: int
    metrics: tuple[RuntimeMetrics, ...]
    agreement_float_int8: Statistic
    host_device: Divergence
    tflite_device: Divergence
    endpoints: tuple[EndpointResult, ...]
    records: tuple[RecordResult, ...]
    changed: tuple[ChangedDecision, ...]
    changed_total: int
    lost_samples: int
    io_digest: str
    notes: tuple[str, ...]
    verdict: Verdict
    device_beats: int = 0
    judged_runtime: str = "device"
    identities: tuple[Divergence, ...] = ()
    reasons: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------------------- compare


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaFigures:
    """TFLite Micro's arena: computed from the model, recorded by its interpreter on the host, told by the device.

    `predicted_bytes` stands against `device_used_bytes`, `required_bytes` (what must be provided) against
    `device_needed_bytes`, `host_predicted_bytes` against `host_recorded_bytes`; the host's pointers are longer. None:
    not to be had.
    """

    kernels: str
    predicted_bytes: int
    required_bytes: int
    device_used_bytes: int | None
    device_needed_bytes: int | None
    host_predicted_bytes: int
    host_recorded_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendComparison:
    """One model on one board with several backends, on the same inputs in the same order.

    The first of `results` is what the others are compared with: `divergences[i]` is about `results[i + 1]`. `arena`
    where TFLite Micro is among them and knows all its operators.
    """

    board_id: str
    model_digest: str
    results: tuple[BenchmarkResult, ...]
    divergences: tuple[Divergence, ...]
    arena: ArenaFigures | None = None

    @property
    def identical(self) -> bool:
        return all(one.identical == one.compared for one in self.divergences)

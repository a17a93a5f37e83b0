"""The records that stages hand to each other. Read this module first.

    Model → MemoryPlan → FirmwareProject → FirmwareImage → BenchmarkResult ┐
      │      Board → BudgetReport (planned → linked → measured) ───────────┤→ Evidence
      └→ Predictions → ValidationResult ───────────────────────────────────┘

Each record names by SHA-256 (lower-case hex) what it was made from, so the evidence chain is a join and not a story.
A number carries its basis, a statistic its interval. Sizes are in bytes, times in the unit of the name.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Basis = Literal["planned", "linked", "estimated", "emulated", "measured", "published"]
Verdict = Literal["pass", "fail", "inconclusive"]
Backend = Literal["aot", "tflm"]
QuantizationMode = Literal["int8", "int16x8"]
"""Activations of int8, or of int16 beside int8 weights (TFLite's 16x8): twice the RAM, less error."""
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
    """Operators whose output 0 may overlap an input, as far as their kernel allows."""
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
class LinkedObject:
    """An object file with bytes in the image, from the linker's map.

    One of the project was compiled from `source`, with SHA-256 `digest`. One of a library is a member of `archive`,
    whose SHA-256 `digest` is; empty for a library that the toolchain compiles when first needed. `flash_bytes` are
    those of text, rodata and data, `ram_bytes` those of data and bss.
    """

    name: str
    source: str
    archive: str
    digest: str
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareImage:
    """A linked image. Sizes come from the ELF's sections: flash = text + rodata + data, ram = data + bss + stack.

    `model_flash_bytes` and `model_ram_bytes` count the model and runtime objects alone (the budgeted share);
    `digest` is the SHA-256 of the ELF file, `linked` what the linker took, as its map says. The map (`firmware.map`)
    and how each object was made (`build.log`) lie beside the ELF; a host's library has neither. `package` is the
    ecosystem of the package that the board's user built the image from, empty for leadwire's own; `flash_files` are
    what that build made for the flash.
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
    linked: tuple[LinkedObject, ...] = ()

    @property
    def logs(self) -> tuple[Path, ...]:
        """The linker's map and the build's log; none where nothing was linked for a board."""
        return tuple(self.elf.with_name(name) for name in ("firmware.map", "build.log")) if self.linked else ()

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

    `outputs` float64 [n, classes], dequantized for integer runtimes; `raw` what they were dequantized from, int8 or
    int16 [n, output values], None for float. `indices` int64 [n], strictly rising: which beats of the dataset, None for
    all of them.
    """

    runtime: Literal["float", "tflite", "tflm", "host_c", "device"]
    model_digest: str
    dataset_digest: str
    outputs: npt.NDArray[np.float64]
    raw: npt.NDArray[np.signedinteger[Any]] | None = None
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
class ReliabilityBin:
    """Beats whose largest probability lies from `low` to `high` (the last bin includes its upper end): how many, how
    many of them were decided rightly, and the mean of that probability."""

    low: float
    high: float
    beats: int
    right: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Calibration curve of one runtime: is a decision right as often as its probability says? Bins in rising order,
    empty ones left out. Guo et al., On Calibration of Modern Neural Networks, ICML 2017."""

    runtime: str
    bins: tuple[ReliabilityBin, ...]

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of confidence and share of right decisions over the beats, 0 to 1."""
        beats = sum(one.beats for one in self.bins)
        return sum(abs(one.confidence * one.beats - one.right) for one in self.bins) / beats if beats else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointResult:
    """loss = float - INT8 on the device, in percentage points / 100, judged against the protocol's margin.

    `judged` is the interval the verdict was made by: from the lowest to the highest limit of the patient bootstrap and
    the first beat-level interval. `p_value` is the one-sided p of that judgement: of a loss of `margin` or more;
    `adjusted_p_value` the same where the protocol corrects for several endpoints. `mcnemar_exact` and `mcnemar_mid_p`
    test equality with beats for independent, `clustered_p` (Obuchowski) with patients; they are for information.
    `patients_needed` is how many patients like these would end an inconclusive result, None where no number would or
    none is needed. `worst_records` are those without which the loss would be smaller by a tenth of it or more, with by
    how much.
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
    mcnemar_exact: float | None = None
    clustered_p: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    patients_needed: int | None = None
    worst_records: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceResult:
    """Whether the mean difference of two runtimes' outputs for a class was shown to lie within +- `margin` (TOST).

    `p_value` is the larger one of the two one-sided tests; the interval of `difference` has level 1 - 2 alpha. The INT8
    output is `scale` (raw - `zero_point`).
    """

    name: str
    label: str
    difference: Statistic
    margin: float
    p_value: float
    scale: float
    zero_point: int
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec57Runs:
    """Run-by-run comparison of ventricular ('VE') or supraventricular ('SVE') ectopic runs of one record or of all.

    `sensitivity[r][t]` counts the reference's runs of r beats in which the test's longest is of t, 6 for six and more;
    `positive_predictivity[r][t]` the test's runs of t beats in which the reference's longest is of r.
    """

    kind: Literal["VE", "SVE"]
    sensitivity: tuple[tuple[int, ...], ...]
    positive_predictivity: tuple[tuple[int, ...], ...]

    def counts(self, shortest: int, longest: int) -> tuple[int, int, int, int]:
        """TP and FN of sensitivity, TP and FP of positive predictivity, for runs of `shortest` to `longest` beats."""
        of_length = range(shortest, longest + 1)
        seen = [(row, test) for row in of_length for test in range(7)]
        said = [(row, test) for test in of_length for row in range(7)]
        return (
            sum(self.sensitivity[row][test] for row, test in seen if test >= shortest),
            sum(self.sensitivity[row][test] for row, test in seen if test < shortest),
            sum(self.positive_predictivity[row][test] for row, test in said if row >= shortest),
            sum(self.positive_predictivity[row][test] for row, test in said if row < shortest),
        )

    @property
    def couplets(self) -> tuple[int, int, int, int]:
        return self.counts(2, 2)

    @property
    def short(self) -> tuple[int, int, int, int]:
        """Runs of 3 to 5 beats."""
        return self.counts(3, 5)

    @property
    def long(self) -> tuple[int, int, int, int]:
        """Runs of 6 beats and more."""
        return self.counts(6, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec57Episodes:
    """Episode-by-episode comparison of atrial ('AF') or ventricular ('VF') fibrillation: reference episodes detected
    and missed, test episodes confirmed and false, and seconds of both that overlap.
    """

    kind: Literal["AF", "VF"]
    detected: int
    missed: int
    confirmed: int
    false: int
    reference_overlap_s: float
    reference_s: float
    test_overlap_s: float
    test_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec57Record:
    """One record by ANSI/AAMI EC57. `matrix` has the rows N S V F Q O X of the reference and the columns n s v f q o x
    of the test; O is no beat, X no beat because of shutdown. `figures` are the shares that follow.
    """

    record: str
    matrix: tuple[tuple[int, ...], ...]
    figures: tuple[Statistic, ...]
    rr_error_ms: float | None
    shutdown_s: int
    runs: tuple[Ec57Runs, ...]
    episodes: tuple[Ec57Episodes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec57Result:
    """A set of records by ANSI/AAMI EC57: each record, all beats pooled (`gross`), and the mean over the records in
    which a figure is defined (`average`). NON-STANDARD where `deviations` says what was done otherwise than the
    standard asks.
    """

    reference: str
    test: str
    database: str
    records: tuple[Ec57Record, ...]
    matrix: tuple[tuple[int, ...], ...]
    gross: tuple[Statistic, ...]
    average: tuple[Statistic, ...]
    rr_error_ms: float | None
    runs: tuple[Ec57Runs, ...]
    episodes: tuple[Ec57Episodes, ...]
    excluded: tuple[tuple[str, str], ...] = ()
    deviations: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    @property
    def standard(self) -> bool:
        return not self.deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingBeat:
    """A beat whose output bytes differ between two INT8 runtimes. `differences` are second - first of every output
    value; `margins` the lead of the largest output over the second largest in both, in steps of the output.
    """

    index: int
    record: str
    time_s: float
    reference: str
    classes: tuple[str, str]
    margins: tuple[int, int]
    differences: tuple[int, ...]
    first_operator: str | None
    cause: str
    strip_mv: tuple[float, ...] = ()
    strip_hz: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DivergenceCause:
    """How many of the examined beats part first at this operator (None: at none), for this cause."""

    operator: str | None
    cause: str
    beats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginBin:
    """Beats whose float margin, in steps of INT8's output, lies in [low, high), and how many INT8 decides otherwise.
    `high` None: no end.
    """

    low: float
    high: float | None
    beats: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatDivergence:
    """Why INT8 decides otherwise than float. An operator counts as off where a value of its output is more than
    `threshold_steps` of its scale away from the float model's; `examined` of the changed decisions were looked into.
    `step` is the step of INT8's output in real units.
    """

    threshold_steps: float
    examined: int
    causes: tuple[DivergenceCause, ...]
    step: float
    margins: tuple[MarginBin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Output bytes of two runtimes, beat by beat. `first_operator` is the first whose output differs, None when all
    are equal or it cannot be told.

    `compared` and `identical` count beats, `values` and `differing_values` output values; `lsb_histogram` holds
    (absolute difference, values) for each difference that occurs; `runtimes` names the two. `beats` are the first
    beats that differ, examined one by one.
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
    beats: tuple[DifferingBeat, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A protocol that was frozen once and replaced, and why."""

    digest: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolState:
    """Whether the protocol of a run is the one that was frozen before it.

    'changed': another digest (`frozen_digest`) was frozen, and then the run cannot pass. 'unfrozen': nobody froze it,
    so nothing but its digest says when it was written.
    """

    state: Literal["frozen", "changed", "unfrozen"]
    frozen_digest: str = ""
    amendments: tuple[Amendment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAttributes:
    """What is known of a recording for subgroups: age in years, sex ('F', 'M'), lead, and the signal-to-noise ratio
    that `datasets.noise` estimates. None or '' where it is not known.
    """

    record: str
    patient: str
    age: float | None = None
    sex: str = ""
    lead: str = ""
    snr_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupResult:
    """Every endpoint over the beats of one group of a subgroup. Its verdicts say whether harm is shown, not safety."""

    subgroup: str
    group: str
    beats: int
    patients: int
    endpoints: tuple[EndpointResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionResult:
    """How many beats an exclusion of the protocol took away; a beat counts for the first that holds."""

    reason: str
    beats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPointResult:
    """What an operating point fixed on the float model becomes on INT8, over the judged beats.

    `threshold` is the float output from which on a beat is called `label`; INT8 is asked with the same one, which on
    its grid (`scale`, `zero_point`) means raw values from `int8_step` up. `sensitivity_loss` and `specificity_loss` are
    float - INT8 over the same beats, intervals from resampled patients with the threshold held. `drift` is the INT8
    threshold that would meet the same target less `threshold`, both fixed anew in each resample.
    """

    name: str
    label: str
    target: float
    threshold: float
    scale: float
    zero_point: int
    int8_step: int
    float_sensitivity: Statistic
    float_specificity: Statistic
    int8_sensitivity: Statistic
    int8_specificity: Statistic
    sensitivity_loss: Statistic
    specificity_loss: Statistic
    drift: Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordClass:
    """Beats of one reference class in a recording, and how many of them float and the judged INT8 got right."""

    label: str
    beats: int
    float_right: int
    int8_right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """One recording: beats and accuracy of float, host INT8 and device INT8, and the classes it has."""

    record: str
    patient: str
    beats: int
    float_accuracy: float
    host_accuracy: float
    device_accuracy: float
    classes: tuple[RecordClass, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedDecision:
    """A beat whose class changed between float and INT8; the strip is millivolts around the beat for the report.

    `float_margin` and `int8_margin` are the lead of the largest output over the second. `output_steps` is INT8 - float
    of each output in INT8's steps; `first_operator` the first that is off (see FloatDivergence), by `off_by_steps`,
    None where none is; `cause` says why, as far as it is known.
    """

    index: int
    record: str
    time_s: float
    reference: str
    float_class: str
    int8_class: str
    float_margin: float
    strip_mv: tuple[float, ...]
    strip_hz: float
    int8_margin: float = 0.0
    output_steps: tuple[int, ...] = ()
    first_operator: str | None = None
    off_by_steps: float = 0.0
    cause: str = "not examined: operator outputs were not at hand"


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
    ec57: tuple[Ec57Result, ...] = ()
    equivalences: tuple[EquivalenceResult, ...] = ()
    protocol_state: ProtocolState = field(default_factory=lambda: ProtocolState(state="unfrozen"))
    excluded: tuple[ExclusionResult, ...] = ()
    attributes: tuple[RecordAttributes, ...] = ()
    subgroups: tuple[SubgroupResult, ...] = ()
    operating_points: tuple[OperatingPointResult, ...] = ()
    float_int8: FloatDivergence | None = None
    reliability: tuple[Reliability, ...] = ()


# ---------------------------------------------------------------------------------------------- stress


@dataclass(frozen=True, slots=True, kw_only=True)
class StressFigure:
    """An endpoint's figure under one condition. `loss` is float - INT8; `excess` is that loss less the loss of the same
    beats undisturbed: above zero where quantization hurts more because the signal is bad.
    """

    endpoint: str
    float_value: float
    int8_value: float
    loss: Statistic
    excess: Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class StressCondition:
    """One disturbance at one level (`level` None: undisturbed). INT8 is the generated C on the host; `device_identical`
    of the `device_beats` sent to the device gave the same bytes.
    """

    title: str
    level: float | None
    unit: str
    beats: int
    patients: int
    device_beats: int
    device_identical: int
    figures: tuple[StressFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StressResult:
    """The stress matrix of a protocol: the undisturbed recordings first, then each condition at each level.

    `seconds` of each recording were taken, 0 for all; `predictions_digest` is the SHA-256 of stress.csv.
    """

    protocol_digest: str
    model_digest: str
    seconds: float
    seed: int
    predictions_digest: str
    conditions: tuple[StressCondition, ...]

    @property
    def device_differs(self) -> tuple[StressCondition, ...]:
        """Conditions under which device and host gave other bytes."""
        return tuple(one for one in self.conditions if one.device_identical != one.device_beats)

    @property
    def harmed(self) -> tuple[tuple[StressCondition, StressFigure], ...]:
        """Figures that quantization shows to hurt more under a condition: the whole interval is above zero."""
        return self._where(lambda interval: interval.low > 0)

    @property
    def spared(self) -> tuple[tuple[StressCondition, StressFigure], ...]:
        """Figures that it hurts less: the whole interval is below zero."""
        return self._where(lambda interval: interval.high < 0)

    @property
    def compared(self) -> int:
        """Figures that have an interval."""
        return len(self._where(lambda interval: True))

    def _where(self, holds: Callable[[Interval], bool]) -> tuple[tuple[StressCondition, StressFigure], ...]:
        return tuple(
            (one, figure)
            for one in self.conditions
            if one.level is not None
            for figure in one.figures
            if figure.excess.interval is not None and holds(figure.excess.interval)
        )


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

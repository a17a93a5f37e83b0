"""What the verbs of the line show: one function per kind of result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text

from .console import VERDICT_STYLE, grid, out, size, table_of
from .quantization import quantized

if TYPE_CHECKING:
    from leadwire.artifacts import (
        ArenaFigures,
        BackendComparison,
        BenchmarkResult,
        BudgetReport,
        DeviceInfo,
        FastMemory,
        FirmwareImage,
        FirmwareProject,
        StressFigure,
        StressResult,
        ValidationResult,
    )
    from leadwire.package import FirmwarePackage
    from leadwire.pipeline import BoardOutcome, Outcome
    from leadwire.pipeline.alone import Analysis, FlashedBoard


def budget(report: BudgetReport) -> None:
    fits = "fits" if report.fits else "does NOT fit"
    table_of(
        f"budget, {report.basis}: {fits} {report.board_id}",
        ["resource", "used", "limit", "basis"],
        [
            (
                line.resource,
                size(line.used) if line.unit == "B" else f"{line.used:,.0f} us".replace(",", " "),
                "none" if line.limit is None else size(line.limit) if line.unit == "B" else f"{line.limit:,.0f} us",
                line.basis,
            )
            for line in report.lines
        ],
    )
    if report.peak:
        out.print(Text(f"peak at {report.peak}", style="dim"))


def analysis(result: Analysis) -> None:
    grid(
        [
            ("model", f"{result.model}  sha-256 {result.model_digest}"),
            ("board", f"{result.board}, backend {result.backend}"),
            ("MACs", f"{result.macs:,}".replace(",", " ")),
            (
                "arena",
                f"{size(result.arena_bytes)}, at least {size(result.arena_lower_bound_bytes)}; peak at {result.peak}",
            ),
            ("flash", f"{size(result.flash_bytes)} of the model's share, {result.basis}"),
            ("ram", f"{size(result.ram_bytes)} of the model's share, {result.basis}"),
            ("stack", "not linked" if result.stack_bytes is None else f"at most {size(result.stack_bytes)}"),
            *_fast(result.fast),
        ]
    )
    table_of(
        "operators",
        ["op", "kind", "tensor", "output", "MACs", "live B"],
        [
            (str(o.index), o.kind, o.tensor, "x".join(map(str, o.shape)), f"{o.macs:,}", f"{o.live_bytes:,}")
            for o in result.operators
        ],
        left=4,
    )
    for report in result.budgets:
        budget(report)


def _fast(fast: FastMemory | None) -> list[tuple[str, str]]:
    """What lies in a second memory region, and what that is good for."""
    if fast is None:
        return []
    if not fast.used_bytes:
        return [("fast memory", f"{fast.region}: nothing fits there and gains")]
    return [
        (
            "fast memory",
            f"{fast.region}: {len(fast.tables)} tables {size(fast.table_bytes)}, activations {size(fast.arena_bytes)}; "
            f"saves at most {fast.wait_states:_} wait states an inference".replace("_", " "),
        ),
        *(("", note) for note in fast.notes),
    ]


def project(result: FirmwareProject) -> None:
    grid(
        [
            ("sources", str(result.root)),
            ("files", str(len(result.sources))),
            ("backend", result.backend),
            ("arena", size(result.plan_arena_bytes)),
            ("model sha-256", result.model_digest),
            ("sha-256", result.digest),
        ]
    )


def package(result: FirmwarePackage) -> None:
    evidence = result.evidence
    grid(
        [
            ("package", str(result.path)),
            ("for", f"{result.ecosystem}, backend {result.backend}"),
            ("name, version", f"{result.name} {result.version}"),
            ("files", str(len(result.files))),
            ("model sha-256", result.model_digest),
            (
                "evidence",
                f"{evidence.digest}, verdict {evidence.verdict}" if evidence else "none: give --evidence BUNDLE",
            ),
            ("sha-256", result.archive_digest or f"{result.digest} (manifest)"),
        ]
    )


def image(result: FirmwareImage) -> None:
    grid(
        [
            ("image", str(result.elf)),
            ("sha-256", result.digest),
            ("toolchain", result.toolchain),
            (
                "flash",
                f"{size(result.flash_bytes)} (text {result.text_bytes}, rodata {result.rodata_bytes}, "
                f"data {result.data_bytes}); model's share {size(result.model_flash_bytes)}",
            ),
            (
                "ram",
                f"{size(result.ram_bytes)} (data {result.data_bytes}, bss {result.bss_bytes}, "
                f"stack {result.stack.bytes}); model's share {size(result.model_ram_bytes)}",
            ),
            ("deepest stack", " > ".join(result.stack.path)),
        ]
    )


def device(result: DeviceInfo) -> None:
    grid(
        [
            ("board", f"{result.board_id}  unique id {result.unique_id or 'none'}"),
            ("firmware", result.firmware_version),
            ("build", result.build_id),
            ("model", f"{result.model_name}  sha-256 {result.model_digest}"),
            ("clock", f"{result.clock_hz / 1e6:g} MHz, counter {result.cycle_counter}"),
            ("arena", size(result.arena_bytes)),
        ]
    )


def flashed(result: FlashedBoard) -> None:
    device(result.device)
    how = result.flashed
    known = {
        "tool": "chip's unique id, read before writing",
        "firmware": "unique id from the firmware that was on it",
        "probe": "serial number of its debug probe",
        "usb": "USB location",
    }
    read = f"sha-256 {how.read_back_digest}" if how.read_back_digest else "not by this tool"
    grid(
        [
            ("flash tool", how.tool),
            ("board known by", known.get(how.known_by, "no board was asked for")),
            ("read back", read if how.contents_digest else "nothing is written"),
        ]
    )


def benchmark(result: BenchmarkResult) -> None:
    instructions = result.instructions_per_inference
    per_mac = f", {instructions / result.macs:.2f} per MAC" if instructions is not None and result.macs else ""
    told = {True: "the same for all inputs", False: "differs between inputs", None: "cannot be told here"}
    constant = told[result.constant_instructions]
    latency = result.latency_us
    grid(
        [
            ("board", f"{result.board_id}, backend {result.backend}, figures {result.basis}"),
            (
                "instructions",
                "not counted here"
                if instructions is None
                else f"{instructions:,}{per_mac}; {constant} ({result.instructions_basis})",
            ),
            ("cycles", f"{result.cycles_estimate:,.0f}"),
            (
                "latency",
                f"p50 {latency.p50:.1f}  p95 {latency.p95:.1f}  p99 {latency.p99:.1f}  max {latency.max:.1f} us",
            ),
            ("throughput", f"{result.throughput_hz:.1f} inferences per second"),
            (
                "memory",
                f"arena {size(result.arena_bytes)}, {_linked(result)}, "
                f"stack used {size(result.stack_high_water_bytes)}",
            ),
            ("output CRC-32", result.output_crc32),
            ("inputs", f"{result.inputs} after {result.warmup} of warm-up"),
        ]
    )
    table_of(
        "operators",
        ["op", "kind", "tensor", "MACs", "cycles", "instructions", "share"],
        [
            (
                str(o.index),
                o.kind,
                o.tensor,
                f"{o.macs:,}",
                f"{o.cycles:,.0f}",
                "-" if o.instructions is None else f"{o.instructions:,}",
                f"{o.share:.1%}",
            )
            for o in result.operators
        ],
        left=3,
    )


def _linked(result: BenchmarkResult) -> str:
    if result.flash_bytes is None or result.ram_bytes is None:
        return "flash and ram not known: the image was built by the board's user"
    return f"flash {size(result.flash_bytes)}, ram {size(result.ram_bytes)}"


def comparison(result: BackendComparison) -> None:
    """Figures of several backends side by side, then what differs in bytes, then TFLite Micro's arena."""

    def row(name: str, of: Callable[[BenchmarkResult], str]) -> tuple[str, ...]:
        return (name, *(of(one) for one in result.results))

    table_of(
        f"{result.board_id}, figures {result.results[0].basis}",
        ["", *(one.backend for one in result.results)],
        [
            row("instructions", lambda one: _count(one.instructions_per_inference)),
            row("cycles", lambda one: _count(one.cycles_estimate)),
            row("latency p50", lambda one: f"{one.latency_us.p50:,.1f} us"),
            row("arena", lambda one: size(one.arena_bytes)),
            row("flash", lambda one: "-" if one.flash_bytes is None else size(one.flash_bytes)),
            row("ram", lambda one: "-" if one.ram_bytes is None else size(one.ram_bytes)),
            row("stack used", lambda one: size(one.stack_high_water_bytes)),
            row("output CRC-32", lambda one: one.output_crc32),
        ],
    )
    for one in result.divergences:
        first, second = one.runtimes
        if one.identical == one.compared:
            out.print(Text(f"{first} and {second}: the same bytes on all {one.compared} inputs", style="green"))
            continue
        text = (
            f"{first} and {second}: {one.compared - one.identical} of {one.compared} inputs differ, "
            f"by {one.max_abs_lsb} LSB at most; first at {one.first_operator or 'no operator that could be named'}"
        )
        out.print(Text(text, style="bold red"))
        out.print(Text(f"  {one.cause}", style="dim"))
    if result.arena is not None:
        _arena(result.arena)


def _arena(figures: ArenaFigures) -> None:
    table_of(
        f"TFLite Micro's arena, {figures.kernels} kernels",
        ["", "predicted", "found"],
        [
            ("in use, device", size(figures.predicted_bytes), _size(figures.device_used_bytes)),
            ("to provide, device", size(figures.required_bytes), _size(figures.device_needed_bytes)),
            ("in use, host (64-bit)", size(figures.host_predicted_bytes), _size(figures.host_recorded_bytes)),
        ],
    )


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _size(value: int | None) -> str:
    return "-" if value is None else size(value)


def validation(result: ValidationResult) -> None:
    out.print(Text(f"verdict: {result.verdict}", style=VERDICT_STYLE[result.verdict]))
    grid(
        [
            (
                "dataset",
                f"{result.dataset_name} ({result.dataset_basis}), {result.beats} beats of {result.patients} patients",
            ),
            ("protocol", f"{result.protocol_name}  sha-256 {result.protocol_digest}, {result.protocol_state.state}"),
            (
                "host and device",
                f"{result.host_device.identical} of {result.host_device.compared} outputs byte-identical",
            ),
        ]
    )
    table_of(
        "accuracy, sensitivity and positive predictivity, %",
        [
            "runtime",
            "accuracy",
            *(f"{label} Se" for label in result.labels),
            *(f"{label} +P" for label in result.labels),
        ],
        [
            (
                m.runtime,
                f"{m.accuracy.estimate:.2%}",
                *(_percent(s.estimate) for s in m.sensitivity),
                *(_percent(s.estimate) for s in m.positive_predictivity),
            )
            for m in result.metrics
        ],
    )
    table_of(
        "loss of the quantized model on the device against the float model",
        ["endpoint", "verdict", "float", "quantized", "loss", "judged interval", "margin"],
        [
            (
                e.endpoint,
                e.verdict,
                f"{e.float_value:.2%}",
                f"{e.int8_value:.2%}",
                f"{e.loss.estimate:+.2%}",
                "-" if e.judged is None else f"{e.judged.low:+.2%} to {e.judged.high:+.2%}",
                f"{e.margin:.2%}",
            )
            for e in result.endpoints
        ],
        left=2,
    )


def _percent(value: float) -> str:
    return "-" if value != value else f"{value:.1%}"


_WITNESSES = {"tflm": "TFLite Micro", "tflite": "desktop TFLite"}


def stress(result: StressResult) -> None:
    clean = result.conditions[0]
    grid(
        [
            ("stress set", f"{clean.beats} beats of {clean.patients} patients"),
            (
                "device",
                f"{sum(one.device_identical for one in result.conditions)} of "
                f"{sum(one.device_beats for one in result.conditions)} outputs byte-identical",
            ),
            *(
                (
                    _WITNESSES[one.runtime],
                    f"{one.identical} of {one.beats} outputs byte-identical, {one.decisions_changed} decisions changed",
                )
                for one in result.witnesses
            ),
            (
                "excess loss",
                f"of {result.compared} intervals {len(result.harmed)} wholly above zero, {len(result.spared)} below",
            ),
        ]
    )
    table_of(
        "loss under stress less the loss of the same beats undisturbed, points",
        ["condition", "level", *(figure.endpoint for figure in clean.figures)],
        [
            (one.title, f"{one.level:g} {one.unit}", *(_excess(figure) for figure in one.figures))
            for one in result.conditions
            if one.level is not None
        ],
        left=2,
    )


def _excess(figure: StressFigure) -> str:
    interval = figure.excess.interval
    shown = "" if interval is None else f" [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
    return f"{100 * figure.excess.estimate:+.2f}{shown}"


def outcome(result: Outcome) -> None:
    for one in result.boards:
        _board_outcome(one)


def _board_outcome(one: BoardOutcome) -> None:
    out.print(Text(f"{one.board}", style="bold"))
    last = one.validation or one.benchmark or one.device or one.image or one.project or one.quantized
    if one.validation is not None and one.image is not None and one.benchmark is not None:
        benchmark_ = one.benchmark
        grid(
            [
                ("firmware", f"sha-256 {one.image.digest}"),
                (
                    "memory",
                    f"model and runtime: flash {size(one.image.model_flash_bytes)}, "
                    f"ram {size(one.image.model_ram_bytes)}",
                ),
                (
                    "speed",
                    f"{benchmark_.instructions_per_inference or 0:,} instructions, {benchmark_.latency_us.p50:,.0f} us "
                    f"({benchmark_.basis})",
                ),
            ]
        )
        validation(one.validation)
        if one.stress is not None:
            stress(one.stress)
    elif last is one.benchmark and one.benchmark is not None:
        benchmark(one.benchmark)
    elif last is one.device and one.device is not None:
        device(one.device)
    elif last is one.image and one.image is not None:
        image(one.image)
    elif last is one.project and one.project is not None:
        project(one.project)
    elif one.quantized is not None:
        quantized(one.quantized)
    if one.comparison is not None:
        comparison(one.comparison)
    if one.budgets:
        budget(one.budgets[-1])
    if one.bundle is not None:
        grid(
            [
                ("signed by", one.bundle.signer),
                ("evidence", str(one.bundle.document)),
                ("bundle", str(one.bundle.path)),
                ("report", str(one.bundle.report)),
            ]
        )

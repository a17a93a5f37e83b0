"""A realistic run as records: a five-class beat classifier, 44 patients, an emulated Cortex-M4. All figures follow from
seeded simulated predictions, so that every count in the records can be derived again; endpoints, records and verdict
are those that `run_validation` finds.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import (
    BenchmarkResult,
    BudgetLine,
    BudgetReport,
    CalibrationSet,
    DeviceInfo,
    Divergence,
    EndpointResult,
    FirmwareImage,
    FirmwareProject,
    Interval,
    LatencyBin,
    LayerError,
    LinkedObject,
    MemoryPlan,
    OperatorShare,
    Percentiles,
    Placement,
    Predictions,
    QuantizedModel,
    RuntimeMetrics,
    Section,
    StackBound,
    Statistic,
    ValidationResult,
    sha256_hex,
)
from leadwire.board import Board, Budget, Emulation, MemoryRegion
from leadwire.datasets.dataset import Dataset
from leadwire.evidence.record import (
    Attachments,
    Beat,
    Evidence,
    InstalledPackage,
    ModelSummary,
    OperatorSummary,
    TensorSummary,
    ToolVersion,
)
from leadwire.protocols import load_protocol
from leadwire.validate import run_validation

LABELS = ("N", "S", "V", "F", "Q")
PATIENTS = 44
BEATS = 4400
MODEL = b"TFL3" + bytes(range(256)) * 76
FIRMWARE = b"\x7fELF" + bytes(range(255, -1, -1)) * 120
SOURCES = (
    ("app/main.c", b"int main(void) { return 0; }\n"),
    ("model/model.c", b"/* the model */\n"),
    ("model/weights.c", b"/* its weights */\n"),
)
EXCUSED = {"V": ("F", "Q"), "S": ("Q",)}
LAYERS = (
    ("CONV_2D", "stem/conv", 45000, 2200, 41.9),
    ("DEPTHWISE_CONV_2D", "block1/depthwise", 10000, 2000, 38.2),
    ("CONV_2D", "block1/pointwise", 64000, 4000, 36.4),
    ("MAX_POOL_2D", "block1/pool", 0, 2000, 36.4),
    ("DEPTHWISE_CONV_2D", "block2/depthwise", 10000, 2000, 35.0),
    ("CONV_2D", "block2/pointwise", 96000, 3000, 33.8),
    ("ADD", "block2/add", 0, 3000, 33.1),
    ("MEAN", "pool", 0, 48, 37.7),
    ("CONCATENATION", "merge", 0, 64, 37.5),
    ("FULLY_CONNECTED", "dense", 2048, 32, 34.6),
    ("FULLY_CONNECTED", "logits", 160, 5, 33.9),
    ("SOFTMAX", "probabilities", 0, 5, math.inf),
)
NOTE = "NON-STANDARD: beats are classified at reference R positions; this is not an EC57 or IEC 60601-2-47 result"


def wilson(good: int, of: int) -> Interval:
    """Wilson score interval, 95 %."""
    z, n, p = 1.959963984540054, max(of, 1), good / max(of, 1)
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(
        low=max(0.0, (centre - half) / (1 + z * z / n)),
        high=min(1.0, (centre + half) / (1 + z * z / n)),
        level=0.95,
        method="Wilson score",
    )


def proportion(name: str, good: int, of: int) -> Statistic:
    return Statistic(
        name=name,
        estimate=good / of if of else math.nan,
        interval=wilson(good, of) if of else None,
        numerator=good,
        denominator=of,
    )


def example_protocol(accuracy_margin: float = 0.010) -> bytes:
    """Five endpoints, their margins fixed before the run."""
    endpoints = (
        ("accuracy", "accuracy", "", accuracy_margin),
        ("VEB sensitivity", "sensitivity", "V", 0.06),
        ("VEB positive predictivity", "positive_predictivity", "V", 0.06),
        ("SVEB sensitivity", "sensitivity", "S", 0.08),
        ("SVEB positive predictivity", "positive_predictivity", "S", 0.08),
    )
    lines = [
        'name = "arrhythmia-mitdb"\ntitle = "INT8 against float"\nintended_population = "the patients of this example"',
        f"labels = {list(LABELS)}\nminimum_patients = 20",
        '[statistics]\nmethod = "bootstrap-t"\nseed = 20040719\n[record_limit]\nmax_accuracy_loss = 0.5',
        *(f'[[classes]]\nlabel = "{k}"\nname = "{k}"\nnot_false_positive = {list(v)}' for k, v in EXCUSED.items()),
        *(
            f'[[endpoints]]\nname = "{name}"\nmeasure = "{measure}"\nlabel = "{label}"\nmargin = {margin}\n'
            'rationale = "an example"'
            for name, measure, label, margin in endpoints
        ),
    ]
    return ("\n".join(lines) + "\n").encode()


def simulate(
    seed: int = 5, noise: float = 0.03
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[Predictions]]:
    """Reference classes, patient numbers and the predictions of float, TFLite, TFLM and device."""
    random = np.random.default_rng(seed)
    reference = random.choice(5, size=BEATS, p=[0.80, 0.07, 0.09, 0.03, 0.01])
    patient = np.sort(random.integers(0, PATIENTS, size=BEATS))
    reference[:5], patient[:5] = np.arange(5), 0
    scores = random.normal(0, 1.0, (BEATS, 5)) + 2.9 * np.eye(5)[reference] + np.array([0.9, -0.2, 0.2, -0.5, -0.8])
    outputs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    raw = np.clip(np.round((outputs + random.normal(0, noise, outputs.shape)) * 256) - 128, -128, 127).astype(np.int8)
    desktop = raw.copy()
    desktop[::40, 1] = np.clip(desktop[::40, 1].astype(int) + 1, -128, 127)
    predictions = [
        Predictions(
            runtime=runtime,
            model_digest=sha256_hex(MODEL),
            dataset_digest=sha256_hex(b"dataset"),
            outputs=outputs if values is None else (values.astype(np.float64) + 128) / 256,
            raw=values,
        )
        for runtime, values in (("float", None), ("tflite", desktop), ("tflm", raw), ("device", raw))
    ]
    return reference, patient, predictions


def counted(label: str) -> list[int]:
    """Reference classes whose beats count against the positive predictivity of `label`, or for it."""
    return [place for place, other in enumerate(LABELS) if other not in EXCUSED.get(label, ())]


def metrics(runtime: str, reference: npt.NDArray[np.int64], decided: npt.NDArray[np.int64]) -> RuntimeMetrics:
    confusion = np.zeros((5, 5), dtype=int)
    np.add.at(confusion, (reference, decided), 1)
    return RuntimeMetrics(
        runtime=runtime,
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
        accuracy=proportion("accuracy", int(np.trace(confusion)), int(confusion.sum())),
        sensitivity=tuple(
            proportion(f"{label} sensitivity", int(confusion[i, i]), int(confusion[i].sum()))
            for i, label in enumerate(LABELS)
        ),
        positive_predictivity=tuple(
            proportion(f"{label} positive predictivity", int(confusion[i, i]), int(confusion[counted(label), i].sum()))
            for i, label in enumerate(LABELS)
        ),
    )


def strip(kind: int, seed: int, hz: float = 250.0, seconds: float = 1.6) -> tuple[float, ...]:
    """A beat in millivolts: P, QRS and T as Gaussians, wide and tall for a ventricular beat."""
    random = np.random.default_rng(seed)
    t = np.arange(int(hz * seconds)) / hz - seconds / 2
    waves = [(-0.20, 0.025, 0.14), (-0.03, 0.010, -0.12), (0.0, 0.012, 1.15), (0.03, 0.012, -0.25), (0.26, 0.055, 0.28)]
    if kind == 2:
        waves = [(0.0, 0.045, 1.5), (0.09, 0.040, -0.5), (0.33, 0.07, -0.42)]
    if kind == 1:
        waves[0] = (-0.13, 0.02, -0.10)
    signal = sum(a * np.exp(-((t - c) ** 2) / (2 * w * w)) for c, w, a in waves)
    signal = signal + 0.05 * np.sin(2 * np.pi * 0.35 * t + seed) + random.normal(0, 0.012, t.size)
    return tuple(round(float(v), 4) for v in signal)


def endpoint(name: str, one: Statistic, other: Statistic, half: float, margin: float) -> EndpointResult:
    float_value, loss = one.estimate, one.estimate - other.estimate
    low, high = loss - half, loss + half * 1.15
    verdict = "pass" if high < margin else "fail" if low > margin else "inconclusive"
    interval = Interval(low=low, high=high, level=0.95, method="patient bootstrap BCa, B=2000, seed 20040719")
    return EndpointResult(
        endpoint=name,
        float_value=float_value,
        int8_value=float_value - loss,
        loss=Statistic(name=f"{name} loss", estimate=loss, interval=interval),
        beat_level=(Interval(low=loss - half * 0.8, high=loss + half * 0.85, level=0.95, method="Newcombe 10"),),
        margin=margin,
        verdict=verdict,
        reason=f"upper limit {high:+.4f} against margin {margin:.4f}",
        judged=interval,
        mcnemar_mid_p=0.21,
        patients_needed=61 if verdict == "inconclusive" else None,
    )


def example_validation(
    reference: npt.NDArray[np.int64], patient: npt.NDArray[np.int64], predictions: list[Predictions], protocol: Path
) -> ValidationResult:
    """What `run_validation` finds, counted here a second time; and strips drawn for the listed beats."""
    dataset = example_dataset(reference, patient)
    validation = run_validation(
        dataset,
        load_protocol(protocol),
        [dataclasses.replace(item, dataset_digest=dataset.digest) for item in predictions],
        model_digest=sha256_hex(MODEL),
        image_digest=sha256_hex(FIRMWARE),
        io_digest=sha256_hex(b"pairs"),
        lost_samples=0,
        calibration_patients=(),
        changed_limit=8,
    )
    found = {one.runtime: one for one in validation.metrics}
    for item in predictions:
        decided = (item.outputs if item.raw is None else item.raw).argmax(axis=1)
        counts = metrics(item.runtime, reference if item.indices is None else reference[item.indices], decided)
        assert counts.confusion == found[item.runtime].confusion
    return dataclasses.replace(
        validation,
        metrics=tuple(one for one in validation.metrics if one.runtime != "tflm"),
        tflite_device=explained(validation.tflite_device),
        identities=tuple(explained(one) for one in validation.identities if one.runtimes != ("tflm", "tflite")),
        changed=tuple(
            dataclasses.replace(one, strip_mv=strip(LABELS.index(one.reference), one.index), strip_hz=250.0)
            for one in validation.changed
        ),
        notes=(NOTE, "classes F and Q are reported and not judged: too few beats"),
    )


def beat_times_s(beats: int) -> npt.NDArray[np.float64]:
    """The first 24 beats are in EC57's learning period."""
    return 280.1 + 0.83 * np.arange(beats)


def example_dataset(reference: npt.NDArray[np.int64], patient: npt.NDArray[np.int64]) -> Dataset:
    return Dataset(
        name="mitdb-ds2",
        split="test",
        inputs=(np.zeros((len(reference), 1), dtype=np.float32),),
        input_names=("ecg",),
        labels=reference.astype(np.int64),
        label_names=LABELS,
        patients=tuple(f"p{int(number):02d}" for number in patient),
        records=tuple(str(200 + int(number)) for number in patient),
        times_s=beat_times_s(len(reference)),
        basis="real",
        licence="none",
    )


def explained(one: Divergence) -> Divergence:
    """A comparison with desktop TFLite whose differing operator was found."""
    if one.runtimes != ("tflite", "device"):
        return one
    return dataclasses.replace(
        one,
        first_operator="op 9 FULLY_CONNECTED 'dense'",
        cause="FULLY_CONNECTED rounds twice in TensorFlow Lite Micro and once in desktop TFLite",
    )


def example_board() -> Board:
    return Board(
        id="virtual-stm32f405",
        name="Virtual STM32F405",
        vendor="leadwire",
        mcu="STM32F405RG",
        core="cortex-m4f",
        clock_hz=168_000_000,
        port="stm32f4",
        flash_tool="emulator",
        memory=(
            MemoryRegion(name="flash", kind="flash", origin=0x0800_0000, size_bytes=1 << 20, wait_states=5),
            MemoryRegion(name="sram", kind="ram", origin=0x2000_0000, size_bytes=128 << 10),
        ),
        budget=Budget(flash_bytes=131072, ram_bytes=32768, latency_us=20000.0),
        emulation=Emulation(engine="unicorn"),
        flash={"openocd": {"config": "board/st_nucleo_f4.cfg"}},
        source="ST RM0090, DS8626",
    )


def example_plan() -> MemoryPlan:
    """Ping-pong between the two ends of a 6.2 kB arena."""
    sizes = [1000, *(layer[3] for layer in LAYERS)]
    arena = 6208
    placements = []
    for tensor, size in enumerate(sizes):
        first, last = max(tensor - 1, 0), min(tensor, len(LAYERS) - 1)
        offset = 0 if tensor % 2 == 0 else arena - -(-size // 16) * 16
        placements.append(
            Placement(tensor=tensor, offset_bytes=offset, size_bytes=size, first_operator=first, last_operator=last)
        )
    scratch = Placement(tensor=-1, offset_bytes=2208, size_bytes=256, first_operator=2, last_operator=2)
    return MemoryPlan(
        model_digest=sha256_hex(MODEL),
        arena_bytes=arena,
        lower_bound_bytes=6000,
        peak_operator=2,
        alignment_bytes=16,
        placements=tuple(placements),
        scratch=(scratch,),
        in_place=((6, 6),),
    )


def budget(basis: str, flash: float, ram: float, *latency: float) -> BudgetReport:
    return BudgetReport(
        board_id="virtual-stm32f405",
        subject_digest=sha256_hex(MODEL if basis == "planned" else FIRMWARE),
        basis=basis,
        lines=(
            BudgetLine(
                resource="flash",
                used=flash,
                limit=131072,
                unit="B",
                basis="planned" if basis == "planned" else "linked",
            ),
            BudgetLine(resource="ram", used=ram, limit=32768, unit="B", basis=basis),
            *(
                BudgetLine(resource="latency", used=us, limit=20000.0, unit="us", basis=basis, required_basis=basis)
                for us in latency
            ),
        ),
        peak="op 2 CONV_2D 'block1/pointwise'",
    )


def example_bench() -> BenchmarkResult:
    total = sum(layer[2] * 2.1 + layer[3] * 9 for layer in LAYERS)
    return BenchmarkResult(
        board_id="virtual-stm32f405",
        backend="aot",
        image_digest=sha256_hex(FIRMWARE),
        model_digest=sha256_hex(MODEL),
        basis="emulated",
        inputs=50,
        warmup=3,
        instructions_per_inference=613_424,
        instructions_basis="counted by the emulator, block by block",
        constant_instructions=True,
        cycles_estimate=812_330.0,
        latency_us=Percentiles(p50=4835.3, p95=4835.9, p99=4836.1, max=4836.2),
        latency_bins=tuple(
            LatencyBin(low_us=4835.0 + 0.2 * place, high_us=4835.2 + 0.2 * place, inferences=inferences)
            for place, inferences in enumerate((3, 18, 17, 6, 4, 2))
        ),
        throughput_hz=206.8,
        operators=tuple(
            OperatorShare(
                index=index,
                kind=kind,
                tensor=tensor,
                macs=macs,
                cycles=(macs * 2.1 + size * 9) * 812_330 / total,
                instructions=round((macs * 2.1 + size * 9) * 613_424 / total),
                share=(macs * 2.1 + size * 9) / total,
            )
            for index, (kind, tensor, macs, size, _) in enumerate(LAYERS)
        ),
        macs=sum(layer[2] for layer in LAYERS),
        arena_bytes=6208,
        flash_bytes=33_920,
        ram_bytes=7_410,
        stack_high_water_bytes=690,
        output_crc32="61e23c25",
        io_digest=sha256_hex(b"bench"),
        device=DeviceInfo(
            firmware_version="0.1.0",
            build_id="5f0c" * 8,
            model_name="ecg_beats",
            model_digest=sha256_hex(MODEL),
            board_id="virtual-stm32f405",
            unique_id="4c57000000000001",
            clock_hz=168_000_000,
            arena_bytes=6208,
            input_bytes=1000,
            output_bytes=5,
            operator_count=len(LAYERS),
            cycle_counter="dwt",
        ),
    )


def example_evidence(
    folder: Path, *, noise: float = 0.03, accuracy_margin: float = 0.010, device_beats: Iterable[int] | None = None
) -> tuple[Evidence, Attachments]:
    """The evidence of a passing run and its attachments; the files they name are written into `folder`.

    `noise` is what quantization does to the outputs; `device_beats` are those that went over the link, None for all.
    """
    protocol = example_protocol(accuracy_margin)
    listing = json.dumps({"files": {name: sha256_hex(data) for name, data in SOURCES}}, indent=2, sort_keys=True) + "\n"
    for name, data in (
        ("model.tflite", MODEL),
        ("firmware.elf", FIRMWARE),
        ("protocol.toml", protocol),
        ("build.log", b"toolchain  zig 0.17.0\n"),
        ("firmware.map", b"     VMA      LMA     Size Align Out     In      Symbol\n"),
        ("leadwire-project.json", listing.encode()),
        *SOURCES,
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    reference, patient, predictions = simulate(noise=noise)
    if device_beats is not None:
        *others, device = predictions
        part = np.fromiter(device_beats, dtype=np.int64)
        assert device.raw is not None
        sent = dataclasses.replace(device, outputs=device.outputs[part], raw=device.raw[part], indices=part)
        predictions = [*others, sent]
    model, image, project = sha256_hex(MODEL), sha256_hex(FIRMWARE), sha256_hex(listing.encode())
    evidence = Evidence(
        name="ecg-beats",
        leadwire_version="0.1.0",
        model=ModelSummary(
            name="ecg_beats",
            digest=model,
            size_bytes=len(MODEL),
            parameters=17_429,
            inputs=(0,),
            outputs=(len(LAYERS),),
            activations=(
                TensorSummary(index=0, name="ecg", shape=(1, 1, 250, 4), dtype="INT8", size_bytes=1000),
                *(
                    TensorSummary(index=i + 1, name=name, shape=(1, 1, 1, size), dtype="INT8", size_bytes=size)
                    for i, (_, name, _, size, _) in enumerate(LAYERS)
                ),
            ),
            operators=tuple(
                OperatorSummary(index=i, kind=kind, tensor=name) for i, (kind, name, *_) in enumerate(LAYERS)
            ),
        ),
        quantized=QuantizedModel(
            path=folder / "model.tflite",
            digest=model,
            size_bytes=len(MODEL),
            source_digest=sha256_hex(b"keras"),
            calibration=CalibrationSet(
                dataset="mitdb-ds1",
                policy="class+patient",
                seed=1,
                count=200,
                per_class=(("N", 80), ("S", 40), ("V", 40), ("F", 30), ("Q", 10)),
                patients=tuple(f"t{number:02d}" for number in range(22)),
                indices=tuple(range(11, 200 * 37 + 11, 37)),
                digest=sha256_hex(b"calibration"),
            ),
            layer_errors=tuple(
                LayerError(
                    operator_index=index,
                    kind=kind,
                    tensor=name,
                    sqnr_db=sqnr,
                    saturated_fraction=0.0004 * (index % 4),
                )
                for index, (kind, name, _, _, sqnr) in enumerate(LAYERS)
            ),
            pinned=(("tensorflow", "2.21.0"), ("keras", "3.15.1"), ("batch size", "1"), ("tensor names", "explicit")),
        ),
        plan=example_plan(),
        board=example_board(),
        project=FirmwareProject(
            root=folder,
            backend="aot",
            board_id="virtual-stm32f405",
            model_digest=model,
            plan_arena_bytes=6208,
            sources=("app/main.c", "model/model.c", "model/weights.c"),
            model_sources=("model/model.c", "model/weights.c"),
            include_dirs=("model", "runtime"),
            linker_script="linker.ld",
            defines=(("NDEBUG", "1"),),
            digest=project,
        ),
        image=FirmwareImage(
            elf=folder / "firmware.elf",
            digest=image,
            project_digest=project,
            model_digest=model,
            board_id="virtual-stm32f405",
            backend="aot",
            toolchain="zig 0.17.0 (clang 20.1.2), -O2",
            build_id="5f0c" * 8,
            sections=(
                Section(name=".text", address=0x0800_0000, size_bytes=17_204),
                Section(name=".rodata", address=0x0800_4334, size_bytes=25_808),
                Section(name=".data", address=0x2000_0000, size_bytes=64),
                Section(name=".bss", address=0x2000_0040, size_bytes=9_880),
            ),
            text_bytes=17_204,
            rodata_bytes=25_808,
            data_bytes=64,
            bss_bytes=9_880,
            model_flash_bytes=33_920,
            model_ram_bytes=6_720,
            linked=(
                *(
                    LinkedObject(
                        name=f"00{place}.o",
                        source=name,
                        archive="",
                        digest=sha256_hex(data),
                        flash_bytes=1000 + place,
                        ram_bytes=place,
                    )
                    for place, (name, data) in enumerate(SOURCES)
                ),
                LinkedObject(
                    name="compiler_rt.o", source="", archive="libcompiler_rt.a", digest="", flash_bytes=700, ram_bytes=0
                ),
            ),
            stack=StackBound(bytes=880, path=("main", "link_poll", "lw_infer", "lw_conv_2d_s8")),
        ),
        budgets=(
            budget("planned", 31_000, 6_208),
            budget("linked", 33_920, 7_600),
            budget("emulated", 33_920, 7_410, 4_836.2),
        ),
        bench=example_bench(),
        validation=example_validation(reference, patient, predictions, folder / "protocol.toml"),
        tools=(
            ToolVersion(name="leadwire", version="0.1.0"),
            ToolVersion(name="tensorflow", version="2.21.0"),
            ToolVersion(name="ai-edge-litert", version="2.3.0"),
            ToolVersion(name="tflite-micro", version="0.dev20261023182759"),
            ToolVersion(name="ziglang", version="0.17.0"),
            ToolVersion(name="unicorn", version="2.1.4"),
        ),
        environment=(("platform", "Linux x86_64"), ("python", "3.11.7")),
        demo_key=True,
        packages=(
            InstalledPackage(name="numpy", version="2.4.6", digest=sha256_hex(b"numpy"), maker="numpy's own word"),
            InstalledPackage(
                name="wfdb",
                version="4.3.1",
                digest=sha256_hex(b"wfdb"),
                maker="The wfdb authors",
                anomalies="https://example.org/wfdb/issues",
            ),
        ),
    )
    times = beat_times_s(len(reference))
    beats = tuple(
        Beat(record=str(200 + int(p)), patient=f"p{int(p):02d}", reference=int(r), time_s=float(t))
        for p, r, t in zip(patient, reference, times, strict=True)
    )
    return evidence, Attachments(protocol=folder / "protocol.toml", beats=beats, predictions=tuple(predictions))


def with_endpoint(evidence: Evidence, changed: EndpointResult) -> Evidence:
    """The same evidence with its first endpoint replaced and the verdict that follows."""
    validation = dataclasses.replace(
        evidence.validation, endpoints=(changed, *evidence.validation.endpoints[1:]), verdict=changed.verdict
    )
    return dataclasses.replace(evidence, validation=validation)

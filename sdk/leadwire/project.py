"""`leadwire.toml`: one project, from model to signed report. Paths are relative to the file's folder.

Parsed strictly; all mistakes are reported at once. `leadwire init` writes `TEMPLATE`, whose comments are the reference.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from leadwire.artifacts import Backend, Calibrator, Goal, Personality, QuantizationMode, UserImage
from leadwire.errors import BadInputError, ConfigError, FileMissingError
from leadwire.strict import load_toml

Count = Annotated[int, Field(ge=0, le=10**9)]
Bytes = Annotated[int, Field(gt=0, le=2**32)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """`keep` worst layers, or as many as `target_sqnr_db` takes, stay as `keep_as` in mode mixed. `compression`: the
    `compression.json` that `leadwire compress` left when it made the model, for the evidence."""

    path: str
    compression: str = ""
    mode: QuantizationMode = "int8"
    per_tensor_dense: bool = False
    equalize: bool = False
    bias_correction: bool = False
    keep: Annotated[int, Field(ge=0, le=10_000)] = 3
    keep_as: Literal["int16x8", "float"] = "int16x8"
    target_sqnr_db: Annotated[float, Field(gt=0, le=200)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSettings:
    """`source` is a dataset file (a path) or an id of validation/datasets; `folder` overrides where recordings lie."""

    source: str
    folder: str = ""
    test_split: str = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """On whom the float model was trained, so that none of them is a test patient: splits of `source` (default: the
    test dataset's source) and `patients` by name. Nothing given: it is not known, and the evidence says so.
    """

    source: str = ""
    splits: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSettings:
    split: str = "train"
    count: Annotated[int, Field(ge=1, le=10**6)] = 200
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    stratify: Literal["class", "patient", "class+patient"] = "class+patient"
    method: Calibrator = "minmax"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.99


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """What the board's user built from a package: paths of the ELF and of further files for the flash."""

    elf: str
    flash_files: Annotated[tuple[str, ...], Field(max_length=16)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """`backend` is validated; those of `compare` are built and benchmarked beside it on the same inputs.

    `flash_bytes`, `ram_bytes` and `latency_us` replace the budget of the board file where given. `images` are for
    boards whose image leadwire does not build, by their name in `boards`. `fast_memory` is a second memory region of
    the boards, 'off', 'auto' or a name, and `fast_bytes` this model's share of it (leadwire.planner.regions).
    """

    boards: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]
    backend: Backend = "aot"
    compare: tuple[Backend, ...] = ()
    toolchain: Literal["auto", "zig", "arm-none-eabi-gcc"] = "auto"
    goal: Goal = "size"
    personality: Personality = "bench"
    port: str = ""
    images: Mapping[str, ImageSettings] = field(default_factory=dict)
    flash_bytes: Bytes | None = None
    ram_bytes: Bytes | None = None
    latency_us: Annotated[float, Field(gt=0)] | None = None
    fast_memory: str = "off"
    fast_bytes: Bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmSettings:
    """`path`: a folder with TensorFlow Lite Micro's headers and libtensorflow-microlite.a; default: LEADWIRE_TFLM.

    The array of the model goes to the linker's `section` ('': the compiler's choice) at a multiple of `alignment`;
    `arena_bytes` None is the computed arena with its margin.
    """

    path: str = ""
    section: str = ""
    alignment: int = 16
    arena_bytes: Bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    inputs: Annotated[int, Field(ge=1, le=100_000)] = 50
    warmup: Annotated[int, Field(ge=0, le=10_000)] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergySettings:
    """`record`: what `leadwire energy --json` wrote for this model on the first board, for the report; '' for none."""

    record: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationSettings:
    """`device_beats`: how many beats go over the link, drawn evenly over the test set; 0 means all. `stress`: whether
    the protocol's stress conditions are run.
    """

    protocol: str
    device_beats: Count = 0
    stress: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSettings:
    """`key`: a PEM file with an Ed25519 private key, 'environment' for the PEM text in LEADWIRE_SIGNING_KEY, or
    'generate' for a demonstration key in the output folder."""

    key: str = "generate"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """What the bundle carries of the device's requirements: the file (see `leadwire trace`), and JUnit files with the
    results of its tests; none where `requirements` is empty."""

    requirements: str = ""
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutData:
    """What stands in when no recordings are at hand (LEADWIRE_DATA unset and no dataset.folder)."""

    source: str
    protocol: str
    device_beats: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`name`: lower-case letters, digits, '-' and '_', a letter first; it names files and the C symbols."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
    model: ModelSettings
    dataset: DatasetSettings
    target: TargetSettings
    validation: ValidationSettings
    output: str = "out"
    training: TrainingSettings = field(default_factory=TrainingSettings)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    bench: BenchSettings = field(default_factory=BenchSettings)
    signing: SigningSettings = field(default_factory=SigningSettings)
    trace: TraceSettings = field(default_factory=TraceSettings)
    tflm: TflmSettings = field(default_factory=TflmSettings)
    energy: EnergySettings = field(default_factory=EnergySettings)
    without_data: WithoutData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProject:
    """A parsed project with its paths made absolute and the stand-in dataset chosen where no recordings are at hand."""

    path: Path
    settings: Project
    model: Path
    output: Path
    boards: tuple[str, ...]
    dataset: str
    dataset_folder: str
    protocol: str
    device_beats: int
    standing_in: bool
    tflm: Path | None = None
    energy: Path | None = None
    compression: Path | None = None
    images: Mapping[str, UserImage] = field(default_factory=dict)
    """By the board's name in `boards`."""

    def with_image(self, image: UserImage | None) -> LoadedProject:
        """The same with this image on the first board; None changes nothing."""
        return self if image is None else replace(self, images={**self.images, self.boards[0]: image})


def load_project(path: Path, *, output: Path | None = None) -> LoadedProject:
    """The project of a leadwire.toml; ConfigError with all mistakes, FileMissingError for a missing model."""
    settings = load_toml(Project, path, "project file")
    mistakes = _mistakes(settings)
    if mistakes:
        raise ConfigError(path, mistakes)
    base = path.resolve().parent
    model = base / settings.model.path
    if not model.exists():
        raise FileMissingError(model, role="model")
    stand_in = settings.without_data
    standing_in = stand_in is not None and not settings.dataset.folder and not os.environ.get("LEADWIRE_DATA")
    source, protocol, beats = settings.dataset.source, settings.validation.protocol, settings.validation.device_beats
    if stand_in is not None and standing_in:
        source, protocol, beats = stand_in.source, stand_in.protocol, stand_in.device_beats
    return LoadedProject(
        path=path.resolve(),
        settings=settings,
        model=model,
        output=(output or base / settings.output).resolve(),
        boards=tuple(_path_or_id(base, board) for board in settings.target.boards),
        dataset=_path_or_id(base, source),
        dataset_folder=str(base / settings.dataset.folder) if settings.dataset.folder else "",
        protocol=_path_or_id(base, protocol),
        device_beats=beats,
        standing_in=standing_in,
        tflm=base / settings.tflm.path if settings.tflm.path else None,
        energy=base / settings.energy.record if settings.energy.record else None,
        compression=base / settings.model.compression if settings.model.compression else None,
        images={
            _path_or_id(base, board): UserImage(
                elf=base / image.elf, flash_files=tuple(base / file for file in image.flash_files)
            )
            for board, image in settings.target.images.items()
        },
    )


def _path_or_id(base: Path, value: str) -> str:
    return str(base / value) if value.endswith(".toml") else value


def _mistakes(settings: Project) -> list[str]:
    """What the types cannot say."""
    boards, images = settings.target.boards, settings.target.images
    checks = (
        *((name in boards, f"target.images.{name}: not one of target.boards") for name in images),
        (len(set(boards)) == len(boards), "target.boards: each board once"),
        (
            settings.target.backend not in settings.target.compare
            and len(set(settings.target.compare)) == len(settings.target.compare),
            "target.compare: each backend once, and not the one of target.backend",
        ),
        (
            settings.calibration.split != settings.dataset.test_split,
            "calibration.split: must differ from dataset.test_split, or the test patients would set the ranges",
        ),
    )
    return [text for holds, text in checks if not holds]


def write_template(folder: Path, *, model: str, dataset: str, protocol: str = "arrhythmia-mitdb") -> Path:
    """Write a commented leadwire.toml into `folder`; never over an existing one."""
    path = folder / "leadwire.toml"
    if path.exists():
        raise BadInputError(f"'{path}' exists already", hint="edit it, or give another folder")
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_0123456789") or "ecg"
    values = {"name": name[:48], "model": model, "dataset": dataset, "protocol": protocol}
    quoted = {key: json.dumps(value, ensure_ascii=False)[1:-1] for key, value in values.items()}
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(TEMPLATE.format(**quoted), encoding="utf-8")
    temporary.replace(path)
    return path


TEMPLATE = """\
# A leadwire project. Paths are relative to this file. `leadwire run leadwire.toml` does the whole line.
name = "{name}"
output = "out"                  # report.html, evidence.json and the signed bundle are written here

[model]
path = "{model}"                # .keras, .h5, a SavedModel folder or a float .tflite
# compression = "compression.json"   # what `leadwire compress` left where it made the model, for the evidence
mode = "int8"                   # or "int16x8": activations of int16, for a model that loses too much in int8; "mixed":
                                # int8 but for the worst layers; "dynamic", "fp16": for hosts, no firmware
# keep = 3                      # mixed: so many of the worst layers ('leadwire sensitivity') stay
# keep_as = "int16x8"           # or "float", for hosts
# target_sqnr_db = 30.0         # mixed, instead of keep: as many layers as it takes
equalize = false                # cross-layer equalization, for a model whose channels differ much in size
bias_correction = false         # the mean error of each channel taken off its bias
per_tensor_dense = false        # true: one scale for each Dense layer, for runtimes that know no per-channel Dense

[dataset]
source = "{dataset}"            # a dataset file (*.toml), or an id of `leadwire doctor`'s list
# folder = "/data/physionet/mitdb"   # where the recordings lie; default: $LEADWIRE_DATA/mitdb
test_split = "test"

[training]                      # whom the float model was trained on; none of them may be tested on
splits = []                     # splits of the dataset (or of `source`, another one): ["train"]
patients = []                   # or patients by name; nothing given: the evidence says that it is not known

[calibration]                   # which inputs set the ranges; their patients are never test patients
split = "train"
count = 200
seed = 1
stratify = "class+patient"      # or "class", or "patient"
method = "minmax"               # what sets the ranges; or "percentile", "mse", "entropy"
# percentile = 99.99            # of that method: so many per cent of the values lie in the range

[target]
boards = ["virtual-stm32f405"]  # `leadwire boards` lists them; the first one is validated, all are benchmarked
backend = "aot"                 # leadwire's own interpreter-free C99; or "tflm": TensorFlow Lite Micro
compare = []                    # further backends, benchmarked beside it on the same inputs: ["tflm"]
toolchain = "auto"              # zig, for the backend tflm arm-none-eabi-gcc; or one of them by name
goal = "size"                   # of the kernels of aot; "balanced": no packed weights; "speed": wide in spare flash
personality = "bench"           # "mlperf", "mlperf-energy": firmware for MLPerf Tiny's runner (generate and build only)
# port = "/dev/ttyACM0"         # a real board's serial port; emulated boards bring their own
# images."nrf52840dk" = {{elf = "build/zephyr/zephyr.elf"}}   # built by you from leadwire's package
# flash_bytes = 65536           # this model's share of the board, instead of the board file's
# ram_bytes = 32768
# latency_us = 100000.0
# fast_memory = "auto"          # what gains most in the board's CCM or TCM; or its name, or "ccm:arena", "ccm:weights"
# fast_bytes = 32768            # this model's share of that region

# [energy]                      # what `leadwire energy --json` wrote for this model, for the report
# record = "energy.json"

# [tflm]                        # where TensorFlow Lite Micro lies: headers and libtensorflow-microlite.a
# path = "tflm"                 # default: $LEADWIRE_TFLM
# section = ".model"            # linker section of the model's array; default: the compiler's choice
# alignment = 16                # of that array, in bytes
# arena_bytes = 8192            # default: computed from the model, with a margin

[bench]
inputs = 50
warmup = 3

[validation]
protocol = "{protocol}"         # endpoints and margins, fixed before the run
device_beats = 0                # how many beats go over the link; 0: all
stress = true                   # run the protocol's stress conditions, where it has any

[signing]
key = "generate"                # for trying out only; or a PEM file with an Ed25519 private key, or "environment":
                                # the PEM text is in LEADWIRE_SIGNING_KEY

# [trace]                       # hazards, requirements and tests of the device, which the bundle then carries
# requirements = "requirements.toml"   # `leadwire trace --template` writes one to begin with
# results = ["tests.xml"]       # JUnit files

# [without_data]                # what stands in where no recordings are at hand; stamped SYNTHETIC on every page
# source = "synthetic-ecg"
# protocol = "arrhythmia-synthetic"
"""

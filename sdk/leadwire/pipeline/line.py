"""One project on one board: each stage with what it reads, kept in the output folder, skipped when nothing changed."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import leadwire
from leadwire import reference
from leadwire.artifacts import (
    Backend,
    BackendComparison,
    BenchmarkResult,
    BudgetReport,
    DeviceInfo,
    ExclusionResult,
    FirmwareImage,
    FirmwareProject,
    MemoryPlan,
    ProtocolState,
    QuantizedModel,
    StressResult,
    UserImage,
    ValidationResult,
)
from leadwire.bench import pattern_input, run_benchmark
from leadwire.board import Board
from leadwire.build import build_image
from leadwire.build.cores import CORES
from leadwire.build.tflm import find_tflm
from leadwire.datasets import Dataset, check_disjoint, load_dataset, read_source
from leadwire.datasets.source import NpzSource, dataset_path, patients_of
from leadwire.device.client import DeviceClient
from leadwire.device.running import RunningBoard
from leadwire.device.target import Target
from leadwire.errors import BadInputError, BuildError
from leadwire.evidence.audited import AuditedRun
from leadwire.evidence.bundle import SUFFIX, Bundle
from leadwire.evidence.contents import DOCUMENT, REPORT
from leadwire.evidence.keys import generate_key, load_private_key
from leadwire.evidence.record import Attachments, Beat, Evidence, ToolVersion, summarize_model
from leadwire.evidence.stress import STRESS
from leadwire.flash import flash_image
from leadwire.model.graph import Model
from leadwire.model.tflite import read_tflite
from leadwire.ops.edges import integer_interface
from leadwire.ops.rules import is_quantized
from leadwire.planner import FastRequest
from leadwire.project import LoadedProject
from leadwire.protocols import load_protocol, protocol_path
from leadwire.quantize import float_twin, quantize_model
from leadwire.quantize.found import refuse_mode
from leadwire.quantize.modes import check_recipe, is_for_device
from leadwire.report import write_report
from leadwire.report.sections import load_sections
from leadwire.trace.export import traced_files
from leadwire.validate import exclude, run_validation
from leadwire.validate.inputs import check_dataset
from leadwire.workspace import Workspace, file_digest, source_date

from .backends import measure_backends
from .compress import read_compression
from .energy import read_energy
from .environment import installed_packages
from .freeze import state_before_run
from .layers import float_layers
from .modes import policy_of, recipe_of
from .predict import (
    HostPredictions,
    PredictionSet,
    evenly,
    load_predictions,
    operator_outputs,
    predict_on_device,
    predict_on_host,
)
from .sources import (
    NOTHING_FAST,
    generate_sources,
    glue_options,
    is_host,
    overflows,
    plan_model,
    plan_package,
    too_large,
)
from .stress import check_recordings, noise_digests, run_stress
from .user_image import sources_for, take_image
from .watcher import Watcher

TOOLS = (
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "tflite-micro",
    "numpy",
    "scipy",
    "wfdb",
    "ziglang",
    "unicorn",
    "smpclient",
)


class Line:
    """The stages of `project` on `board`, with files in `folder`. The quantized model is shared by all boards."""

    def __init__(
        self,
        project: LoadedProject,
        board: Board,
        folder: Path,
        watcher: Watcher,
        *,
        fresh: bool,
        target: Target | None = None,
        user_image: UserImage | None = None,
        run: AuditedRun | None = None,
    ) -> None:
        """`target` says where the board is and who it must be; default: what the project says. With a `user_image`
        nothing is built for the board. `run` records the stages."""
        self.project = project
        self.settings = project.settings
        self.board = _with_budget(board, project)
        plugged = target or Target(board=board, port=self.settings.target.port)
        self.target = replace(plugged, board=self.board)
        self.user_image = user_image
        self.folder = folder
        self.watcher = watcher
        self.run = run
        self._shared = Workspace(project.output, fresh, self._begin)
        self._own = Workspace(folder, fresh, self._begin)
        self._source = read_source(project.dataset)

    def _begin(self, stage: str, skipped: bool) -> None:
        """A stage that runs makes an earlier report untrue: it goes, so that a run that fails leaves none."""
        if not skipped:
            for stale in (*self.folder.glob(f"*{SUFFIX}"), self.folder / REPORT, self.folder / DOCUMENT):
                stale.unlink(missing_ok=True)
        self.watcher.stage(stage, skipped)
        if self.run is not None:
            self.run.note("stage", stage=stage, board=self.board.id, skipped=skipped)

    def check_image_settings(self) -> None:
        """BadInputError for settings of builds that this board has none of."""
        target = self.settings.target
        if self.user_image is None:
            return
        if is_host(self.board):
            raise BadInputError("board 'host' takes no image")
        set_ = (
            ("compare", bool(target.compare)),
            ("goal", target.goal != "size"),
            ("personality", target.personality != "bench"),
        )
        if given := [f"target.{name}" for name, is_set in set_ if is_set]:
            raise BadInputError(
                f"{', '.join(given)}: of images that leadwire builds, and that of '{self.board.id}' is its user's",
                hint="leave it out, or the image",
            )

    def check_mode(self, to_device: bool) -> None:
        """BadInputError for a recipe that its mode cannot have, UnsupportedModelError for a mode without firmware."""
        mode, recipe = self.settings.model.mode, recipe_of(self.settings)
        check_recipe(mode, recipe)
        if to_device and not is_for_device(mode, recipe):
            refuse_mode(f"project '{self.settings.name}'", mode)

    def check_beforehand(self, validating: bool, reporting: bool) -> None:
        """What can be known before the first stage runs: protocol, float model, signing key."""
        load_protocol(self.project.protocol)
        if validating:
            check_dataset(self.test, load_protocol(self.project.protocol), None, self.training_patients)
            if self.stressing:
                check_recordings(self.test)
            self.watcher.note(f"protocol '{load_protocol(self.project.protocol).name}': {self.protocol_state.state}")
        if validating and self.project.model.suffix == ".tflite" and _is_quantized(self.project.model):
            raise BadInputError(
                f"model '{self.project.model.name}' is quantized already: there is no float model to compare with",
                hint="name the float model it was made from; 'leadwire analyze' and 'bench' take the quantized file",
            )
        if reporting and self.settings.signing.key != "generate":
            load_private_key(self._signing_key()[0])
        if reporting:
            self._traced("")

    def check_classes(self, model: Model) -> None:
        """The model must have one output, with one value per label of the protocol."""
        labels, outputs = load_protocol(self.project.protocol).labels, model.output_tensors
        if len(outputs) != 1 or outputs[0].elements != len(labels):
            found = " and ".join(str(tensor.elements) for tensor in outputs)
            raise BadInputError(
                f"model '{model.name}' gives {found} values, the protocol has the labels {' '.join(labels)}",
                hint="name a protocol with the model's classes (validation.protocol)",
            )

    @cached_property
    def test(self) -> Dataset:
        """The beats that the verdict is about, without those that the protocol excludes; read when first needed."""
        return self._test[0]

    @cached_property
    def _test(self) -> tuple[Dataset, tuple[ExclusionResult, ...]]:
        return exclude(self._load(self.settings.dataset.test_split), load_protocol(self.project.protocol))

    @cached_property
    def training_patients(self) -> tuple[str, ...] | None:
        """Whom the float model was trained on, as far as the project says; None where it does not."""
        given = self.settings.training
        if not given.splits and not given.patients:
            return None
        reference = given.source or self.settings.dataset.source
        base = self.project.path.parent
        source = read_source(base / reference if reference.endswith(".toml") else reference)
        found = set(given.patients)
        for split in given.splits:
            patients = patients_of(source, split)
            found |= set(load_dataset(source, split).patients if patients is None else patients)
        return tuple(sorted(found))

    @cached_property
    def protocol_state(self) -> ProtocolState:
        return state_before_run(protocol_path(self.project.protocol), self.project.output)

    def _load(self, split: str) -> Dataset:
        self.watcher.note(f"reading dataset '{self._source.name}', split '{split}'")
        folder = Path(self.project.dataset_folder) if self.project.dataset_folder else None
        return load_dataset(self._source, split, folder=folder)

    @cached_property
    def _data_key(self) -> list[Any]:
        files = [dataset_path(self.project.dataset)]
        if isinstance(self._source, NpzSource):
            files += [self._source.base / split.path for split in self._source.splits.values()]
        digests = [file_digest(path) for path in files if path.exists()]
        return [
            digests,
            self.project.dataset_folder,
            os.environ.get("LEADWIRE_DATA", ""),
            self.settings.dataset.test_split,
        ]

    def _progress(self, label: str) -> Callable[[int, int], None]:
        return lambda done, total: self.watcher.progress(label, done, total)

    # ------------------------------------------------------------------------------------------------ stages

    def quantize(self) -> QuantizedModel:
        settings = self.settings.calibration

        def produce() -> QuantizedModel:
            calibration = self._load(settings.split)
            check_disjoint(calibration, self.test)
            check_dataset(self.test, load_protocol(self.project.protocol), None)
            return quantize_model(
                self.project.model,
                calibration,
                policy_of(self.settings),
                self._shared.root / f"{self.settings.name}.tflite",
                test_patients=self.test.patients,
                mode=self.settings.model.mode,
                recipe=recipe_of(self.settings),
                per_tensor_dense=self.settings.model.per_tensor_dense,
            )

        key = {
            "name": self.settings.name,
            "model": file_digest(self.project.model),
            "data": self._data_key,
            "calibration": asdict(settings),
            "options": asdict(self.settings.model),
            "tools": tool_versions(),
        }
        return self._shared.stage(
            "quantize",
            QuantizedModel,
            key,
            produce,
            lambda made: [path for path in (made.path, float_twin(made.path)) if path.exists()],
        )

    def plan(self, model: Model, backend: Backend | None = None, board: Board | None = None) -> MemoryPlan:
        """The memory of a backend's code on a board, by default of the project's on this line's."""
        backend = backend or self.settings.target.backend
        given = self.settings.tflm.arena_bytes if backend == "tflm" else None
        if self.user_image is not None and board in (None, self.board):
            return plan_package(model, backend, given, self.board, self._fast(backend))
        if board not in (None, self.board):
            return plan_model(model, board, backend, given, self.settings.target.goal)
        return plan_model(model, self.board, backend, given, self.settings.target.goal, self._fast(backend))

    def _fast(self, backend: Backend) -> FastRequest:
        """The second memory region that the project asks for; TFLite Micro that is only compared with has none."""
        target = self.settings.target
        if backend != target.backend and backend == "tflm":
            return NOTHING_FAST
        return FastRequest(region=target.fast_memory, limit_bytes=target.fast_bytes)

    def generate(
        self, quantized: QuantizedModel, model: Model, board: Board, other: Backend | None = None
    ) -> FirmwareProject:
        """Sources for `board`, this line's or the host; the self-test's bytes come from TFLite Micro's interpreter.

        The host runs leadwire's own C, whatever the board runs. `other` is a backend to compare with.
        """
        backend = other or (self.settings.target.backend if board == self.board else "aot")
        folder = self.folder / (other or ("host" if is_host(board) else "firmware"))
        plan, tflm = self.plan(model, backend, board), self.settings.tflm
        glue = glue_options(tflm.section, tflm.alignment) if backend == "tflm" else None
        personality = self.settings.target.personality
        of_user = self.user_image is not None and board == self.board
        key = {
            "model": model.digest,
            "labels": model.labels,
            "plan": asdict(plan),
            "board": asdict(board),
            "backend": backend,
            "glue": None if glue is None else asdict(glue),
            "personality": personality,
            "package": of_user,
        }

        def produce() -> FirmwareProject:
            root = folder / "source"
            if of_user:
                return sources_for(quantized.path, model, plan, backend, board, root, glue)
            return generate_sources(quantized.path, model, plan, board, root, backend, personality, glue)

        return self._own.stage(
            _stage("generate", board, other),
            FirmwareProject,
            key,
            produce,
            lambda made: [made.root / name for name in made.sources],
        )

    def build(
        self,
        sources: FirmwareProject,
        board: Board,
        model: Model,
        plan: MemoryPlan,
        other: Backend | None = None,
    ) -> FirmwareImage:
        """The linked image, built or the user's; BudgetError where it is larger than the board's memory."""
        if self.user_image is not None and board == self.board:
            return self._take(self.user_image, sources, plan)
        toolchain = "zig" if is_host(board) else self.settings.target.toolchain
        tflm = self.project.tflm
        key = {"project": sources.digest, "board": asdict(board), "toolchain": toolchain, "tools": tool_versions()}
        if sources.backend == "tflm":
            key["tflm"] = find_tflm(tflm, None if is_host(board) else CORES[board.core]).library_digest

        def produce() -> FirmwareImage:
            out = sources.root.parent / "image"
            try:
                return build_image(sources, board, toolchain=toolchain, out=out, tflm=tflm)
            except BuildError as error:
                if overflows(error):
                    raise too_large(model, plan, board.id) from error
                raise

        return self._own.stage(
            _stage("build", board, other),
            FirmwareImage,
            key,
            produce,
            lambda made: [made.elf, *made.logs],
        )

    def _take(self, user: UserImage, sources: FirmwareProject, plan: MemoryPlan) -> FirmwareImage:
        given = {str(file): file_digest(file) if file.is_file() else "" for file in (user.elf, *user.flash_files)}
        return self._own.stage(
            "take image",
            FirmwareImage,
            {"project": sources.digest, "board": asdict(self.board), "files": given},
            lambda: take_image(user, sources, self.board, sources.root.parent / "image", plan),
            lambda made: [made.elf, *(file.path for file in made.flash_files)],
        )

    def flash(self, image: FirmwareImage, running: ExitStack) -> Callable[[], RunningBoard]:
        """A function that flashes when first called: a run with nothing left to measure touches no board."""
        started: list[RunningBoard] = []

        def device() -> RunningBoard:
            if not started:
                self.watcher.note(f"flashing {self.board.id}")
                board = flash_image(image, self.target)
                started.append(running.enter_context(board))
            return started[0]

        return device

    def ask(self, image: FirmwareImage, running: RunningBoard) -> DeviceInfo | None:
        """What the board says of itself; WrongDeviceError where it is not the one expected, None for the host."""
        if is_host(self.board):
            return None
        with DeviceClient(running.port, self.board.link.baud) as client:
            return client.expect(image)

    def bench(
        self, image: FirmwareImage, device: Callable[[], RunningBoard], model: Model, plan: MemoryPlan
    ) -> BenchmarkResult:
        """The fixed pattern input, then beats of the test set drawn evenly."""

        def produce() -> BenchmarkResult:
            return run_benchmark(
                device(),
                model,
                plan,
                inputs=self.bench_inputs(model),
                warmup=self.settings.bench.warmup,
                progress=self._progress("bench"),
            )

        key = {**self._run_key(image), "bench": asdict(self.settings.bench)}
        return self._own.stage("bench", BenchmarkResult, key, produce)

    def bench_inputs(self, model: Model) -> tuple[bytes, ...]:
        rows = reference.quantize_inputs(model, self.test.inputs, self.test.input_names)
        beats = evenly(len(rows), self.settings.bench.inputs - 1)
        return (pattern_input(model.input_bytes), *(rows[beat].tobytes() for beat in beats))

    def compare(
        self,
        quantized: QuantizedModel,
        model: Model,
        image: FirmwareImage,
        benchmark: BenchmarkResult,
    ) -> BackendComparison | None:
        """The project's other backends beside the one just measured, None where it names none."""
        others = self.settings.target.compare
        if not others:
            return None
        images = {image.backend: image}
        plans = {image.backend: self.plan(model)}
        for other in others:
            plans[other] = self.plan(model, other)
            sources = self.generate(quantized, model, self.board, other)
            images[other] = self.build(sources, self.board, model, plans[other], other)

        def produce() -> BackendComparison:
            return measure_backends(
                images,
                self.target,
                quantized.path,
                model,
                plans,
                self.bench_inputs(model),
                self.settings.bench.warmup,
                self.watcher,
                known=benchmark,
                tflm=self.project.tflm,
            )

        key = {
            **self._run_key(image),
            "images": [one.digest for one in images.values()],
            "bench": asdict(self.settings.bench),
            "measured": benchmark.io_digest,
        }
        return self._own.stage("compare", BackendComparison, key, produce)

    def predict(
        self,
        quantized: QuantizedModel,
        model: Model,
        image: FirmwareImage,
        library: FirmwareImage,
        device: Callable[[], RunningBoard],
    ) -> PredictionSet:
        on_host = self.predict_on_host(quantized, model, library)
        key = {
            **self._run_key(image),
            "host": [file_digest(one.path) for one in on_host.stored],
            "device_beats": self.project.device_beats,
            "tools": tool_versions(),
        }
        return self._own.stage(
            "predict",
            PredictionSet,
            key,
            lambda: self.predict_on_device(model, on_host, device(), self.folder / "predictions"),
            lambda made: [
                *(one.path for one in made.stored),
                *(() if made.device_tensors is None else (made.device_tensors,)),
            ],
        )

    def predict_on_host(self, quantized: QuantizedModel, model: Model, library: FirmwareImage) -> HostPredictions:
        key = {
            "data": self._data_key,
            "library": library.digest,
            "model": model.digest,
            "float": file_digest(self.project.model),
            "tools": tool_versions(),
        }

        def produce() -> HostPredictions:
            stored = predict_on_host(
                self.test,
                model,
                source=self.project.model,
                quantized=quantized.path,
                library=library.elf,
                folder=self.folder / "predictions",
                progress=self._progress,
            )
            return HostPredictions(stored=stored, library=library.elf)

        return self._own.stage(
            "predict on host", HostPredictions, key, produce, lambda made: [one.path for one in made.stored]
        )

    def predict_on_device(
        self, model: Model, on_host: HostPredictions, device: RunningBoard, folder: Path
    ) -> PredictionSet:
        return predict_on_device(
            self.test,
            model,
            on_host.stored,
            library=on_host.library,
            device=device,
            device_beats=self.project.device_beats,
            folder=folder,
            progress=self._progress,
            fresh=self._own.fresh,
        )

    def stress(
        self,
        quantized: QuantizedModel,
        model: Model,
        image: FirmwareImage,
        library: FirmwareImage,
        device: Callable[[], RunningBoard],
    ) -> StressResult | None:
        """The protocol's stress matrix; None where it has none, or the project leaves it out."""
        protocol, path = load_protocol(self.project.protocol), protocol_path(self.project.protocol)
        if not self.stressing:
            return None
        key = {
            **self._run_key(image),
            "library": library.digest,
            "float": file_digest(self.project.model),
            "protocol": protocol.digest,
            "noise": noise_digests(protocol, path.parent),
            "tools": tool_versions(),
        }
        return self._own.stage(
            "stress",
            StressResult,
            key,
            lambda: run_stress(
                self.test,
                protocol,
                model,
                protocol_folder=path.parent,
                source=self.project.model,
                quantized=quantized.path,
                library=library.elf,
                device=device,
                folder=self.folder,
                note=self.watcher.note,
            ),
            lambda made: [self.folder / STRESS],
        )

    @property
    def stressing(self) -> bool:
        return self.settings.validation.stress and load_protocol(self.project.protocol).stress is not None

    def validate(
        self, quantized: QuantizedModel, model: Model, image: FirmwareImage, predictions: PredictionSet
    ) -> ValidationResult:
        key = {
            **self._run_key(image),
            "protocol": file_digest(protocol_path(self.project.protocol)),
            "predictions": [file_digest(one.path) for one in predictions.stored],
            "io": predictions.io_digest,
            "starts": predictions.starts,
            "calibration": quantized.calibration.digest,
            "training": self.training_patients,
            "state": asdict(self.protocol_state),
            "stress": self.settings.validation.stress,
        }
        return self._own.stage(
            "validate",
            ValidationResult,
            key,
            lambda: self.judge(quantized.path, quantized.calibration.patients, model, image, predictions),
        )

    def judge(
        self,
        quantized: Path,
        calibration_patients: tuple[str, ...],
        model: Model,
        image: FirmwareImage,
        predictions: PredictionSet,
        notes: tuple[str, ...] = (),
    ) -> ValidationResult:
        """What the protocol says of the predictions; `notes` are what a reader must know besides."""
        return run_validation(
            self.test,
            load_protocol(self.project.protocol),
            load_predictions(predictions.stored),
            model_digest=model.digest,
            image_digest=image.digest,
            io_digest=predictions.io_digest,
            lost_samples=0,
            calibration_patients=calibration_patients,
            operator_outputs=operator_outputs(
                self.test, model, quantized, predictions.library, predictions.device_tensors
            ),
            float_layers=float_layers(self.test, model, quantized),
            also_noted=(*predictions.notes, *self._stress_note(), *notes),
            training_patients=self.training_patients,
            protocol_state=self.protocol_state,
            excluded=self._test[1],
        )

    def report(
        self,
        quantized: QuantizedModel,
        model: Model,
        plan: MemoryPlan,
        sources: FirmwareProject,
        image: FirmwareImage,
        budgets: tuple[BudgetReport, ...],
        benchmark: BenchmarkResult,
        validation: ValidationResult,
        predictions: PredictionSet,
        also_benchmarked: tuple[BenchmarkResult, ...],
        comparison: BackendComparison | None,
        stress: StressResult | None,
    ) -> Bundle:
        """report.html, evidence.json and the signed bundle, written again each time: they are cheap."""
        key, demo = self._signing_key()
        self.watcher.stage("report", False)
        outputs = load_predictions(predictions.stored)
        evidence = Evidence(
            name=self.settings.name,
            leadwire_version=leadwire.__version__,
            model=summarize_model(model),
            quantized=quantized,
            plan=plan,
            board=self.board,
            project=sources,
            image=image,
            budgets=budgets,
            bench=benchmark,
            validation=validation,
            tools=tuple(ToolVersion(name=name, version=number) for name, number in tool_versions()),
            environment=(("system", platform.system()), ("machine", platform.machine())),
            demo_key=demo,
            also_benchmarked=also_benchmarked,
            comparison=comparison,
            stress=stress,
            compression=None if self.project.compression is None else read_compression(self.project.compression),
            energy=None if self.project.energy is None else read_energy(self.project.energy),
            created=_created(),
            packages=installed_packages(),
        )
        test = self.test
        beats = zip(test.records, test.patients, test.labels.tolist(), test.times_s.tolist(), strict=True)
        attachments = Attachments(
            protocol=protocol_path(self.project.protocol),
            beats=tuple(
                Beat(record=record, patient=patient, reference=label, time_s=time_s)
                for record, patient, label, time_s in beats
            ),
            predictions=outputs,
            files=(
                ("logs/device.log", _device_log(benchmark, predictions)),
                *(() if stress is None else ((STRESS, (self.folder / STRESS).read_bytes()),)),
                *self._traced(image.digest),
            ),
        )
        return write_report(evidence, attachments, self.folder, key, self.run.invocation if self.run else "")

    # ------------------------------------------------------------------------------------------------ plumbing

    def _stress_note(self) -> tuple[str, ...]:
        left_out = load_protocol(self.project.protocol).stress is not None and not self.stressing
        return ("the protocol's stress conditions were not run (validation.stress = false)",) if left_out else ()

    def _run_key(self, image: FirmwareImage) -> dict[str, Any]:
        return {
            "image": image.digest,
            "board": asdict(self.board),
            "data": self._data_key,
            "port": self.target.port,
            "unique_id": self.target.unique_id,
        }

    def _traced(self, firmware: str) -> tuple[tuple[str, bytes], ...]:
        """The device's requirements traced to its tests; nothing where the project names none."""
        settings, base = self.settings.trace, self.project.path.parent
        if not settings.requirements:
            return ()
        claims = [(section.anchor, section.requirements) for section in load_sections()]
        results = [base / name for name in settings.results]
        return traced_files(base / settings.requirements, results, claims, firmware=firmware, created=source_date())

    def _signing_key(self) -> tuple[Path | None, bool]:
        """The key's file (None: it is in the environment), and whether it is for demonstration."""
        if self.settings.signing.key == "environment":
            return None, False
        if self.settings.signing.key != "generate":
            return self.project.path.parent / self.settings.signing.key, False
        path = self.project.output / ".leadwire" / "demonstration-key.pem"
        if not path.exists():
            generate_key(path)
        return path, True


def _is_quantized(path: Path) -> bool:
    return all(is_quantized(tensor) for tensor in integer_interface(read_tflite(path)).input_tensors)


def _stage(name: str, board: Board, other: Backend | None) -> str:
    return f"{name} {other}" if other else f"{name} for host" if is_host(board) else name


def tool_versions() -> tuple[tuple[str, str], ...]:
    """The packages that bytes and figures depend on, with their versions; those not installed are left out."""
    found = [("python", platform.python_version())]
    for name in TOOLS:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def _with_budget(board: Board, project: LoadedProject) -> Board:
    target, given = project.settings.target, board.budget
    for kind, limit in (("flash", target.flash_bytes), ("ram", target.ram_bytes)):
        size = board.total_bytes("flash" if kind == "flash" else "ram")
        if limit is not None and limit > size:
            raise BadInputError(f"target.{kind}_bytes: {limit} is more than the {size} bytes that {board.id} has")
    budget = replace(
        given,
        flash_bytes=given.flash_bytes if target.flash_bytes is None else target.flash_bytes,
        ram_bytes=given.ram_bytes if target.ram_bytes is None else target.ram_bytes,
        latency_us=given.latency_us if target.latency_us is None else target.latency_us,
    )
    return replace(board, budget=budget)


def _device_log(benchmark: BenchmarkResult, predictions: PredictionSet) -> bytes:
    """What happened on the link: who answered, how often something was sent again, why the device started."""
    device = benchmark.device
    lines = [
        f"device {device.unique_id} on board {device.board_id}",
        f"firmware {device.firmware_version}, build {device.build_id}",
        f"model {device.model_name} {device.model_digest}, clock {device.clock_hz} Hz, counter {device.cycle_counter}",
        f"bench: {benchmark.warmup} inferences to warm up, {benchmark.inputs} measured, inputs and outputs "
        f"{benchmark.io_digest}",
        f"test set: {predictions.retries} requests or cells sent again, inputs and outputs {predictions.io_digest}",
        *(f"test set: the device started because of {reason}; the run went on" for reason in predictions.starts),
    ]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _created() -> str | None:
    """An ISO 8601 time only where SOURCE_DATE_EPOCH fixes one, so that the same run gives the same bytes."""
    fixed = source_date()
    return None if fixed is None else fixed.isoformat()

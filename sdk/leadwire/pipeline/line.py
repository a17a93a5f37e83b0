"""One project on one board: each stage with what it reads, kept in the output folder, skipped when nothing changed."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
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
    FirmwareImage,
    FirmwareProject,
    MemoryPlan,
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
from leadwire.datasets import check_disjoint
from leadwire.device.client import DeviceClient
from leadwire.device.running import RunningBoard
from leadwire.device.target import Target
from leadwire.errors import BadInputError, BuildError
from leadwire.evidence.audited import AuditedRun
from leadwire.evidence.bundle import SUFFIX, Bundle
from leadwire.evidence.contents import DOCUMENT, REPORT
from leadwire.evidence.keys import load_private_key
from leadwire.evidence.record import Attachments, Evidence, ToolVersion, summarize_model
from leadwire.evidence.stress import STRESS
from leadwire.flash import flash_image
from leadwire.model.graph import Model
from leadwire.model.tflite import read_tflite
from leadwire.ops.edges import integer_interface
from leadwire.ops.rules import is_quantized
from leadwire.planner import FastRequest
from leadwire.project import LoadedProject
from leadwire.protocols import load_protocol
from leadwire.quantize import float_twin, quantize_model
from leadwire.quantize.found import refuse_mode
from leadwire.quantize.modes import check_recipe, is_for_device
from leadwire.report import write_report
from leadwire.validate import run_validation
from leadwire.validate.inputs import check_dataset
from leadwire.workspace import Workspace, file_digest

from .backends import measure_backends
from .compress import read_compression
from .energy import read_energy
from .environment import installed_packages, tool_versions
from .judged_data import JudgedData
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
from .reporting import beats_of, created, device_log, signing_key, traced_requirements
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
from .stress import noise_digests, run_stress
from .user_image import sources_for, take_image
from .watcher import Watcher


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
        self.data = JudgedData(project, watcher)

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
            self.data.check()
        if validating and self.project.model.suffix == ".tflite" and _is_quantized(self.project.model):
            raise BadInputError(
                f"model '{self.project.model.name}' is quantized already: there is no float model to compare with",
                hint="name the float model it was made from; 'leadwire analyze' and 'bench' take the quantized file",
            )
        if reporting and self.settings.signing.key != "generate":
            load_private_key(signing_key(self.project)[0])
        if reporting:
            traced_requirements(self.project, "")

    def _progress(self, label: str) -> Callable[[int, int], None]:
        return lambda done, total: self.watcher.progress(label, done, total)

    # ------------------------------------------------------------------------------------------------ stages

    def quantize(self) -> QuantizedModel:
        settings = self.settings.calibration

        def produce() -> QuantizedModel:
            calibration = self.data.load(settings.split)
            check_disjoint(calibration, self.data.test)
            check_dataset(self.data.test, self.data.protocol, None)
            return quantize_model(
                self.project.model,
                calibration,
                policy_of(self.settings),
                self._shared.root / f"{self.settings.name}.tflite",
                test_patients=self.data.test.patients,
                mode=self.settings.model.mode,
                recipe=recipe_of(self.settings),
                per_tensor_dense=self.settings.model.per_tensor_dense,
            )

        key = {
            "name": self.settings.name,
            "model": file_digest(self.project.model),
            "data": self.data.key,
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
        test = self.data.test
        rows = reference.quantize_inputs(model, test.inputs, test.input_names)
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
            "data": self.data.key,
            "library": library.digest,
            "model": model.digest,
            "float": file_digest(self.project.model),
            "tools": tool_versions(),
        }

        def produce() -> HostPredictions:
            stored = predict_on_host(
                self.data.test,
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
            self.data.test,
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
        if not self.data.stressing:
            return None
        protocol, folder = self.data.protocol, self.data.protocol_path.parent
        key = {
            **self._run_key(image),
            "library": library.digest,
            "float": file_digest(self.project.model),
            "protocol": protocol.digest,
            "noise": noise_digests(protocol, folder),
            "tools": tool_versions(),
        }
        return self._own.stage(
            "stress",
            StressResult,
            key,
            lambda: run_stress(
                self.data.test,
                protocol,
                model,
                protocol_folder=folder,
                source=self.project.model,
                quantized=quantized.path,
                library=library.elf,
                device=device,
                folder=self.folder,
                note=self.watcher.note,
            ),
            lambda made: [self.folder / STRESS],
        )

    def validate(
        self, quantized: QuantizedModel, model: Model, image: FirmwareImage, predictions: PredictionSet
    ) -> ValidationResult:
        key = {
            **self._run_key(image),
            "protocol": self.data.protocol.digest,
            "predictions": [file_digest(one.path) for one in predictions.stored],
            "io": predictions.io_digest,
            "starts": predictions.starts,
            "calibration": quantized.calibration.digest,
            "training": self.data.training_patients,
            "state": asdict(self.data.protocol_state),
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
            self.data.test,
            self.data.protocol,
            load_predictions(predictions.stored),
            model_digest=model.digest,
            image_digest=image.digest,
            io_digest=predictions.io_digest,
            lost_samples=0,
            calibration_patients=calibration_patients,
            operator_outputs=operator_outputs(
                self.data.test, model, quantized, predictions.library, predictions.device_tensors
            ),
            float_layers=float_layers(self.data.test, model, quantized),
            also_noted=(*predictions.notes, *self.data.notes, *notes),
            training_patients=self.data.training_patients,
            protocol_state=self.data.protocol_state,
            excluded=self.data.excluded,
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
        key, demo = signing_key(self.project)
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
            created=created(),
            packages=installed_packages(),
        )
        attachments = Attachments(
            protocol=self.data.protocol_path,
            beats=beats_of(self.data.test),
            predictions=outputs,
            files=(
                ("logs/device.log", device_log(benchmark, predictions)),
                *(() if stress is None else ((STRESS, (self.folder / STRESS).read_bytes()),)),
                *traced_requirements(self.project, image.digest),
            ),
        )
        return write_report(evidence, attachments, self.folder, key, self.run.invocation if self.run else "")

    # ------------------------------------------------------------------------------------------------ plumbing

    def _run_key(self, image: FirmwareImage) -> dict[str, Any]:
        return {
            "image": image.digest,
            "board": asdict(self.board),
            "data": self.data.key,
            "port": self.target.port,
            "unique_id": self.target.unique_id,
        }


def _is_quantized(path: Path) -> bool:
    return all(is_quantized(tensor) for tensor in integer_interface(read_tflite(path)).input_tensors)


def _stage(name: str, board: Board, other: Backend | None) -> str:
    return f"{name} {other}" if other else f"{name} for host" if is_host(board) else name


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

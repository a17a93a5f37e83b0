"""What the boards of a rig are to run: an image for each kind of board, the inputs, and the outputs they must give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leadwire import reference
from leadwire.artifacts import FirmwareImage, MemoryPlan, UserImage
from leadwire.board import Board, Budget, load_board
from leadwire.build import build_image
from leadwire.device.host_library import HostLibrary
from leadwire.device.target import Target
from leadwire.errors import BadInputError
from leadwire.generate import generate_project
from leadwire.model.graph import Model
from leadwire.pipeline import run_project
from leadwire.pipeline.alone import Options, bench_inputs, build_model, require_budget
from leadwire.pipeline.line import Line
from leadwire.pipeline.sources import host_board, plan_model, read_model
from leadwire.pipeline.watcher import Watcher
from leadwire.project import load_project
from leadwire.workspace import write_atomically

from .file import Rig, RigBoard
from .records import Job, ValidationWork
from .validation import prepare_validation

INPUTS, EXPECTED = "inputs.bin", "expected.bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`images` and `plans` by board id. `inputs` and `expected` are files with the bytes of all samples in order;
    `witness` says who computed the expected ones."""

    model: Path
    model_digest: str
    plans: dict[str, MemoryPlan]
    images: dict[str, FirmwareImage]
    inputs: Path
    expected: Path
    samples: int
    warmup: int
    witness: str
    budgets: dict[str, Budget]
    """Of boards whose budget is not their file's."""
    validation: ValidationWork | None = None
    """None where no board is to be validated."""

    def job(self, board: RigBoard, owner: str, held: Sequence[str], *, power_cycle: bool = False) -> Job:
        """One attempt at a board."""
        budget = self.budgets.get(board.board.id, board.board.budget)
        return Job(
            owner=owner,
            board=replace(board, board=replace(board.board, budget=budget)),
            image=self.images[board.board.id],
            plan=self.plans[board.board.id],
            model=self.model,
            inputs=self.inputs,
            expected=self.expected,
            warmup=self.warmup,
            held=tuple(held),
            power_cycle=power_cycle,
            validation=self.validation if board.validate else None,
        )


def prepare(source: Path, rig: Rig, boards: Sequence[RigBoard], watcher: Watcher, *, fresh: bool = False) -> Workload:
    """Build for every kind of board among `boards`. `source` is a full-INT8 .tflite file or a leadwire.toml.

    Raises the errors of the stages: a model that does not fit one of the boards ends the rig run before it begins.
    """
    images_given = {board.board.id: board.image for board in boards if board.image is not None}
    validating = [board.name for board in boards if board.validate]
    kinds = {board.board.id: _plain(board.board) for board in boards}
    files = {board.board.id: board.entry.board for board in boards}
    if source.suffix == ".toml":
        named = {id_: _path_of(rig, files[id_]) for id_ in kinds}
        return _of_project(source, rig, named, images_given, bool(validating), watcher, fresh)
    if validating:
        raise BadInputError(
            f"'{validating[0]}' is to be validated, and of '{source.name}' alone no dataset and no protocol are known",
            hint="run the rig with a leadwire.toml",
        )
    path = source.resolve()
    images, plans = {}, {}
    for id_, board in kinds.items():
        user_image = images_given.get(id_)
        watcher.note(f"building for {id_}" if user_image is None else f"taking the image for {id_}")
        options = Options(target=Target(board=board), backend="aot", toolchain="auto", user_image=user_image)
        built = build_model(path, options, rig.output / "firmware" / id_, watcher)
        images[id_], plans[id_] = require_budget(built), built.plan
    model = read_model(path)
    inputs = bench_inputs(model, pattern=False, count=rig.run.inputs)
    return _workload(path, model, plans, images, inputs, rig, rig.run.warmup)


def _of_project(
    source: Path,
    rig: Rig,
    boards: dict[str, str],
    images_given: dict[str, UserImage],
    validating: bool,
    watcher: Watcher,
    fresh: bool,
) -> Workload:
    """The project's line up to the build, on the rig's boards; its benchmark's inputs are beats of the test set."""
    project = replace(load_project(source), boards=tuple(boards.values()), output=rig.output / "firmware")
    project = replace(project, images={boards[id_]: image for id_, image in images_given.items()})
    outcome = run_project(project, until="build", watcher=watcher, fresh=fresh)
    images = {one.board: one.image for one in outcome.boards if one.image is not None}
    plans = {one.board: one.plan for one in outcome.boards if one.plan is not None}
    first = outcome.boards[0]
    model = read_model(first.quantized.path)
    lines = [Line(project, load_board(name), first.folder, watcher, fresh=fresh) for name in project.boards]
    inputs = lines[0].bench_inputs(model)
    validation = None
    if validating:
        lines[0].check_beforehand(True, False)
        validation = prepare_validation(lines[0], first.quantized)
    load = _workload(first.quantized.path, model, plans, images, inputs, rig, project.settings.bench.warmup)
    budgets = {line.board.id: line.board.budget for line in lines}
    return replace(load, budgets=budgets, validation=validation)


def _path_of(rig: Rig, board: str) -> str:
    return str(rig.path.parent / board) if board.endswith(".toml") else board


def _plain(board: Board) -> Board:
    """The kind of board, without what makes this one of the rig special."""
    if board.emulation is None or not board.emulation.unique_id:
        return board
    return replace(board, emulation=replace(board.emulation, unique_id=""))


def _workload(
    path: Path,
    model: Model,
    plans: dict[str, MemoryPlan],
    images: dict[str, FirmwareImage],
    inputs: Sequence[bytes],
    rig: Rig,
    warmup: int,
) -> Workload:
    outputs, witness = _expected(path, model, inputs, rig.output / "host")
    if len(outputs) != len(inputs):
        raise BadInputError(f"the witness gave {len(outputs)} outputs to {len(inputs)} inputs")
    for name, content in ((INPUTS, inputs), (EXPECTED, outputs)):
        write_atomically(rig.output / name, b"".join(content))
    return Workload(
        model=path,
        model_digest=model.digest,
        plans=plans,
        images=images,
        inputs=rig.output / INPUTS,
        expected=rig.output / EXPECTED,
        samples=len(inputs),
        warmup=warmup,
        witness=witness,
        budgets={},
    )


def _expected(path: Path, model: Model, inputs: Sequence[bytes], folder: Path) -> tuple[list[bytes], str]:
    """TFLite Micro's interpreter is the witness; where there is none, the generated C on this computer stands in."""
    if reference.has_tflm():
        rows = np.frombuffer(b"".join(inputs), dtype=np.int8).reshape(len(inputs), -1)
        return [row.tobytes() for row in reference.run_tflm(path, rows)], "TensorFlow Lite Micro's interpreter"
    project = generate_project(model, plan_model(model, host_board()), host_board(), folder / "source")
    library = HostLibrary(build_image(project, host_board(), out=folder / "image").elf)
    return [library.infer(data) for data in inputs], "the generated C on this computer"

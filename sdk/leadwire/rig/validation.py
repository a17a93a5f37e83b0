"""The validation of a rig's boards: what the host answers once for all, and what each board's process does with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from leadwire.artifacts import QuantizedModel, ValidationResult
from leadwire.device.running import RunningBoard
from leadwire.pipeline.line import Line
from leadwire.pipeline.sources import host_board, read_model
from leadwire.project import load_project
from leadwire.protocols import load_protocol

from .records import Job, ValidationWork

Progress = Callable[[int, int], None]
_NO_STRESS = "the protocol's stress conditions were not run: a rig does not, 'leadwire stress' does"


@dataclass(frozen=True, slots=True)
class _Told:
    """A watcher that passes on how far the samples of a device are."""

    tell: Progress

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None:
        self.tell(done, total)


def prepare_validation(line: Line, quantized: QuantizedModel) -> ValidationWork:
    """The answers of float model, desktop TFLite, TFLite Micro and generated C to the test set, kept in the line's
    folder."""
    model = read_model(quantized.path, labels=load_protocol(line.project.protocol).labels)
    line.data.check_classes(model)
    host = host_board()
    library = line.build(line.generate(quantized, model, host), host, model, line.plan(model, board=host))
    return ValidationWork(
        project=line.project.path,
        output=line.project.output,
        quantized=quantized.path,
        calibration_patients=quantized.calibration.patients,
        on_host=line.predict_on_host(quantized, model, library),
    )


def validate_board(
    work: ValidationWork, job: Job, running: RunningBoard, folder: Path, tell: Progress
) -> ValidationResult:
    """The test set on this board, judged by the project's protocol. A further attempt of the same rig run goes on where
    the last one was cut."""
    project = replace(load_project(work.project), output=work.output)
    line = Line(project, job.board.board, folder, _Told(tell), fresh=False)
    model = read_model(work.quantized, labels=load_protocol(project.protocol).labels)
    predictions = line.predict_on_device(model, work.on_host, running, folder)
    notes = (_NO_STRESS,) if line.data.stressing else ()
    return line.judge(work.quantized, work.calibration_patients, model, job.image, predictions, notes)

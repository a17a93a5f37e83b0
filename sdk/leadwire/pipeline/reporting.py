"""What a report takes besides results: the key that signs it, traced requirements, the test set's beats, a log."""

from __future__ import annotations

from pathlib import Path

from leadwire.artifacts import BenchmarkResult
from leadwire.datasets import Dataset
from leadwire.evidence.keys import generate_key
from leadwire.evidence.record import Beat
from leadwire.project import LoadedProject
from leadwire.report.sections import load_sections
from leadwire.trace.export import traced_files
from leadwire.workspace import source_date

from .predict import PredictionSet


def signing_key(project: LoadedProject) -> tuple[Path | None, bool]:
    """The key's file (None: it is in the environment), and whether it is for demonstration."""
    given = project.settings.signing.key
    if given == "environment":
        return None, False
    if given != "generate":
        return project.path.parent / given, False
    path = project.output / ".leadwire" / "demonstration-key.pem"
    if not path.exists():
        generate_key(path)
    return path, True


def traced_requirements(project: LoadedProject, firmware: str) -> tuple[tuple[str, bytes], ...]:
    """The device's requirements traced to its tests; nothing where the project names none."""
    settings, base = project.settings.trace, project.path.parent
    if not settings.requirements:
        return ()
    claims = [(section.anchor, section.requirements) for section in load_sections()]
    results = [base / name for name in settings.results]
    return traced_files(base / settings.requirements, results, claims, firmware=firmware, created=source_date())


def beats_of(test: Dataset) -> tuple[Beat, ...]:
    rows = zip(test.records, test.patients, test.labels.tolist(), test.times_s.tolist(), strict=True)
    return tuple(
        Beat(record=record, patient=patient, reference=label, time_s=time_s) for record, patient, label, time_s in rows
    )


def device_log(benchmark: BenchmarkResult, predictions: PredictionSet) -> bytes:
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


def created() -> str | None:
    """An ISO 8601 time only where SOURCE_DATE_EPOCH fixes one, so that the same run gives the same bytes."""
    fixed = source_date()
    return None if fixed is None else fixed.isoformat()

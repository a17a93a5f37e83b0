"""One board of a rig for tests: flashed once, then asked and measured as often as they like.

What pytest's `leadwire` fixture and labgrid's driver hand to a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType

from leadwire.artifacts import BenchmarkResult, DeviceInfo, FirmwareImage, ValidationResult
from leadwire.device.client import DeviceClient
from leadwire.device.running import RunningBoard
from leadwire.errors import BadInputError, LeadwireError
from leadwire.flash import flash_image
from leadwire.pipeline import run_project
from leadwire.pipeline.watcher import Watcher
from leadwire.project import load_project

from . import locks
from .attempt import Flasher, compare, measure, ready, samples, target_of, wait_for
from .file import RigBoard
from .identity import Identity, Place
from .records import Compared
from .workload import Workload


class Device:
    """A board that runs the model's firmware. Its port is open only while something is asked."""

    def __init__(self, running: RunningBoard, image: FirmwareImage) -> None:
        self.port = running.port
        self.image = image
        self._baud = running.board.link.baud

    @contextmanager
    def connect(self) -> Iterator[DeviceClient]:
        """The client, for a longer talk; who answers is checked first."""
        with DeviceClient(self.port, self._baud) as client:
            client.expect(self.image)
            yield client

    @cached_property
    def info(self) -> DeviceInfo:
        """What the board says of itself."""
        with DeviceClient(self.port, self._baud) as client:
            return client.expect(self.image)

    def infer(self, data: bytes) -> bytes:
        """The outputs' bytes for the inputs' bytes, both in graph order."""
        with self.connect() as client:
            return client.infer((client.status().runs + 1) & 0xFFFF_FFFF, data).output


@dataclass(frozen=True, slots=True)
class Quiet:
    """A watcher that tells nobody."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


class Desk:
    """A context manager that holds the board: its locks, and the emulator where it is one.

    `device`, `benchmark`, `compared` and `validated` are made when first asked for, and kept. All raise the errors of
    the stages; a verdict other than pass and wrong bytes are results. `flasher` stands in for `flash_image` where
    another program brings the image onto the board.
    """

    def __init__(
        self,
        board: RigBoard,
        workload: Workload,
        source: Path,
        folder: Path,
        watcher: Watcher,
        flasher: Flasher = flash_image,
    ) -> None:
        self.board = board
        self.workload = workload
        self._source = source
        self._folder = folder
        self._watcher = watcher
        self._flasher = flasher
        self._open = ExitStack()
        self._standing: tuple[RunningBoard, Place, Identity] | None = None
        self._failure: LeadwireError | None = None

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def name(self) -> str:
        return self.board.name

    @property
    def _ready(self) -> tuple[RunningBoard, Place, Identity]:
        """Made once: a board that failed is not tried again for each test, all are told why it did."""
        if self._failure is not None:
            raise self._failure
        if self._standing is None:
            try:
                self._standing = self._make_ready()
            except LeadwireError as error:
                self._failure = error
                self._open.close()
                raise
        return self._standing

    def _make_ready(self) -> tuple[RunningBoard, Place, Identity]:
        owner = f"tests of '{self._source.name}'"
        held = wait_for(self.board, set(self.board.stable_keys()), owner)
        self._open.callback(locks.release, held)
        image = self.workload.images[self.board.board.id]
        keys = [one.key for one in held]
        return self._open.enter_context(
            ready(self.board, image, owner, keys, lambda stage: None, flasher=self._flasher)
        )

    @cached_property
    def device(self) -> Device:
        """The board, flashed and known to be the right one."""
        return Device(self._ready[0], self.workload.images[self.board.board.id])

    @cached_property
    def _measured(self) -> tuple[tuple[bytes, ...], BenchmarkResult]:
        job = self.workload.job(self.board, "", ())
        return measure(job, self._ready[0], lambda done, total: self._watcher.progress("bench", done, total))

    @property
    def benchmark(self) -> BenchmarkResult:
        """As `leadwire bench` gives it."""
        return self._measured[1]

    @cached_property
    def compared(self) -> Compared:
        """The benchmark's outputs against those of the witness, byte for byte."""
        outputs, result = self._measured
        return compare(outputs, samples(self.workload.expected, result.device.output_bytes))

    @cached_property
    def validated(self) -> ValidationResult:
        """As `leadwire validate` gives it, on this board. BadInputError without a project."""
        if self._source.suffix != ".toml":
            raise BadInputError(
                "validation needs a project: dataset and protocol are not known of a .tflite file alone",
                hint="give a leadwire.toml",
            )
        place = self._ready[1]
        target = target_of(self.board, place if self.board.entry.plugged else None)
        project = replace(load_project(self._source), output=self._folder)
        outcome = run_project(
            project, until="validate", watcher=self._watcher, target=target, user_image=self.board.image
        )
        result = outcome.boards[0].validation
        assert result is not None
        return result

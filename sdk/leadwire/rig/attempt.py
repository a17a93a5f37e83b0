"""One attempt at one board: power, identify, lock, flash, bench, validate, confirm. Runs in the board's own process.

Everything that touches the board goes through the same stages as on a desk (`flash_image`, `run_benchmark`); a rig adds
who the board must be, and that nobody else uses it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path

from leadwire.artifacts import BenchmarkResult, FirmwareImage
from leadwire.bench import run_benchmark
from leadwire.budget import check_benchmark
from leadwire.device.client import DeviceClient
from leadwire.device.running import RunningBoard
from leadwire.device.target import Target
from leadwire.errors import BadInputError, BusyBoardError, DeviceError, WrongDeviceError
from leadwire.flash import flash_image
from leadwire.model.tflite import read_tflite
from leadwire.ops.edges import integer_interface

from . import locks
from .file import RigBoard, Stage, canonical_port
from .identity import Identity, Place, ask, check, identity_of, locate
from .records import Compared, Job, Measured
from .validation import validate_board

PROGRESS_SECONDS = 0.2
"""Shortest time between two reports of progress."""
_LOCK_POLL_SECONDS = 0.1
Flasher = Callable[[FirmwareImage, Target], RunningBoard]


def carry_out(
    job: Job, folder: Path, *, stage: Callable[[Stage], None], progress: Callable[[int, int], None]
) -> Measured:
    """The whole attempt. DeviceError and its kinds where it is not whole, WrongBoardError before anything is written.

    `folder` is for files of this board in this rig run. `stage` is told as each stage begins, `progress(done, total)`
    of samples now and then.
    """
    board = job.board
    if job.power_cycle:
        stage("power")
        power_cycle(board)
    with ready(board, job.image, job.owner, job.held, stage) as (running, place, before):
        stage("bench")
        outputs, measured = measure(job, running, progress)
        validation = None
        if job.validation is not None:
            stage("validate")
            validation = validate_board(job.validation, job, running, folder / f"{board.name}.validation", progress)
        stage("confirm")
        after = confirm(board, job.image, running, place)
    return Measured(
        before=before,
        flashed=running.flashed,
        after=after,
        benchmark=measured,
        budget=check_benchmark(measured, board.board, job.image),
        compared=compare(outputs, samples(job.expected, measured.device.output_bytes)),
        validation=validation,
    )


@contextmanager
def ready(
    board: RigBoard,
    image: FirmwareImage,
    owner: str,
    held: Sequence[str],
    stage: Callable[[Stage], None],
    flasher: Flasher = flash_image,
) -> Iterator[tuple[RunningBoard, Place, Identity]]:
    """The board, running the image: found, known to be the right one, locked unless its lock is among `held`, flashed.
    With it where it is, and who answered before writing."""
    before = Identity()
    place: Place | None = None
    taken: tuple[locks.Held, ...] = ()
    try:
        if board.entry.plugged:
            stage("identify")
            place = locate(board)
            stage("lock")
            taken = wait_for(board, {f"port {canonical_port(place.port)}"} - set(held), owner)
            stage("identify")
            before = check(board, place, ask(place.port, board.board.link.baud))
        stage("flash")
        with flasher(image, target_of(board, place)) as running:
            place = place or Place(port=running.port)
            confirm(board, image, running, place)
            yield running, place, before
    finally:
        locks.release(taken)


def target_of(board: RigBoard, place: Place | None) -> Target:
    """The board for `flash_image`, which checks its unique id by the flash tool before writing. An adapter known by the
    rig file's USB serial number or location vouches for a board that cannot tell; a mere port path does not."""
    entry, adapter = board.entry, place.adapter if place else None
    vouched = adapter is not None and bool(entry.usb_serial or entry.usb_location)
    return Target(
        board=board.board,
        port=place.port if place else "",
        probe_serial=entry.probe_serial,
        usb_location=adapter.location.partition(":")[0] if adapter is not None and vouched else "",
        unique_id=entry.unique_id.lower(),
        arguments=entry.flash,
    )


def power_cycle(board: RigBoard) -> None:
    """Runs the board's hook; DeviceError where it fails or does not end in time."""
    command, seconds = board.power_cycle, board.timeout_s("power")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"power cycle of '{board.name}' did not end within {seconds:g} s: {command[0]}", hint="run it by hand"
        ) from None
    except OSError as error:
        raise DeviceError(f"power cycle of '{board.name}': '{command[0]}' cannot be run: {error.strerror}") from None
    if done.returncode:
        tail = "\n".join(f"  {line}" for line in done.stdout.strip().splitlines()[-5:])
        raise DeviceError(
            f"power cycle of '{board.name}' failed with exit code {done.returncode}: {command[0]}"
            + (f"\n{tail}" if tail else ""),
            hint="run it by hand",
        )


def wait_for(board: RigBoard, keys: Set[str], owner: str) -> tuple[locks.Held, ...]:
    """These locks, or BusyBoardError with who holds one of them after the board's `lock_s`."""
    seconds = board.timeout_s("lock")
    deadline = time.monotonic() + seconds
    while True:
        try:
            return locks.take(sorted(keys), owner)
        except locks.TakenError as error:
            if time.monotonic() >= deadline:
                raise BusyBoardError(board.name, error.key, error.holder, seconds) from None
        time.sleep(_LOCK_POLL_SECONDS)


def confirm(board: RigBoard, image: FirmwareImage, running: RunningBoard, place: Place) -> Identity:
    """Board, model, firmware build and unique id by the firmware's own word: before and after the run."""
    with DeviceClient(running.port, running.board.link.baud) as client:
        info = client.expect(image)
    wanted = board.entry.unique_id.lower()
    if wanted and info.unique_id != wanted:
        raise WrongDeviceError(running.port, "unique id", info.unique_id or "none", wanted)
    return identity_of(place, info, board.entry.probe_serial)


def measure(
    job: Job, running: RunningBoard, progress: Callable[[int, int], None]
) -> tuple[tuple[bytes, ...], BenchmarkResult]:
    """Outputs of all samples in order, and the benchmark."""
    model = integer_interface(read_tflite(job.model))
    kept: list[tuple[bytes, ...]] = []
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if done == total or time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            progress(done, total)

    result = run_benchmark(
        running,
        model,
        job.plan,
        inputs=samples(job.inputs, model.input_bytes),
        warmup=job.warmup,
        progress=tell,
        keep=kept.append,
    )
    return kept[0], result


def samples(path: Path, size: int) -> tuple[bytes, ...]:
    """The samples of `size` bytes each in a file; BadInputError where it does not hold whole ones."""
    data = path.read_bytes()
    if not data or size <= 0 or len(data) % size:
        raise BadInputError(f"'{path}' holds {len(data)} B, not whole samples of {size} B")
    return tuple(data[start : start + size] for start in range(0, len(data), size))


def compare(outputs: Sequence[bytes], expected: Sequence[bytes]) -> Compared:
    if len(outputs) != len(expected):
        raise DeviceError(f"{len(outputs)} outputs came back, {len(expected)} were expected")
    differing = [at for at, (one, other) in enumerate(zip(outputs, expected, strict=True)) if one != other]
    return Compared(
        samples=len(outputs),
        identical=len(outputs) - len(differing),
        first_difference=differing[0] if differing else None,
    )

"""Soak: thousands of inferences over a line that is bad on purpose, each answer compared with the C on the host.

Goodput counts the bytes of inputs alone. Its share of the bytes that were sent is the figure that no other work of this
machine changes; its share of what the line can carry in the time needs a paced line and a board that keeps up.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leadwire.artifacts import FirmwareImage
from leadwire.device.client import DeviceClient
from leadwire.device.faults import BITS_PER_BYTE, Faults
from leadwire.device.host_library import HostLibrary
from leadwire.device.journal import Epoch, Journal
from leadwire.device.proxy import FaultProxy
from leadwire.device.running import RunningBoard
from leadwire.device.samples import SampleRun, run_samples
from leadwire.errors import BadInputError, DeviceError
from leadwire.flash import flash_image

from .alone import Options, build_model, choose, require_image, work_folder
from .sources import is_host
from .watcher import Watcher

_REPLUG_S = 30.0
_CLEAN_SAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One run over the line. `struck`: faults by kind; bytes as the client saw them, retries and all. `of_line`: share
    of what the line can carry, None where it is not paced; `of_bytes`: share of input bytes among those sent."""

    faults: str
    inferences: int
    seconds: float
    input_bytes: int
    sent_bytes: int
    received_bytes: int
    retries: int
    corrected: int
    struck: tuple[tuple[str, int], ...]
    goodput_bytes_per_s: float
    of_line: float | None
    of_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """`wrong`: answers that are not those of the generated C; `missing`: inferences without an answer. `io_digest` is
    the SHA-256 over all (input, output). `clean`: the same line without faults."""

    model: str
    model_digest: str
    board: str
    build_id: str
    seed: int
    inferences: int
    wrong: int
    missing: int
    resumed: int
    io_digest: str
    epochs: tuple[Epoch, ...]
    line: Passage
    clean: Passage
    goodput_kept: float
    """Share of the clean line's goodput, by bytes."""
    goodput_kept_in_time: float

    @property
    def passed(self) -> bool:
        return not self.wrong and not self.missing


def soak_model(
    path: Path,
    options: Options,
    watcher: Watcher,
    *,
    inferences: int,
    faults: Faults,
    seed: int,
    journal: Path | None = None,
) -> Soak:
    """Build, flash, run. BadInputError for board 'host', which has no line; DeviceError and its kinds where the run is
    not whole, the journal being kept."""
    if is_host(options.board):
        raise BadInputError("board 'host' has no line", hint="choose an emulated or a real board")
    with work_folder(options) as folder:
        built = build_model(path, options, folder / "board", watcher)
        image = require_image(built)
        on_host = choose("host", options.backend, "auto")
        library = require_image(build_model(path, on_host, folder / "host", watcher))
        samples = _inputs(built.model.input_bytes, inferences, seed)
        watcher.stage("flash", False)
        with flash_image(image, options.target) as running:
            if running.count_instructions is not None:
                running.count_instructions(False)
            watcher.stage("soak", False)
            good = Faults(pace_baud=faults.pace_baud, board_baud=faults.board_baud)
            clean, _ = _pass(running, image, samples[:_CLEAN_SAMPLES], good, seed, watcher, None)
            kept = None if journal is None else Journal(journal)
            line, run = _pass(running, image, samples, faults, seed, watcher, kept)
        return Soak(
            model=built.model.name,
            model_digest=built.model.digest,
            board=options.board.id,
            build_id=image.build_id,
            seed=seed,
            inferences=inferences,
            wrong=_count_wrong(library.elf, samples, run.outputs, watcher),
            missing=inferences - len(run.outputs),
            resumed=run.resumed,
            io_digest=run.io_digest,
            epochs=run.epochs,
            line=line,
            clean=clean,
            goodput_kept=line.of_bytes / clean.of_bytes,
            goodput_kept_in_time=line.goodput_bytes_per_s / clean.goodput_bytes_per_s,
        )


def _inputs(n_bytes: int, count: int, seed: int) -> list[bytes]:
    chance = np.random.default_rng(seed)
    return [chance.bytes(n_bytes) for _ in range(count)]


def _pass(
    running: RunningBoard,
    image: FirmwareImage,
    samples: Sequence[bytes],
    faults: Faults,
    seed: int,
    watcher: Watcher,
    journal: Journal | None,
) -> tuple[Passage, SampleRun]:
    baud = running.board.link.baud
    label = f"soak, faults: {faults.described}"
    with FaultProxy(running.port, faults, baud=baud, seed=seed) as proxy, DeviceClient(proxy.port, baud) as client:
        client.expect(image)
        (sent, received), began = client.carried_bytes, time.monotonic()
        try:
            run = run_samples(
                client,
                samples,
                lambda done, total: watcher.progress(label, done, total),
                image=image,
                journal=journal,
                replug_s=_REPLUG_S,
            )
        except DeviceError as error:
            if proxy.error is not None:
                raise proxy.error from error
            raise
        seconds = time.monotonic() - began
        sent_now, received_now = client.carried_bytes
        input_bytes = sum(map(len, samples[run.resumed :]))
        line_bytes_per_s = faults.pace_baud / BITS_PER_BYTE
        passage = Passage(
            faults=faults.described,
            inferences=len(run.outputs) - run.resumed,
            seconds=seconds,
            input_bytes=input_bytes,
            sent_bytes=sent_now - sent,
            received_bytes=received_now - received,
            retries=run.retries,
            corrected=run.corrected,
            struck=tuple(sorted(proxy.struck.items())),
            goodput_bytes_per_s=input_bytes / seconds,
            of_line=input_bytes / seconds / line_bytes_per_s if line_bytes_per_s else None,
            of_bytes=input_bytes / (sent_now - sent),
        )
    return passage, run


def _count_wrong(library: Path, samples: Sequence[bytes], outputs: Sequence[bytes], watcher: Watcher) -> int:
    """Answers that differ from those of the same C on this machine."""
    host = HostLibrary(library)
    wrong = 0
    for done, (sample, output) in enumerate(zip(samples, outputs, strict=True), start=1):
        wrong += host.infer(sample) != output
        if done % 1024 == 0:
            watcher.progress("comparing with the generated C on the host", done, len(samples))
    return wrong

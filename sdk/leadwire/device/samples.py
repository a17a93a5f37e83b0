"""A run of many samples that is whole or invalid: a lost, doubled or altered sample never makes it smaller.

The device counts its runs and carries a CRC-32 over their (input, output) bytes; so does the host. On a device with
streams every result brings the device's CRC up to it, so that whatever was answered is proven, also when the device
is reset afterwards: the run goes on from the last answered sample in a new epoch, once the device has said that it is
the same one with the same firmware and model. Without streams the accounts are compared on the way and at the end,
and a reset makes the run invalid.
"""

from __future__ import annotations

import hashlib
import re
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from leadwire.artifacts import FirmwareImage
from leadwire.errors import DeviceError, PortError, WrongDeviceError

from .client import DeviceClient, DeviceStatus
from .journal import Epoch, Journal
from .stream import Opened, Result

CHECK_EVERY = 256
"""Samples between two looks at the device's status, where results do not bring its account along."""
_FRUITLESS = 5
"""So many streams in a row may end without one result."""
_FRAME_IN_DATA = re.compile(rb"\x06\x09[A-Za-z0-9+/]{12,}={0,2}\n")
"""Inputs that a device might take for a request among the cells."""
_LOOK_S = 0.1
_BOOT_S = 30.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRun:
    """Outputs and cycles per sample, in order. `io_digest` is the SHA-256 over (input, output) of all samples in order,
    `retries` how often a request or cell had to be sent again, `corrected` how many of the device's cells were put
    right.

    `epochs`: the stretches between resets, in which the device's CRC-32 proves each sample. `resumed`: samples that
    were answered in an earlier session and taken from the journal.
    """

    outputs: tuple[bytes, ...]
    cycles: tuple[int, ...]
    stack_high_water_bytes: int
    io_digest: str
    retries: int
    corrected: int = 0
    epochs: tuple[Epoch, ...] = ()
    resumed: int = 0


def run_samples(
    client: DeviceClient,
    samples: Sequence[bytes],
    progress: Progress | None = None,
    *,
    one_by_one: bool = False,
    image: FirmwareImage | None = None,
    journal: Journal | None = None,
    replug_s: float = 0.0,
) -> SampleRun:
    """Runs every sample once, in order; `progress(done, total)` is called after each.

    `one_by_one` asks for each sample and waits for its answer. `image` is what a device must carry that was reset,
    otherwise what it said at first. `journal` keeps what was answered, for a later session. `replug_s`: a port that
    vanishes is given so long to come back.

    Raises DeviceError when the device's own account of the run differs from the host's, WrongDeviceError when another
    device answers after a reset, and whatever ends a request without an answer. There is no partial result.
    """
    return _Run(client, samples, progress, image, journal, replug_s).all(one_by_one=one_by_one)


class _Run:
    """`epochs[-1]` is the one under way once the device's account has been seen."""

    def __init__(
        self,
        client: DeviceClient,
        samples: Sequence[bytes],
        progress: Progress | None,
        image: FirmwareImage | None,
        journal: Journal | None,
        replug_s: float,
    ) -> None:
        self._client, self._samples, self._progress = client, samples, progress
        self._image, self._journal, self._replug_s = image, journal, replug_s
        self._retries_before, self._corrected_before = client.retries, client.corrected
        self.outputs: list[bytes] = []
        self.cycles: list[int] = []
        self.stack_bytes = 0
        self.io_digest = hashlib.sha256()
        self.epochs: list[Epoch] = []

    def all(self, *, one_by_one: bool) -> SampleRun:
        client = self._client
        self._first_info = client.info()
        resumed = 0
        if self._journal is not None:
            for epoch, results in self._journal.open(self._first_info, self._samples):
                self.epochs.append(epoch)
                for result in results:
                    self._take(result)
            resumed = len(self.outputs)
        try:
            if one_by_one or not client.has_streams or _FRAME_IN_DATA.search(b"".join(self._samples)):
                self._by_requests()
            else:
                self._by_streams()
        finally:
            if self._journal is not None:
                self._journal.close(whole=len(self.outputs) == len(self._samples))
        return SampleRun(
            outputs=tuple(self.outputs),
            cycles=tuple(self.cycles),
            stack_high_water_bytes=self.stack_bytes,
            io_digest=self.io_digest.hexdigest(),
            retries=client.retries - self._retries_before,
            corrected=client.corrected - self._corrected_before,
            epochs=tuple(self.epochs),
            resumed=resumed,
        )

    def _take(self, result: Result) -> None:
        """A sample is answered and proven."""
        self.io_digest.update(self._samples[result.index])
        self.io_digest.update(result.output)
        self.outputs.append(result.output)
        self.cycles.append(result.cycles)
        self.stack_bytes = max(self.stack_bytes, result.stack)
        self.epochs[-1] = replace(self.epochs[-1], samples=self.epochs[-1].samples + 1, io_crc=result.io_crc)
        if self._progress is not None:
            self._progress(len(self.outputs), len(self._samples))

    # ------------------------------------------------------------------------------------------ streams

    def _by_streams(self) -> None:
        under_way, fruitless = False, 0
        while len(self.outputs) < len(self._samples):
            before = len(self.outputs)
            try:
                if under_way:
                    self._same_device()
                opened = self._client.open_stream()
                self._join(opened, under_way=under_way)
                under_way = True
                self._flow(opened)
            except PortError:
                if not under_way or not self._replug():
                    raise
            fruitless = 0 if len(self.outputs) > before else fruitless + 1
            if fruitless == _FRUITLESS:
                raise DeviceError(
                    f"the run on '{self._client.port}' is invalid: {fruitless} times in a row the device answered "
                    f"requests but no sample, {before} of {len(self._samples)} samples are answered",
                    hint="slow the line down, or look for what resets the board; the journal keeps what is answered",
                )
        if under_way:
            self._check_account(self._client.status(), self.epochs[-1])

    def _join(self, opened: Opened, *, under_way: bool) -> None:
        """Where the device's account goes on from ours it is the same epoch, otherwise it has begun anew."""
        epoch = self.epochs[-1] if under_way else None
        if epoch is not None:
            ahead = (opened.runs - epoch.last_run) & 0xFFFF_FFFF
            same = ahead <= opened.kept and (ahead > 0 or opened.io_crc == epoch.io_crc)
            if same and ahead <= len(self._samples) - len(self.outputs):
                return
        self._begin_epoch(opened.runs, opened.io_crc)

    def _begin_epoch(self, runs: int, io_crc: int) -> None:
        first, cause = len(self.outputs), self._client.reset_cause
        self.epochs.append(
            Epoch(first=first, samples=0, runs_before=runs, io_crc_before=io_crc, io_crc=io_crc, cause=cause)
        )
        if self._journal is not None:
            self._journal.begin(self.epochs[-1])

    def _flow(self, opened: Opened) -> None:
        """Results until the last sample, or until nothing comes any more."""
        answered = len(self.outputs)
        ahead = (opened.runs - self.epochs[-1].last_run) & 0xFFFF_FFFF
        for result in self._client.stream(opened, self._samples, start=answered + ahead, answered=answered):
            sample = self._samples[result.index]
            expected = zlib.crc32(result.output, zlib.crc32(sample, self.epochs[-1].io_crc))
            if result.io_crc != expected:
                raise self._invalid(self.epochs[-1].last_run + 1, result.io_crc, expected)
            if self._journal is not None:
                self._journal.add(result)
            self._take(result)

    def _same_device(self) -> None:
        """WrongDeviceError unless what answers now is the device of before, with the same firmware and model."""
        if self._image is not None:
            self._client.expect(self._image, boot_timeout_s=_BOOT_S)
        info, first = self._client.describe(boot_timeout_s=_BOOT_S), self._first_info
        for what, found, expected in (
            ("board", info.board_id, first.board_id),
            ("chip", info.unique_id, first.unique_id),
            ("firmware build", info.build_id, first.build_id),
            ("model", info.model_digest, first.model_digest),
        ):
            if found != expected:
                raise WrongDeviceError(self._client.port, what, found, expected)

    def _replug(self) -> bool:
        """Whether the port has come back in time."""
        deadline = time.monotonic() + self._replug_s
        while time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            try:
                self._client.reopen()
            except PortError:
                continue
            return True
        return False

    # ------------------------------------------------------------------------------------------ one request each

    def _by_requests(self) -> None:
        client, total = self._client, len(self._samples)
        before = client.status()
        self._begin_epoch(before.runs, before.io_crc)
        for index in range(len(self.outputs), total):
            sample, epoch = self._samples[index], self.epochs[-1]
            answer = client.infer((epoch.last_run + 1) & 0xFFFF_FFFF, sample)
            io_crc = zlib.crc32(answer.output, zlib.crc32(sample, epoch.io_crc))
            result = Result(index, answer.output, answer.cycles, answer.stack_bytes, io_crc)
            if (index + 1 - epoch.first) % CHECK_EVERY == 0 or index + 1 == total:
                self._check_account(client.status(), replace(epoch, samples=epoch.samples + 1, io_crc=io_crc))
            self._take(result)

    def _check_account(self, status: DeviceStatus, epoch: Epoch) -> None:
        if (status.runs, status.io_crc) != (epoch.last_run, epoch.io_crc):
            raise self._invalid(epoch.last_run, status.io_crc, epoch.io_crc, status.runs)

    def _invalid(self, runs: int, found: int, expected: int, found_runs: int | None = None) -> DeviceError:
        counted = runs if found_runs is None else found_runs
        return DeviceError(
            f"the run on '{self._client.port}' is invalid: the device counts {counted} runs with CRC-32 {found:08x} "
            f"over inputs and outputs, the host {runs} with {expected:08x}",
            hint="the device was reset or used by another program in mid-run: check its power and run again",
        )

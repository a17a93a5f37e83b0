"""A run of many samples that is whole or invalid: a lost, doubled or altered sample never makes it smaller.

The device counts its runs and carries a CRC-32 over their (input, output) bytes; the host does the same, from what the
device's status said before the first sample, and compares on the way and at the end. A device that was reset in between
has begun again at 0 and cannot agree.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leadwire.errors import DeviceError

from .client import DeviceClient

CHECK_EVERY = 256
"""Samples between two looks at the device's status: a spoilt run ends soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRun:
    """Outputs and cycles per sample, in order. `io_digest` is the SHA-256 over (input, output) of all samples in order,
    `retries` how often a request had to be sent again."""

    outputs: tuple[bytes, ...]
    cycles: tuple[int, ...]
    stack_high_water_bytes: int
    io_digest: str
    retries: int


def run_samples(
    client: DeviceClient, samples: Sequence[bytes], progress: Callable[[int, int], None] | None = None
) -> SampleRun:
    """Runs every sample once, in order; `progress(done, total)` is called after each.

    Raises DeviceError when the device's own account of the run differs from the host's, and whatever ends a request
    without an answer. There is no partial result.
    """
    before, retries_before = client.status(), client.retries
    io_crc, io_digest = before.io_crc, hashlib.sha256()
    outputs: list[bytes] = []
    cycles: list[int] = []
    stack_bytes = 0
    for position, sample in enumerate(samples):
        result = client.infer((before.runs + 1 + position) & 0xFFFF_FFFF, sample)
        io_crc = zlib.crc32(result.output, zlib.crc32(sample, io_crc))
        io_digest.update(sample)
        io_digest.update(result.output)
        outputs.append(result.output)
        cycles.append(result.cycles)
        stack_bytes = max(stack_bytes, result.stack_bytes)
        done = position + 1
        if done % CHECK_EVERY == 0 or done == len(samples):
            _check_account(client, before.runs + done, io_crc)
        if progress is not None:
            progress(done, len(samples))
    return SampleRun(
        outputs=tuple(outputs),
        cycles=tuple(cycles),
        stack_high_water_bytes=stack_bytes,
        io_digest=io_digest.hexdigest(),
        retries=client.retries - retries_before,
    )


def _check_account(client: DeviceClient, runs: int, io_crc: int) -> None:
    status = client.status()
    if (status.runs, status.io_crc) != (runs & 0xFFFF_FFFF, io_crc):
        raise DeviceError(
            f"the run on '{client.port}' is invalid: the device counts {status.runs} runs with CRC-32 "
            f"{status.io_crc:08x} over inputs and outputs, the host {runs} with {io_crc:08x}",
            hint="the device was reset or used by another program in mid-run: check its power and run again",
        )

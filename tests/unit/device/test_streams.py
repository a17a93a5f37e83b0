"""Streams: the host's half against the firmware's own C, over good and bad lines."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from firmware_process import SMALL_INPUT_BYTES, SMALL_MODEL_C, compile_firmware, device, small_output

from leadwire.device.client import DeviceClient
from leadwire.device.faults import PROFILES, Faults
from leadwire.device.proxy import FaultProxy
from leadwire.device.samples import run_samples


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_firmware(tmp_path_factory.mktemp("firmware"), SMALL_MODEL_C)


@pytest.fixture
def port(firmware: Path) -> Iterator[str]:
    with device(firmware) as (port, _):
        yield port


def samples_of(count: int, seed: int = 0) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(SMALL_INPUT_BYTES) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 31, 300])
def test_a_good_line_gives_every_result_without_a_retry(port: str, count: int) -> None:
    samples = samples_of(count)
    with DeviceClient(port) as client:
        run = run_samples(client, samples)
        assert run.outputs == tuple(map(small_output, samples))
        assert run.retries == 0
        assert client.status().runs == count
    digest = hashlib.sha256(b"".join(one + small_output(one) for one in samples)).hexdigest()
    assert run.io_digest == digest


BAD_LINES = {
    "corrupt": PROFILES["corrupt"],
    "bits": PROFILES["bits"],
    "much": Faults(corrupt=4e-3),
    "drops": Faults(drop=4e-4, duplicate=4e-4),
    "stalls": Faults(stall=1e-4, stall_s=0.15),
    "resets": Faults(reset=8e-5, boot_noise=40),
    "unplugs": Faults(unplug=5e-5, unplug_s=0.2),
    "storm": Faults(corrupt=1e-3, drop=1e-4, duplicate=1e-4, reset=6e-5, unplug=6e-5, unplug_s=0.2, boot_noise=40),
}


@pytest.mark.requirement("LW-LNK-002")
@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_gives_every_result(port: str, name: str) -> None:
    samples, faults = samples_of(400), BAD_LINES[name]
    with FaultProxy(port, faults, seed=11) as proxy, DeviceClient(proxy.port) as client:
        run = run_samples(client, samples, replug_s=5)
        assert run.outputs == tuple(map(small_output, samples))
        assert run.io_digest == hashlib.sha256(b"".join(one + small_output(one) for one in samples)).hexdigest()
        for kind in ("corrupt", "flip", "drop", "duplicate", "stall", "reset", "unplug"):
            assert (proxy.struck[kind] > 0) == (getattr(faults, kind) > 0), kind
        assert sum(epoch.samples for epoch in run.epochs) == len(samples)
        assert (len(run.epochs) > 1) == (proxy.struck["reset"] > 0)
        assert len(run.epochs) <= 1 + proxy.struck["reset"]
        print(name, dict(proxy.struck), run.retries, run.corrected, len(run.epochs), client.carried_bytes)


@pytest.mark.requirement("LW-LNK-002")
def test_goodput_over_a_corrupting_line(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """LEADWIRE_LINK_SAMPLES=100000 LEADWIRE_LINK_BAUD=1000000 make it long and paced; it shows its figures."""
    count, baud = int(os.environ.get("LEADWIRE_LINK_SAMPLES", "3000")), int(os.environ.get("LEADWIRE_LINK_BAUD", "0"))
    samples, share = samples_of(count, seed=3), {}
    for corrupt in (0.0, 1e-3):
        faults = Faults(corrupt=corrupt, pace_baud=baud)
        with FaultProxy(port, faults) as proxy, DeviceClient(proxy.port) as client:
            client.describe()
            before, began = client.carried_bytes[0], time.monotonic()
            run = run_samples(client, samples)
            seconds, sent = time.monotonic() - began, client.carried_bytes[0] - before
        assert run.outputs == tuple(map(small_output, samples))
        assert (proxy.struck["corrupt"] > count / 10) == (corrupt > 0)
        share[corrupt] = count * SMALL_INPUT_BYTES / sent
        of_line = count * SMALL_INPUT_BYTES / seconds / (baud / 10) if baud else float("nan")
        with capsys.disabled():
            struck = proxy.struck["corrupt"]
            print(f"\n{count} samples, {faults.described}: {struck} bytes corrupted, {run.retries} retries")
            print(f"{share[corrupt]:.2%} of the bytes sent are input, {of_line:.2%} of the line's capacity")
    assert share[0.0] > 0.93
    assert share[1e-3] > 0.9
    assert share[1e-3] / share[0.0] > 0.98

"""Runs that are cut: a watchdog, a killed host, another board at the port, a journal that was cut short or altered."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from firmware_process import SMALL_INPUT_BYTES, SMALL_MODEL_C, compile_firmware, device, small_output

from leadwire.device.client import DeviceClient
from leadwire.device.faults import Faults
from leadwire.device.journal import Journal
from leadwire.device.proxy import FaultProxy
from leadwire.device.samples import SampleRun, run_samples
from leadwire.errors import BadInputError, DeviceError, DeviceSilentError, PortError, WrongDeviceError


def samples_of(count: int, seed: int = 0) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(SMALL_INPUT_BYTES) for _ in range(count)]


def check(run: SampleRun, samples: list[bytes]) -> None:
    assert run.outputs == tuple(map(small_output, samples))
    assert run.io_digest == hashlib.sha256(b"".join(one + small_output(one) for one in samples)).hexdigest()
    assert sum(epoch.samples for epoch in run.epochs) == len(samples)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_firmware(tmp_path_factory.mktemp("firmware"), SMALL_MODEL_C)


@pytest.fixture
def port(firmware: Path) -> Iterator[str]:
    with device(firmware) as (port, _):
        yield port


def stop_at(count: int) -> object:
    def progress(done: int, total: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    return progress


@pytest.mark.requirement("LW-LNK-004")
def test_a_firmware_that_hangs_is_restarted_by_its_watchdog_and_the_run_goes_on(tmp_path: Path) -> None:
    """The model hangs on one input, until a file says that it has hung once."""
    mark = tmp_path / "hung"
    hang = f"""
    if (in[0] == 77 && in[1] == 77 && access("{mark}", F_OK) != 0) {{
        close(open("{mark}", O_CREAT | O_WRONLY, 0600));
        for (;;) {{}}
    }}"""
    begin = "static lw_status infer(void)\n{"
    model = "#include <fcntl.h>\n#include <unistd.h>\n" + SMALL_MODEL_C.replace(begin, begin + hang)
    samples = samples_of(60)
    samples[30] = bytes([77]) * SMALL_INPUT_BYTES
    with device(compile_firmware(tmp_path, model)) as (port, _), DeviceClient(port) as client:
        run = run_samples(client, samples)
    check(run, samples)
    assert [epoch.cause for epoch in run.epochs] == ["unknown", "watchdog"]
    assert run.epochs[1].first == 30
    assert mark.exists()


def test_a_firmware_that_hangs_on_an_input_every_time_is_a_named_error(tmp_path: Path) -> None:
    begin = "static lw_status infer(void)\n{"
    model = SMALL_MODEL_C.replace(begin, begin + " while (in[0] == 77 && in[1] == 77) {}")
    samples = samples_of(20)
    samples[10] = bytes([77]) * SMALL_INPUT_BYTES
    with (
        device(compile_firmware(tmp_path, model)) as (port, _),
        DeviceClient(port) as client,
        pytest.raises(DeviceError, match=r"times in a row .* 10 of 20 samples are answered"),
    ):
        run_samples(client, samples)


@pytest.mark.requirement("LW-LNK-003")
def test_a_killed_host_goes_on_from_its_journal(port: str, tmp_path: Path) -> None:
    """Another process runs the same samples slowly and is killed with SIGKILL; this one goes on."""
    journal, samples = tmp_path / "run.journal", samples_of(600)
    program = f"""
import random, sys, time
from pathlib import Path
from leadwire.device.client import DeviceClient
from leadwire.device.journal import Journal
from leadwire.device.samples import run_samples
chance = random.Random(0)
samples = [chance.randbytes({SMALL_INPUT_BYTES}) for _ in range(600)]
with DeviceClient({port!r}) as client:
    run_samples(client, samples, lambda done, total: time.sleep(0.01), journal=Journal(Path({str(journal)!r})))
"""
    with subprocess.Popen([sys.executable, "-c", program]) as other:
        deadline = time.monotonic() + 30
        while (not journal.exists() or journal.stat().st_size < 5000) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    kept = journal.stat().st_size
    assert 5000 <= kept < 600 * 30
    with DeviceClient(port) as client:
        run = run_samples(client, samples, journal=Journal(journal))
        answered_twice = client.status().runs - 600
    check(run, samples)
    assert run.resumed > 100
    assert len(run.epochs) == 2
    assert answered_twice < 200  # what was on the way or not yet written, not the whole
    assert not journal.exists()


def cut_run(port: str, journal: Path, samples: list[bytes], at: int) -> bytes:
    with DeviceClient(port) as client, pytest.raises(KeyboardInterrupt):
        run_samples(client, samples, stop_at(at), journal=Journal(journal))  # type: ignore[arg-type]
    return journal.read_bytes()


@pytest.mark.parametrize("cut", [1, 3, 20, 31, 200])
def test_a_journal_cut_anywhere_loses_no_more_than_what_was_cut(port: str, tmp_path: Path, cut: int) -> None:
    journal, samples = tmp_path / "run.journal", samples_of(50)
    data = cut_run(port, journal, samples, 30)
    journal.write_bytes(data[:-cut])
    with DeviceClient(port) as client:
        run = run_samples(client, samples, journal=Journal(journal))
    check(run, samples)
    assert 30 - 2 - cut // 30 <= run.resumed < 30


def test_an_altered_journal_is_not_believed(port: str, tmp_path: Path) -> None:
    """Any flipped bit ends what is taken; with the record's own CRC put right, the device's CRC says no."""
    import zlib

    journal, samples = tmp_path / "run.journal", samples_of(40)
    data = cut_run(port, journal, samples, 25)
    chance = random.Random(1)
    for _ in range(6):
        bad = bytearray(data)
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        journal.write_bytes(bad)
        with DeviceClient(port) as client:
            check(run_samples(client, samples, journal=Journal(journal)), samples)
    forged, record = bytearray(data), 5 + 16 + 5 + 4
    last = len(forged) - record
    forged[last + 5 + 16] ^= 1  # an output of the last record
    forged[-4:] = zlib.crc32(forged[last:-4]).to_bytes(4)
    journal.write_bytes(forged)
    with DeviceClient(port) as client:
        run = run_samples(client, samples, journal=Journal(journal))
    check(run, samples)
    assert run.resumed == 24


def test_the_journal_of_other_samples_or_another_device_is_begun_anew(port: str, tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    cut_run(port, journal, samples_of(40), 25)
    others = samples_of(40, seed=9)
    with DeviceClient(port) as client:
        run = run_samples(client, others, journal=Journal(journal))
    check(run, others)
    assert run.resumed == 0


def test_a_journal_that_cannot_be_written_is_named(port: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with DeviceClient(port) as client, pytest.raises(BadInputError, match=r"journal '.*' cannot be used"):
        run_samples(client, samples_of(2), journal=Journal(tmp_path / "file" / "run.journal"))


@pytest.mark.requirement("LW-LNK-003")
def test_another_firmware_after_a_reset_is_refused(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, flashed = compile_firmware(tmp_path, SMALL_MODEL_C.replace("{1, 2, 3}", "{9, 9, 9}")), tmp_path / "flashed"
    monkeypatch.setenv("OTHER_FIRMWARE", str(flashed))
    with device(firmware) as (port, _), DeviceClient(port) as client:

        def exchange(done: int, total: int) -> None:
            if done == 20:
                other.rename(flashed)
                client.reset()

        with pytest.raises(WrongDeviceError, match="another model"):
            run_samples(client, samples_of(60), exchange)


def test_a_port_that_does_not_come_back_is_named_and_the_journal_stays(port: str, tmp_path: Path) -> None:
    journal, samples = tmp_path / "run.journal", samples_of(400)
    with FaultProxy(port, Faults(unplug=5e-5, unplug_s=60.0), seed=1) as proxy:
        with DeviceClient(proxy.port) as client, pytest.raises(PortError, match="vanished"):
            run_samples(client, samples, journal=Journal(journal), replug_s=0.3)
        proxy._stop.set()
    assert journal.stat().st_size > 1000
    with DeviceClient(port) as client:
        run = run_samples(client, samples, journal=Journal(journal))
    check(run, samples)
    assert run.resumed > 20


def test_a_device_that_falls_silent_is_named(firmware: Path) -> None:
    with device(firmware) as (port, process), DeviceClient(port, timeout_s=0.2, run_timeout_s=0.5) as client:

        def halt(done: int, total: int) -> None:
            if done == 5:
                process.send_signal(signal.SIGSTOP)

        import leadwire.device.samples as module

        before, module._BOOT_S = module._BOOT_S, 1.0
        try:
            with pytest.raises(DeviceSilentError, match="to describe"):
                run_samples(client, samples_of(50), halt)
        finally:
            module._BOOT_S = before

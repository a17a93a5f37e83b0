"""leadwire's own runner against the C of the device on a pseudo-terminal, and against devices that misbehave."""

from __future__ import annotations

import os
import select
import struct
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leadwire.artifacts import FirmwareImage, StackBound
from leadwire.device.mlperf_client import MlperfClient
from leadwire.errors import DeviceError, DeviceRefusedError, DeviceSilentError, FrameError, WrongDeviceError

from .conftest import ENERGY, FLOAT32, Device

Make = Callable[..., Device]
Answer = Callable[[bytes], bytes]
IMAGE = FirmwareImage(
    elf=Path("firmware.elf"), digest="0" * 64, project_digest="1" * 64, model_digest="ab" + 62 * "0",
    board_id="test-board", backend="aot", toolchain="", build_id=bytes(range(16)).hex(), sections=(), text_bytes=0,
    rodata_bytes=0, data_bytes=0, bss_bytes=0, model_flash_bytes=0, model_ram_bytes=0,
    stack=StackBound(bytes=0, path=()), personality="mlperf",
)  # fmt: skip


@contextmanager
def on_a_port(answer: Answer, *, greeting: bytes = b"") -> Iterator[str]:
    """A pseudo-terminal whose far end answers with what `answer` makes of the bytes that arrive."""
    near, far = os.openpty()
    tty.setraw(far)
    stop, wake = os.pipe()

    def serve() -> None:
        if greeting:
            os.write(near, greeting)
        while True:
            ready, _, _ = select.select([near, stop], [], [])
            if stop in ready:
                return
            if said := answer(os.read(near, 4096)):
                os.write(near, said)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(far)
    finally:
        os.write(wake, b"x")
        thread.join()
        for descriptor in (near, far, stop, wake):
            os.close(descriptor)


def test_a_whole_run(device: Make) -> None:
    one = device()
    sample = bytes([9, 8, 7, 6, 5, 4])
    with on_a_port(one.send, greeting=one.greeting) as port, MlperfClient(port) as client:
        found = client.expect(IMAGE)
        assert (found.benchmark, found.vendor, found.clock_hz) == ("custom", "leadwire", 2_000_000)
        client.load(sample)
        run = client.infer(5, 2)
        assert run.elapsed_us is not None and run.elapsed_us > 0
        output = client.output()
        assert output == bytes((sample[5 - i] // 2 + i) & 255 for i in range(6))
        assert run.results == tuple((value + 3) * 0.25 for value in output)
        with pytest.raises(DeviceRefusedError, match="iterations must be >0"):
            client.infer(0, 0)
        with pytest.raises(DeviceRefusedError, match="exceeds maximum"):
            client.load(bytes(27_649))


def test_half_a_command_before_us_does_no_harm(device: Make) -> None:
    one = device()
    one.send(b"db load 6%db 0102%infe")
    with on_a_port(one.send, greeting=b"\r\nnoise\xff\x00") as port, MlperfClient(port) as client:
        assert client.describe().benchmark == "custom"


def test_floats_and_energy_mode(device: Make) -> None:
    for flags, timed in ((FLOAT32, True), (ENERGY, False)):
        one = device(*flags)
        sample = struct.pack("<6f", *range(6)) if flags is FLOAT32 else bytes(6)
        with on_a_port(one.send) as port, MlperfClient(port) as client:
            client.load(sample)
            assert (client.infer(1, 0).elapsed_us is not None) is timed


@pytest.mark.parametrize(("field", "what"), [("board", "board"), ("digest", "model"), ("build", "build")])
@pytest.mark.requirement("LW-LNK-001")
def test_another_image_is_noticed(device: Make, field: str, what: str) -> None:
    one = device()

    def other(data: bytes) -> bytes:
        lines = one.send(data).split(b"\r\n")
        return b"\r\n".join(
            f"m-{field}-[00]".encode() if line.startswith(f"m-{field}".encode()) else line for line in lines
        )

    with on_a_port(other) as port, MlperfClient(port) as client, pytest.raises(WrongDeviceError, match=what):
        client.expect(IMAGE)


def test_a_failed_start_is_noticed(device: Make) -> None:
    one = device()
    one.boot(status=4)
    with on_a_port(one.send) as port, MlperfClient(port) as client, pytest.raises(DeviceRefusedError, match="status 4"):
        client.expect(IMAGE)


@pytest.mark.requirement("LW-LNK-002")
def test_a_byte_lost_on_the_way_to_the_device_is_noticed(device: Make) -> None:
    """The protocol itself does not notice that one digit became another."""
    one = device()
    with (
        on_a_port(lambda data: one.send(data.replace(b"db 01", b"db 07"))) as port,
        MlperfClient(port) as client,
        pytest.raises(FrameError, match="does not hold the sample"),
    ):
        client.load(bytes([1, 2, 3, 4, 5, 6]))


def scripted(answers: dict[bytes, bytes]) -> Answer:
    """Answers by the last command; others with m-ready."""

    def answer(data: bytes) -> bytes:
        return b"".join(answers.get(command, b"m-ready\r\n") for command in data.split(b"%")[:-1])

    return answer


BEGUN = b"m-warmup-start-0\r\nm-warmup-done\r\nm-infer-start-1\r\n"


@pytest.mark.parametrize(
    ("infer", "error"),
    [
        (b"m-results-[1.000]\r\nm-ready\r\n", FrameError),
        (b"m-ready\r\n", FrameError),
        (BEGUN + b"m-lap-us-1\r\nm-infer-done\r\nm-results-[1.000]\r\nm-ready\r\n", FrameError),
        (BEGUN + b"m-infer-done\r\nm-results-[x]\r\nm-ready\r\n", FrameError),
        (BEGUN + b"m-infer-done\r\nm-results-[]\r\nm-ready\r\n", FrameError),
        (b"\xff\xfe\r\n" * 10, DeviceSilentError),
        (b"", DeviceSilentError),
        (b"m-results-[" + b"9" * (1 << 20) + b"]", FrameError),
    ],
)  # fmt: skip
def test_answers_that_do_not_fit_end_the_run(infer: bytes, error: type[DeviceError]) -> None:
    with (
        on_a_port(scripted({b"infer 1 0": infer})) as port,
        MlperfClient(port, timeout_s=0.5, run_timeout_s=0.5) as client,
        pytest.raises(error),
    ):
        client.infer(1, 0)


def test_firmware_of_others_is_understood() -> None:
    """As the benchmark's reference submissions answer: no `leadwire`, a comma behind the last result."""
    answers = {
        b"name": b"m-name-dut-[unspecified]\r\nm-ready\r\n",
        b"profile": b"m-profile-[x]\r\nm-model-[vww01]\r\nm-ready\r\n",
        b"leadwire": b"e-[Unknown command: leadwire]\r\nm-ready\r\n",
        b"infer 1 0": BEGUN + b"m-lap-us-5\r\nm-lap-us-9\r\nm-infer-done\r\nm-results-[0.250,0.750,]\r\nm-ready\r\n",
    }
    with on_a_port(scripted(answers)) as port, MlperfClient(port) as client:
        found = client.describe()
        assert (found.vendor, found.benchmark, found.is_leadwire) == ("unspecified", "vww01", False)
        run = client.infer(1, 0)
        assert (run.elapsed_us, run.results) == (4, (0.25, 0.75))


def test_a_port_that_speaks_something_else_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadwire.device.mlperf_client._GREETING_SECONDS", 0.6)
    with (
        on_a_port(lambda data: b"") as port,
        pytest.raises(DeviceSilentError, match="name%"),
        MlperfClient(port),
    ):
        pass

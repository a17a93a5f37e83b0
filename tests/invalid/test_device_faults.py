"""Everything that can go wrong at the port, each with its named error, its exit code and a bound on the wait."""

from __future__ import annotations

import dataclasses
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cbor2
import pytest
from fake_device import BUILD, DIGEST, HEADER, FakeDevice, model_output
from smp import packet

from leadwire.artifacts import FirmwareImage, StackBound
from leadwire.device.client import DeviceClient
from leadwire.device.samples import run_samples
from leadwire.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceSilentError,
    FrameError,
    PortError,
    WrongDeviceError,
)

IMAGE = FirmwareImage(
    elf=Path("firmware.elf"),
    digest="0" * 64,
    project_digest="1" * 64,
    model_digest=DIGEST.hex(),
    board_id="virtual-stm32f405",
    backend="aot",
    toolchain="",
    build_id=BUILD.hex(),
    sections=(),
    text_bytes=0,
    rodata_bytes=0,
    data_bytes=0,
    bss_bytes=0,
    model_flash_bytes=0,
    model_ram_bytes=0,
    stack=StackBound(bytes=0, path=()),
)
SAMPLES = [bytes((i + j) & 0xFF for j in range(24)) for i in range(20)]


def quick(port: str, attempts: int = 3) -> DeviceClient:
    return DeviceClient(port, 115200, timeout_s=0.1, run_timeout_s=0.2, attempts=attempts)


def patient(port: str) -> DeviceClient:
    """For faults that must be repaired, on a busy machine too."""
    return DeviceClient(port, 115200, timeout_s=0.25, run_timeout_s=0.5, attempts=4)


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def lose(*indices: int) -> Any:
    return lambda index, lines: b"" if index in indices else lines


def spoil(*indices: int) -> Any:
    """Flips a bit of the base64 text of these answers."""
    return lambda index, lines: lines[:8] + bytes((lines[8] ^ 1,)) + lines[9:] if index in indices else lines


def cut(*indices: int) -> Any:
    """These answers break off in mid-line."""
    return lambda index, lines: lines[: len(lines) // 2] if index in indices else lines


def always(change: Any) -> Any:
    return lambda index, lines: change(lines)


# ------------------------------------------------------------------------------------------- port


@pytest.mark.parametrize(
    "port", ["/dev/does-not-exist", "/etc/passwd", "/dev/null", "/", "", "nonsense://x", "socket://nohost", "COM99"]
)
def test_port_that_does_not_exist(port: str) -> None:
    with ends_within(10), pytest.raises(PortError, match=r"port '.*': cannot be opened") as caught, quick(port):
        pass
    assert caught.value.exit_code == 6
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_socket_that_nobody_listens_on() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = f"socket://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(PortError, match="cannot be opened"), quick(port):
            pass


def test_socket_that_closes_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        with (
            quick(f"socket://127.0.0.1:{server.getsockname()[1]}") as client,
            ends_within(2),
            pytest.raises(PortError, match="vanished while in use"),
        ):
            client.describe()


def test_port_that_another_program_holds() -> None:
    with FakeDevice() as device, quick(device.port), pytest.raises(PortError, match=r"cannot be opened: .*lock"):
        quick(device.port).__enter__()


def test_socket_carries_the_link_too() -> None:
    """As an emulator's 'socket://': what arrives is passed on to a device's terminal, and back."""
    with FakeDevice() as device, socket.create_server(("127.0.0.1", 0)) as server:

        def bridge() -> None:
            peer, terminal = server.accept()[0], os.open(device.port, os.O_RDWR | os.O_NOCTTY)
            with peer:
                while ready := select.select([peer, terminal], [], [], 5)[0]:
                    if peer in ready:
                        data = peer.recv(4096)
                        if not data:
                            break
                        os.write(terminal, data)
                    if terminal in ready:
                        peer.sendall(os.read(terminal, 4096))
            os.close(terminal)

        thread = threading.Thread(target=bridge)
        thread.start()
        with patient(f"socket://127.0.0.1:{server.getsockname()[1]}") as client:
            assert run_samples(client, SAMPLES).outputs == tuple(model_output(s, 5) for s in SAMPLES)
        thread.join(6)


def test_client_that_is_not_open() -> None:
    with pytest.raises(PortError, match="is not open"):
        quick("/dev/null").echo("x")


def test_port_vanishes_in_mid_run() -> None:
    with (
        FakeDevice(vanish_after=9) as device,
        quick(device.port) as client,
        ends_within(3),
        pytest.raises(PortError, match="vanished while in use"),
    ):
        run_samples(client, SAMPLES)


# ------------------------------------------------------------------------------------------- silence, garbage, damage


def test_silence() -> None:
    with FakeDevice(deaf=True) as device, quick(device.port) as client:
        with ends_within(2), pytest.raises(DeviceSilentError, match=r"no answer from .* to describe .* 3 attempt"):
            client.describe()
        sequences = len(device.requests)
    assert sequences == 3
    assert client.retries == 2


def test_device_that_does_not_even_read() -> None:
    """The pseudo-terminal's buffer fills up: writing must give up too."""
    master, slave = os.openpty()
    try:
        with quick(os.ttyname(slave)) as client, ends_within(5):
            for _ in range(3):
                with pytest.raises(DeviceSilentError):
                    client.echo("x" * 20_000)
    finally:
        os.close(master)
        os.close(slave)


def test_garbage_without_end() -> None:
    master, slave = os.openpty()
    stop = threading.Event()

    def babble() -> None:
        os.set_blocking(master, False)
        while not stop.is_set():
            try:
                os.write(master, b"\x06\x09\x00\xff garbage \n")
            except BlockingIOError:
                time.sleep(0.005)

    thread = threading.Thread(target=babble)
    thread.start()
    try:
        with (
            quick(os.ttyname(slave)) as client,
            ends_within(3),
            pytest.raises(FrameError, match=r"corrupted answers from .* to echo: .*not base64"),
        ):
            client.echo("x")
    finally:
        stop.set()
        thread.join()
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize(
    "noise", [b"\xff\x00\x80" * 40, b"*** leadwire bench 0.1.0 ***\r\n", b"\x06\x09AAAA", b"\x04\x14"]
)
def test_noise_before_the_first_answer_does_no_harm(noise: bytes) -> None:
    with FakeDevice(boot_text=noise) as device, patient(device.port) as client:
        assert client.echo("x") == "x"
        client.reset()
        assert client.echo("y") == "y"


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (always(lambda lines: lines[:-1]), "no answer|lines without a line feed"),
        (always(lambda lines: lines[:12]), "no answer|lines without a line feed"),
        (spoil(*range(9)), "wrong CRC|wrong length"),
        (always(lambda lines: lines[:2] + b"\x00" + lines[3:]), "not base64"),
        (always(lambda lines: lines[:2] + b"A" * 200 + lines[2:]), "lines too long"),
        (always(lambda lines: b"\x04\x14" + lines[2:]), "without a first"),
    ],
)
def test_damaged_answers_every_time(tamper: Any, reason: str) -> None:
    with FakeDevice(tamper=tamper) as device, quick(device.port) as client:
        with ends_within(2), pytest.raises((FrameError, DeviceSilentError), match=reason):
            client.describe()
        assert len(device.requests) == 3


@pytest.mark.parametrize("damage", [lose(0), lose(0, 1), spoil(0), spoil(0, 1), cut(0), cut(0, 1)])
def test_damage_is_repaired_by_asking_again(damage: Any) -> None:
    with FakeDevice(tamper=damage) as device, patient(device.port) as client:
        assert client.describe().operator_count == 3
        assert 1 <= client.retries <= 3


def frame(request: bytes, body: Any) -> bytes:
    """A whole, sound frame with the header of an answer to `request` and any body."""
    op, _, _, group, sequence, command = HEADER.unpack_from(request)
    data = body if isinstance(body, bytes) else cbor2.dumps(body)
    message = HEADER.pack(op + 1, 0, len(data), group, sequence, command) + data
    return b"".join(packet.encode(message, line_length=128))


GOOD = FakeDevice()._describe({})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xff", "not CBOR"),
        (b"", "not CBOR"),
        (b"\xa0\xa0", "1 bytes after"),
        (b"\x9f\xff", "not CBOR"),
        (b"\x81" * 3000, "nesting depth"),
        (b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", "not CBOR"),
        ([1, 2], "not a map"),
        ({1: 2}, "not CBOR"),
        ({}, "Field required"),
        ({**GOOD, "digest": b"short"}, "digest"),
        ({**GOOD, "clock_hz": 0}, "clock_hz"),
        ({**GOOD, "clock_hz": "16000000"}, "clock_hz"),
        ({**GOOD, "in": -1}, "in: "),
        ({**GOOD, "out": 2**40}, "out: "),
        ({**GOOD, "ops": True}, "ops"),
        ({**GOOD, "model": "x" * 1000}, "model"),
        ({**GOOD, "surprise": 1}, "surprise"),
        ({**GOOD, "header": 1}, "header"),
        ({**GOOD, "smp_data": b""}, "smp_data"),
        ({"err": 5}, "err"),
        ({"err": {"group": 64, "rc": "x"}}, "err"),
    ],
)
def test_whole_frames_with_nonsense_inside(body: Any, reason: str) -> None:
    requests: list[bytes] = []

    def answer(index: int, lines: bytes) -> bytes:
        decoder = packet.decode()
        next(decoder)
        try:
            for line in lines.splitlines(keepends=True):
                decoder.send(line)
        except StopIteration as done:
            header = bytearray(done.value)
            header[0] -= 1
            requests.append(bytes(header))
        return frame(requests[-1], body)

    with (
        FakeDevice(tamper=answer) as device,
        quick(device.port) as client,
        ends_within(2),
        pytest.raises(FrameError, match=reason) as caught,
    ):
        client.describe()
    assert caught.value.exit_code == 6


def test_answers_to_other_requests_are_not_taken() -> None:
    """Yesterday's answers: each whole, each with another sequence number."""

    def late(index: int, lines: bytes) -> bytes:
        return frame(HEADER.pack(8, 0, 0, 64, 200, 0), GOOD) + lines

    with FakeDevice(tamper=late, describe={"model": "today"}) as device, patient(device.port) as client:
        assert client.describe().model_name == "today"
        assert client.echo("x") == "x"


# ------------------------------------------------------------------------------------------- identity


def test_expected_device() -> None:
    with FakeDevice() as device, patient(device.port) as client:
        assert client.expect(IMAGE).model_digest == IMAGE.model_digest


@pytest.mark.requirement("LW-LNK-001")
@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("digest", bytes(32), "model"),
        ("build", bytes(16), "firmware build"),
        ("board", "nucleo-f446re", "board"),
    ],
)
def test_wrong_device(field: str, value: Any, what: str) -> None:
    with (
        FakeDevice(describe={field: value}) as device,
        quick(device.port) as client,
        pytest.raises(WrongDeviceError, match=f"carries another {what}: found .*, expected .*") as caught,
    ):
        client.expect(IMAGE)
    assert caught.value.exit_code == 6


def test_wrong_device_names_the_first_difference() -> None:
    other = dataclasses.replace(IMAGE, model_digest="f" * 64)
    with (
        FakeDevice() as device,
        quick(device.port) as client,
        pytest.raises(WrongDeviceError, match=f"found {DIGEST.hex()}, expected {'f' * 64}"),
    ):
        client.expect(other)


def test_device_that_failed_its_self_test_at_start() -> None:
    with (
        FakeDevice(describe={"boot": 4}) as device,
        quick(device.port) as client,
        pytest.raises(DeviceRefusedError, match=r"rc 20 \(golden self-test failed\)"),
    ):
        client.expect(IMAGE)


# ------------------------------------------------------------------------------------------- runs: whole or invalid


@pytest.mark.requirement("LW-LNK-002")
@pytest.mark.parametrize("damage", [lose, spoil, cut])
@pytest.mark.parametrize("input_bytes", [24, 500])
def test_lost_answers_in_mid_run_change_nothing(damage: Any, input_bytes: int) -> None:
    """Every seventh answer is damaged; outputs and the device's count are those of an undisturbed run."""
    samples = [bytes((i + j) & 0xFF for j in range(input_bytes)) for i in range(12)]
    with (
        FakeDevice(tamper=damage(*range(3, 500, 7)), input_bytes=input_bytes) as device,
        patient(device.port) as client,
    ):
        run = run_samples(client, samples)
        assert run.outputs == tuple(model_output(sample, 5) for sample in samples)
        assert run.retries > 0
        assert device.runs == 12


@pytest.mark.parametrize("damage", [lose, spoil])
def test_lost_answers_to_profile_and_tensor(damage: Any) -> None:
    """The input is gone after the run whose answer was lost: it is sent again."""
    with FakeDevice(tamper=damage(3, 6), input_bytes=300) as device, patient(device.port) as client:
        assert client.profile(1, bytes(300)) == (100, 200, 300)
        assert client.tensor(1, bytes(300)) == model_output(bytes(300), 100)
        assert client.retries >= 2
        assert device.runs == 0


def test_device_stops_answering_in_mid_run() -> None:
    with (
        FakeDevice(tamper=lose(*range(9, 99))) as device,
        quick(device.port) as client,
        ends_within(3),
        pytest.raises(DeviceSilentError, match="to infer") as caught,
    ):
        run_samples(client, SAMPLES)
    assert caught.value.exit_code == 6


@pytest.mark.requirement("LW-LNK-002")
@pytest.mark.parametrize("runs", [1, 7, 19])
def test_reset_in_mid_run_makes_the_run_invalid(runs: int) -> None:
    with (
        FakeDevice(reset_after_runs=runs) as device,
        patient(device.port) as client,
        pytest.raises(DeviceError, match=rf"is invalid: the device counts {20 - runs} runs .* the host 20") as caught,
    ):
        run_samples(client, SAMPLES)
    assert "reset" in caught.value.hint


def test_reset_within_a_sample_makes_the_run_invalid() -> None:
    """The sample itself is repaired, the count is not."""
    samples = [bytes((i + j) & 0xFF for j in range(500)) for i in range(5)]

    class Resets(FakeDevice):
        def _infer(self, fields: dict[str, Any]) -> dict[str, Any]:
            if self.total_runs == 2 and fields["off"] and self.runs == 2:
                self.power_on()
            return super()._infer(fields)

    with (
        Resets(input_bytes=500) as device,
        patient(device.port) as client,
        pytest.raises(DeviceError, match="the device counts 3 runs"),
    ):
        run_samples(client, samples)


def test_sample_of_another_program_makes_the_run_invalid() -> None:
    with FakeDevice() as device, patient(device.port) as client:

        def progress(done: int, total: int) -> None:
            if done == 10:
                client.infer(4_000_000, bytes(24))

        with pytest.raises(DeviceError, match="the device counts 21 runs"):
            run_samples(client, SAMPLES, progress)


def test_output_that_was_altered_makes_the_run_invalid() -> None:
    """A device that computes one thing and reports another: its CRC over inputs and outputs tells."""

    class Liar(FakeDevice):
        def _run(self, seq: int) -> dict[str, Any]:
            answer = super()._run(seq)
            if self.runs == 5:
                self.io_crc ^= 1
            return answer

    with Liar() as device, patient(device.port) as client, pytest.raises(DeviceError, match="is invalid"):
        run_samples(client, SAMPLES)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"crc": 1}, "CRC-32"),
        ({"len": 6}, "6 bytes for sample"),
        ({"len": 0xFFFF_FFFF}, "bytes for sample"),
        ({"seq": 77}, "sample 77"),
        ({"out": b"123456"}, "6 bytes, not 5"),
        ({"out": b""}, "no bytes at 0 of 5|CRC-32"),
        ({"cycles": None}, "missing"),
        ({"cycles": -1}, "cycles"),
        ({"out": "text"}, "out"),
    ],
)
def test_answers_to_infer_that_contradict(change: dict[str, Any], reason: str) -> None:
    class Odd(FakeDevice):
        def _infer(self, fields: dict[str, Any]) -> dict[str, Any]:
            answer = super()._infer(fields) | change
            return {key: value for key, value in answer.items() if value is not None}

        def _handle(self, group: int, command: int, op: int, fields: dict[str, Any]) -> dict[str, Any]:
            if (group, command) == (64, 2):
                return {"seq": fields["seq"], "off": fields["off"], "out": b""}
            return super()._handle(group, command, op, fields)

    with Odd() as device, quick(device.port) as client, ends_within(2), pytest.raises(FrameError, match=reason):
        client.infer(1, bytes(24))


@pytest.mark.parametrize("buffer_bytes", [0, 63, -5])
def test_buffer_too_small_to_be_of_use(buffer_bytes: int) -> None:
    with (
        FakeDevice(buffer_bytes=buffer_bytes) as device,
        quick(device.port) as client,
        pytest.raises(DeviceRefusedError, match="too small"),
    ):
        client.infer(1, bytes(24))

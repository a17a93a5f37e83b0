"""The bench firmware with a model on the virtual board and on QEMU: flash checks who answers, both count the same."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from smpclient.requests.os_management import EchoWrite

from leadwire.artifacts import FirmwareImage
from leadwire.bench import pattern_input
from leadwire.board import load_board
from leadwire.device.client import DeviceClient
from leadwire.device.framing import encode
from leadwire.device.target import Target
from leadwire.emulator import EmulatedBoard
from leadwire.emulator.elf import load_program
from leadwire.emulator.machine import Machine
from leadwire.emulator.usart import BURST_BYTES, SerialLine
from leadwire.errors import DeviceError, PortError, WrongDeviceError
from leadwire.flash import flash_image, tool
from leadwire.pipeline.alone import build_model, choose

INPUT_BYTES = 187
CRC32 = 0x61E23C25
"""Of the output for the pattern input: TensorFlow Lite Micro's, the reference models' own table."""


class Quiet:
    """A watcher that nobody reads."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


@pytest.fixture(scope="module")
def build(reference_models: Path, tmp_path_factory: pytest.TempPathFactory):
    """`build(board id)`: the image of the small ECG network; built once."""
    images: dict[str, FirmwareImage] = {}

    def build(board_id: str) -> FirmwareImage:
        if board_id not in images:
            images[board_id] = build_model(
                reference_models / "ecg_cnn_int8.tflite",
                choose(board_id, "aot", "zig"),
                tmp_path_factory.mktemp(board_id),
                Quiet(),
            ).image
        return images[board_id]

    return build


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tool.Started]:
    """What flash started, so that a test can see whether it was stopped."""
    seen: list[tool.Started] = []
    write = tool.write

    def record(module, job):
        seen.append(write(module, job))
        return seen[-1]

    monkeypatch.setattr(tool, "write", record)
    return seen


def is_gone(running: tool.Started) -> bool:
    return not Path(running.port).exists()


@pytest.mark.qemu
def test_both_emulators_compute_and_count_the_same(build):
    """QEMU's clock of 1 ns an instruction against the count of the virtual board, for one inference."""
    found = {}
    for board_id in ("virtual-stm32f405", "qemu-stm32f405"):
        board = load_board(board_id)
        with flash_image(build(board_id), Target(board=board)) as running, DeviceClient(running.port) as client:
            result = client.infer(1, pattern_input(INPUT_BYTES))
            assert zlib.crc32(result.output) == CRC32
            if running.counter_reads is not None:
                before, after = running.counter_reads()[-2:]
                found[board_id] = after.instructions - before.instructions
                assert after.count - before.count == result.cycles
            else:
                found[board_id] = result.cycles
    assert abs(found["virtual-stm32f405"] - found["qemu-stm32f405"]) <= 2


def test_counting_off_gives_the_same_bytes(build):
    board = load_board("virtual-stm32f405")
    with flash_image(build(board.id), Target(board=board)) as running, DeviceClient(running.port) as client:
        assert running.count_instructions is not None and running.counter_reads is not None
        running.count_instructions(False)
        running.counter_reads()
        assert zlib.crc32(client.infer(1, pattern_input(INPUT_BYTES)).output) == CRC32
        assert running.counter_reads() == ()
        running.count_instructions(True)
        assert zlib.crc32(client.infer(2, pattern_input(INPUT_BYTES)).output) == CRC32
        assert len(running.counter_reads()) == 2


@pytest.mark.parametrize("field", ["build_id", "model_digest"])
def test_another_build_or_model_is_refused_and_the_board_stopped(build, started, field):
    board = load_board("virtual-stm32f405")
    image = build(board.id)
    other = dataclasses.replace(image, **{field: "0" * len(getattr(image, field))})
    with pytest.raises(WrongDeviceError):
        flash_image(other, Target(board=board))
    assert is_gone(started[0])


def test_leaving_stops_the_board(build, started):
    board = load_board("virtual-stm32f405")
    with flash_image(build(board.id), Target(board=board)) as running:
        assert Path(running.port).exists()
    assert is_gone(started[0])


def test_board_that_dies_in_mid_run_is_a_named_error(build):
    board = load_board("virtual-stm32f405")
    emulated = EmulatedBoard(build(board.id).elf, board)
    with emulated, DeviceClient(emulated.port, timeout_s=0.5, run_timeout_s=0.5, attempts=2) as client:
        client.describe(boot_timeout_s=20)
        emulated._process.kill()
        with pytest.raises(DeviceError):
            client.infer(1, pattern_input(INPUT_BYTES))


def test_firmware_that_crashes_at_start_is_reported_by_flash(build, firmware, started):
    board = load_board("virtual-stm32f405")
    elf = firmware("faults", "READ_UNMAPPED")
    image = dataclasses.replace(build(board.id), elf=elf, digest=hashlib.sha256(elf.read_bytes()).hexdigest())
    with pytest.raises(DeviceError, match="read of 4 B at 0x60000000") as raised:
        flash_image(image, Target(board=board))
    assert not isinstance(raised.value, PortError)
    assert is_gone(started[0])


def test_reset_over_the_link(build):
    board = load_board("virtual-stm32f405")
    with EmulatedBoard(build(board.id).elf, board) as emulated, DeviceClient(emulated.port) as client:
        client.describe(boot_timeout_s=20)
        client.reset()
        client.describe(boot_timeout_s=20)
        assert emulated.state()["resets"] == 2


def test_the_marker_pin_is_high_while_an_inference_runs(build):
    board = load_board("virtual-stm32f405")
    with EmulatedBoard(build(board.id).elf, board) as emulated, DeviceClient(emulated.port) as client:
        client.describe(boot_timeout_s=20)
        emulated.marker_edges()
        cycles = [client.infer(number, pattern_input(INPUT_BYTES)).cycles for number in (1, 2)]
        before, *edges = emulated.marker_edges()
        assert [high for _, high in (before, *edges)] == [False, True, False, True, False]
        for (rise, _), (fall, _), counted in zip(edges[::2], edges[1::2], cycles, strict=True):
            assert counted <= fall - rise < counted + 400
        assert emulated.marker_edges() == (edges[-1],)


def test_a_burst_of_bytes_costs_one_interrupt(build):
    """Each step of the machine is a round trip through Unicorn: WFI, the interrupt that it masks, unmasking, return.
    Four for a burst, not one or more for each byte, and none for the system timer that is started before WFI."""
    sent = bytearray()
    machine = Machine(
        load_program(build("virtual-stm32f405").elf),
        clock_hz=168_000_000,
        line=SerialLine(sent.extend),
        wait=lambda seconds: time.sleep(min(seconds or 0.001, 0.001)),
    )

    def steps_until(done: Callable[[], bool]) -> int:
        for count in range(100_000):
            if done():
                return count
            machine.step()
        pytest.fail("the firmware does not answer")

    frame = encode(EchoWrite(d="x" * 400).BYTES)
    machine._line.incoming.extend(frame)
    steps_until(lambda: len(sent) >= len(frame))
    sent.clear()
    machine._line.incoming.extend(frame)
    assert steps_until(lambda: len(sent) >= len(frame)) <= 4 * math.ceil(len(frame) / BURST_BYTES)


def test_a_host_that_is_late_does_not_make_the_watchdog_bite(build, monkeypatch: pytest.MonkeyPatch):
    """Each sleep of the board, up to its system timer, takes a minute on this host; the watchdog waits for 2 s."""
    late, real = [0.0], time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: real() + late[0])
    asked: list[float | None] = []

    def wait(seconds: float | None) -> None:
        asked.append(seconds)
        late[0] += 60

    program = load_program(build("virtual-stm32f405").elf)
    machine = Machine(program, clock_hz=168_000_000, line=SerialLine(lambda _sent: None), wait=wait)
    for _ in range(10_000):
        machine.step()
        if len(asked) == 30:
            break
    assert len(asked) == 30 and 0.09 < max(seconds or 0 for seconds in asked) < 0.11
    assert machine.resets == 1

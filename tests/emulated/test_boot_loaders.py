"""Images written over the serial port into the emulated chip's flash: by leadwire's tools, and by clients of others.

The boot loaders are firmware of this repository; what talks to them is stm32flash, stm32loader, smpclient and smpmgr.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import operator
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial
from smpclient import SMPClient
from smpclient.requests.image_management import ImageStatesRead
from smpclient.requests.os_management import ResetWrite
from smpclient.transport.serial import SMPSerialTransport
from tests.unit.build.conftest import projects_in
from tests.unit.firmware.conftest import A, B, tiny_model

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board, load_board, with_unique_id
from leadwire.build import build_image
from leadwire.build.bootloader import IN_SYSTEM_MEMORY, build_bootloader
from leadwire.device.client import DeviceClient
from leadwire.device.recovery import RecoveryClient
from leadwire.device.target import Target
from leadwire.emulator import Chip, EmulatedBoard
from leadwire.emulator import stm32f405 as chip
from leadwire.errors import BadInputError, DeviceError, WrongDeviceError
from leadwire.flash import flash_image, mcuboot, tool
from leadwire.flash.contents import Contents

BY_ROM, BY_RECOVERY = "virtual-stm32f405", "virtual-stm32f405-mcuboot"
LOADER = {BY_ROM: "an3155", BY_RECOVERY: "mcuboot"}
UNIQUE_ID = chip.UNIQUE_ID.hex()
SLOT = 0x20000
SMPMGR = shutil.which("smpmgr") or next(
    (str(path) for path in [Path(sys.prefix) / "clients" / "bin" / "smpmgr"] if path.exists()), None
)
DATA = bytes((i * 37 + 11) & 0xFF for i in range(A + B))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FirmwareImage]:
    """The bench firmware with a tiny model, for a board; built once."""

    @functools.cache
    def build(board_id: str) -> FirmwareImage:
        folder = tmp_path_factory.mktemp(board_id)
        board = load_board(board_id)
        return build_image(projects_in(folder)(board), board, out=folder)

    return build


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The boot loader of a board, with a line eight times as fast: a pseudo-terminal does not mind."""

    @functools.cache
    def build(board_id: str, name: str) -> Path:
        board = load_board(board_id)
        quick = dataclasses.replace(board, link=dataclasses.replace(board.link, baud=921_600))
        return build_bootloader(name, quick, tmp_path_factory.mktemp("loader"))

    return build


@pytest.fixture
def power(loader: Callable[[str, str], Path], tmp_path: Path) -> Iterator[Callable[..., EmulatedBoard]]:
    """`power(board id)`: the board switched on, its flash in tmp_path/flash.bin; `cut` says after how many operations
    the supply fails, `by` which boot loader it has."""
    on: list[EmulatedBoard] = []

    def switch(board_id: str, cut: int = 0, board: Board | None = None, by: str = "") -> EmulatedBoard:
        for running in on:
            running.stop()
        name = by or LOADER[board_id]
        state = Chip(flash=tmp_path / "flash.bin", boot0=name in IN_SYSTEM_MEMORY, power_cut_after=cut)
        on.append(EmulatedBoard(loader(board_id, name), board or load_board(board_id), state))
        return on[-1]

    yield switch
    for running in on:
        running.stop()


def target(board_id: str, port: str, tool_name: str = "", unique_id: str = UNIQUE_ID) -> Target:
    return Target(board=load_board(board_id), port=port, tool=tool_name, unique_id=unique_id)


def cells(tmp_path: Path, image: FirmwareImage, board_id: str) -> bytes:
    """What the chip's flash holds where the image lies."""
    contents = Contents.of(image.elf, load_board(board_id))
    start = contents.address - chip.FLASH_ORIGIN
    return (tmp_path / "flash.bin").read_bytes()[start : start + contents.size_bytes]


def holding(tmp_path: Path, image: FirmwareImage, board_id: str) -> None:
    """The chip's flash as it is when the image has been written before, and nothing else."""
    contents = Contents.of(image.elf, load_board(board_id))
    data = wrapped(image, tmp_path) if board_id == BY_RECOVERY else contents.data
    start = SLOT if board_id == BY_RECOVERY else contents.address - chip.FLASH_ORIGIN
    (tmp_path / "flash.bin").write_bytes((b"\xff" * start + data).ljust(chip.FLASH_BYTES, b"\xff"))


def runs(port: str, image: FirmwareImage) -> None:
    """The board answers as this image, and computes what the model's second implementation computes."""
    with DeviceClient(port) as client:
        assert client.expect(image).unique_id == UNIQUE_ID
        assert client.infer(1, DATA).output == tiny_model(DATA)


ROUTES = [
    (BY_ROM, "stm32loader"),
    pytest.param(BY_ROM, "stm32flash", marks=pytest.mark.stm32flash),
    (BY_RECOVERY, "mcuboot"),
]


@pytest.mark.requirement("LW-FLA-001")
@pytest.mark.parametrize(("board_id", "name"), ROUTES)
def test_leadwire_writes_verifies_and_starts(image, power, tmp_path, board_id, name):
    board, built = power(board_id), image(board_id)
    contents = Contents.of(built.elf, load_board(board_id))
    with flash_image(built, target(board_id, board.port, name)) as running:
        assert running.flashed is not None
        assert (running.flashed.known_by, running.flashed.unique_id) == ("tool", UNIQUE_ID)
        assert running.flashed.read_back_digest == running.flashed.contents_digest == contents.digest()
    assert cells(tmp_path, built, board_id) == contents.data
    runs(board.port, built)


@pytest.mark.requirement("LW-FLA-001")
@pytest.mark.parametrize(("board_id", "name"), ROUTES)
def test_another_chip_is_not_written(image, power, tmp_path, board_id, name):
    board = power(board_id)
    before = (tmp_path / "flash.bin").read_bytes()
    with pytest.raises(WrongDeviceError, match="another unique id"):
        flash_image(image(board_id), target(board_id, board.port, name, "00" * 12))
    assert (tmp_path / "flash.bin").read_bytes() == before


@pytest.mark.requirement("LW-FLA-001")
def test_running_firmware_makes_way_but_another_chips_is_not_even_restarted(image, power, tmp_path):
    built = image(BY_ROM)
    holding(tmp_path, built, BY_ROM)
    board = power(BY_ROM)
    job = tool.Job(image=built, target=target(BY_ROM, board.port, "stm32loader"), folder=tmp_path)
    tool.run(tool.load(job.target), job)
    runs(board.port, built)
    resets = board.state()["resets"]
    with pytest.raises(WrongDeviceError):
        flash_image(built, target(BY_ROM, board.port, "stm32loader", "00" * 12))
    assert board.state()["resets"] == resets
    flash_image(built, target(BY_ROM, board.port, "stm32loader"))
    assert board.state()["resets"] == resets + 1
    runs(board.port, built)


# ---------------------------------------------------------------------------------------------- clients of others


@pytest.mark.stm32flash
def test_stm32flash_alone(image, power, tmp_path):
    built, board = image(BY_ROM), power(BY_ROM)
    contents = Contents.of(built.elf, load_board(BY_ROM))
    file = contents.save("bin", tmp_path / "image.bin")
    command = ["stm32flash", "-m", "8n1", "-b", "115200", "-w", str(file), "-v", "-g", "0x08000000", board.port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-800:] + done.stderr
    assert "Device ID    : 0x0413 (STM32F40xxx/41xxx)" in done.stdout and "Wrote and verified" in done.stdout
    assert cells(tmp_path, built, BY_ROM) == contents.data
    runs(board.port, built)


def wrapped(image: FirmwareImage, tmp_path: Path) -> bytes:
    where = target(BY_RECOVERY, "none")
    return mcuboot.image_of(tool.Job(image=image, target=where, folder=tmp_path)).data


@pytest.mark.bossac
def test_bossac_alone(image, power, tmp_path):
    """It takes the chip for an Arduino Zero's, whose boot loader's protocol ours speaks."""
    built, board = image(BY_ROM), power(BY_ROM, by="samba")
    file = tmp_path / "image.bin"
    file.write_bytes(Contents.of(built.elf, load_board(BY_ROM)).data)
    command = ["bossac", f"--port={board.port}", "--erase", "--write", "--verify", "--reset", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "Verify successful" in done.stdout, done.stdout + done.stderr
    assert cells(tmp_path, built, BY_ROM) == file.read_bytes()
    runs(board.port, built)


@pytest.mark.bossac
@pytest.mark.requirement("LW-FLA-001")
def test_leadwire_by_bossac_after_a_power_cut(image, power, tmp_path, monkeypatch):
    """bossac asks a dead port for ever: it is ended after the time that a flash tool has, here a short one."""
    built = image(BY_ROM)
    holding(tmp_path, built, BY_ROM)
    board = power(BY_ROM, cut=2, by="samba")
    with monkeypatch.context() as patch, pytest.raises(DeviceError, match="did not end within 15 s"):
        patch.setattr("leadwire.flash.tool.LONGEST_RUN_SECONDS", 15.0)
        flash_image(built, target(BY_ROM, board.port, "bossac", unique_id=""))
    with pytest.raises(DeviceError, match="emulator ended"):
        board.check()
    board = power(BY_ROM, by="samba")
    with flash_image(built, target(BY_ROM, board.port, "bossac", unique_id="")) as running:
        assert running.flashed is not None and running.flashed.unique_id == UNIQUE_ID
    runs(board.port, built)


def test_smpclient_alone(image, power, tmp_path):
    """Its own transport, its own way to cut an image into pieces."""
    built, board = image(BY_RECOVERY), power(BY_RECOVERY)
    data = wrapped(built, tmp_path)

    async def upload() -> str:
        async with SMPClient(SMPSerialTransport(), board.port, timeout_s=20) as client:
            async for _ in client.upload(data):
                pass
            states = await client.request(ImageStatesRead())
            await client.request(ResetWrite())
        return states.images[0].hash.hex()

    assert asyncio.run(upload()) == data[-32:].hex()
    runs(board.port, built)


@pytest.mark.skipif(SMPMGR is None, reason="needs smpmgr: make clients")
def test_smpmgr_alone(image, power, tmp_path):
    built, board = image(BY_RECOVERY), power(BY_RECOVERY)
    file = tmp_path / "image.signed.bin"
    file.write_bytes(wrapped(built, tmp_path))
    assert SMPMGR is not None
    for what in (["image", "upload", str(file)], ["image", "state-read"], ["os", "reset"]):
        done = subprocess.run(
            [SMPMGR, "--port", board.port, "--timeout", "20", *what], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if "state-read" in what:
            assert file.read_bytes()[-32:].hex().upper() in done.stdout.replace("\n", "").replace(" ", "")
    runs(board.port, built)


def test_imgtool_finds_the_image_right(image, tmp_path):
    file = tmp_path / "image.bin"
    data = wrapped(image(BY_RECOVERY), tmp_path)
    for flipped in (None, 700):
        file.write_bytes(data if flipped is None else data[:flipped] + bytes([data[flipped] ^ 1]) + data[flipped + 1 :])
        done = subprocess.run(
            [str(Path(sys.executable).parent / "imgtool"), "verify", str(file)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ("correctly validated" in done.stdout) == (flipped is None), done.stdout + done.stderr


# ---------------------------------------------------------------------------------------------- the supply fails


@pytest.mark.parametrize(
    ("board_id", "name", "cut"),
    [
        (BY_ROM, "stm32loader", 1),  # while the first sector is erased
        (BY_RECOVERY, "mcuboot", 1),
        (BY_RECOVERY, "mcuboot", 2),  # in the header's magic number
    ],
)
def test_after_a_power_cut_the_board_can_be_flashed_again(image, power, tmp_path, board_id, name, cut):
    built = image(board_id)
    holding(tmp_path, built, board_id)
    board = power(board_id, cut=cut)
    with pytest.raises(DeviceError):
        flash_image(built, target(board_id, board.port, name))
    with pytest.raises(DeviceError, match="emulator ended"):
        board.check()
    board = power(board_id)
    if board_id == BY_RECOVERY:
        with RecoveryClient(board.port) as recovery:
            assert recovery.images() == (), "half an image is no image"
    flash_image(built, target(board_id, board.port, name))
    runs(board.port, built)


@pytest.mark.parametrize(("board_id", "name"), [ROUTES[0], ROUTES[2]])
def test_killed_in_mid_flash(image, power, tmp_path, board_id, name):
    """kill -9 of the board while bytes arrive, at a moment that nobody chose."""
    built, board = image(board_id), power(board_id)
    contents = Contents.of(built.elf, load_board(board_id))
    ended: list[DeviceError] = []

    def write() -> None:
        try:
            flash_image(built, target(board_id, board.port, name))
        except DeviceError as error:
            ended.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + 60
    while cells(tmp_path, built, board_id)[2000:2004] != contents.data[2000:2004]:
        assert time.monotonic() < deadline and writer.is_alive()
        time.sleep(0.01)
    os.kill(board._process.pid, signal.SIGKILL)
    writer.join(60)
    assert not writer.is_alive() and len(ended) == 1
    assert cells(tmp_path, built, board_id) != contents.data, "killed in the middle"
    board = power(board_id)
    flash_image(built, target(board_id, board.port, name))
    runs(board.port, built)


def test_a_host_that_goes_away_leaves_the_loader_usable(image, power, tmp_path):
    board = power(BY_ROM)
    with serial.serial_for_url(board.port, timeout=5) as port:
        port.write(b"\x7f")
        assert port.read(1) == b"\x79"
        port.write(b"\x31\xce")
        assert port.read(1) == b"\x79"
        port.write(b"\x08\x00")  # half an address, then nothing
    time.sleep(2.5)
    assert named(image(BY_ROM), board.port, tmp_path) == UNIQUE_ID


def named(image: FirmwareImage, port: str, folder: Path) -> str | None:
    """The chip's number as its boot loader gives it."""
    job = tool.Job(image=image, target=target(BY_ROM, port, "stm32loader"), folder=folder)
    return tool.identify(tool.load(job.target), job)


# ---------------------------------------------------------------------------------------------- what is sent is hostile


def checked(data: bytes, seed: int = 0) -> bytes:
    return data + bytes([functools.reduce(operator.xor, data, seed)])


WRONG_REQUESTS: list[tuple[list[bytes], str]] = [
    ([b"\x11\x11"], "a command whose complement is wrong"),
    ([b"\x63\x9c"], "a command that is not offered"),
    ([b"\x11\xee", b"\x08\x00\x00\x00\x09"], "an address with a wrong checksum"),
    ([b"\x11\xee", checked(b"\x40\x00\x00\x00")], "reading where peripherals are"),
    ([b"\x11\xee", checked(b"\x08\x0f\xff\xf0"), b"\x10\xef"], "reading past the end of the flash"),
    ([b"\x31\xce", checked(b"\x1f\xff\x00\x00")], "writing over the loader"),
    ([b"\x31\xce", checked(b"\x20\x00\x00\x10")], "writing into the loader's own RAM"),
    ([b"\x31\xce", checked(b"\x08\x00\x00\x00"), b"\x00\x12\x13"], "data with a wrong checksum"),
    ([b"\x31\xce", checked(b"\x08\x0f\xff\xff"), checked(b"\x01\x00\x00")], "writing past the end of the flash"),
    ([b"\x44\xbb", checked(b"\x00\x00\x00\x0c")], "a sector that does not exist"),
    ([b"\x44\xbb", b"\xff\xff\x01"], "erase everything, with a wrong checksum"),
    ([b"\x44\xbb", b"\xff\xfe\x01"], "an erasure that this chip does not have"),
    ([b"\x21\xde", checked(b"\x20\x00\x00\x00")], "starting the loader's own RAM"),
]


def test_wrong_requests_are_refused_and_change_nothing(power, tmp_path):
    board = power(BY_ROM)
    with serial.serial_for_url(board.port, timeout=5) as port:
        port.write(b"\x7f")
        assert port.read(1) == b"\x79"
        for steps, why in WRONG_REQUESTS:
            for step in steps[:-1]:
                port.write(step)
                assert port.read(1) == b"\x79", why
            port.write(steps[-1])
            assert port.read(1) == b"\x1f", why
            port.write(b"\x02\xfd")
            assert port.read(5) == b"\x79\x01\x04\x13\x79", f"awake as before, after {why}"
    assert set((tmp_path / "flash.bin").read_bytes()) == {0xFF}


def test_noise_does_not_wake_or_stop_the_loader(power, tmp_path):
    board = power(BY_ROM)
    noise = random.Random(1).randbytes(400).replace(b"\x7f", b"").replace(b"\x44", b"").replace(b"\x31", b"")
    with serial.serial_for_url(board.port, timeout=5) as port:
        port.write(noise)
        time.sleep(0.3)
        assert port.in_waiting == 0, "it says nothing before 0x7f"
        port.write(b"\x7f" + noise)
        time.sleep(2.5)
        port.reset_input_buffer()
        port.write(b"\x02\xfd")
        assert port.read(5) == b"\x79\x01\x04\x13\x79"
    assert set((tmp_path / "flash.bin").read_bytes()) == {0xFF}


def header(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {  # more of it in tests/fuzz/test_boot_loaders.py
    "a bit of the program": lambda data: header(data, 3000, bytes([data[3000] ^ 0x10])),
    "another magic number": lambda data: header(data, 0, b"\0"),
    "a program longer than the slot": lambda data: header(data, 12, b"\xff\xff\xff\xff"),
    "nothing but zeros": lambda data: bytes(len(data)),
}


def test_a_broken_image_stays_in_recovery(image, power, tmp_path):
    data = wrapped(image(BY_RECOVERY), tmp_path)
    flash = tmp_path / "flash.bin"
    for what, damage in DAMAGE.items():
        broken = damage(data)
        assert broken != data
        flash.write_bytes((b"\xff" * SLOT + broken).ljust(chip.FLASH_BYTES, b"\xff"))
        with RecoveryClient(power(BY_RECOVERY).port) as recovery:
            assert recovery.images() == (), what
            assert recovery.unique_id() == chip.UNIQUE_ID
    flash.write_bytes((b"\xff" * SLOT + data).ljust(chip.FLASH_BYTES, b"\xff"))
    runs(power(BY_RECOVERY).port, image(BY_RECOVERY))


def test_running_firmware_is_reset_into_recovery(image, power, tmp_path):
    """Also where nobody has asked the firmware who it is."""
    holding(tmp_path, image(BY_RECOVERY), BY_RECOVERY)
    board = power(BY_RECOVERY)
    runs(board.port, image(BY_RECOVERY))
    with RecoveryClient(board.port) as recovery:
        recovery.enter()
        assert len(recovery.images()) == 1
    assert board.state()["resets"] == 2


def test_uploads_that_cannot_be(power, tmp_path):
    with RecoveryClient(power(BY_RECOVERY).port) as recovery:
        with pytest.raises(DeviceError, match="image upload"):
            recovery.upload(bytes(chip.FLASH_BYTES), bytes(32))
        assert recovery.images() == ()
        recovery.upload(bytes(1001), bytes(32))
        assert recovery.images() == ()
    assert (tmp_path / "flash.bin").read_bytes()[SLOT : SLOT + 1001] == bytes(1001)


def test_boot_loaders_are_for_boards_that_have_one(tmp_path):
    for name, board in (("an3155", "qemu-mps2-an386"), ("absent", BY_ROM), ("mcuboot", "nrf52840dk")):
        with pytest.raises(BadInputError, match="there is no boot loader"):
            build_bootloader(name, load_board(board), tmp_path)


def test_each_emulated_chip_has_its_own_number(image, power, tmp_path):
    own = "a1" * 12
    board = power(BY_ROM, board=with_unique_id(load_board(BY_ROM), own))
    assert named(image(BY_ROM), board.port, tmp_path) == own


# ---------------------------------------------------------------------------------------------- command line


def test_emulate_with_a_boot_loader(tmp_path):
    command = [
        sys.executable,
        "-m",
        "leadwire",
        "emulate",
        "--board",
        BY_RECOVERY,
        "--boot-loader",
        "mcuboot",
        "--json",
    ]
    emulator = subprocess.Popen([*command, "--flash-file", str(tmp_path / "flash.bin")], stdout=subprocess.PIPE)
    try:
        assert emulator.stdout is not None
        port = json.loads(emulator.stdout.readline())["port"]
        with RecoveryClient(port) as recovery:
            assert recovery.images() == ()
    finally:
        emulator.send_signal(signal.SIGINT)
        assert emulator.wait(20) == 0
    assert (tmp_path / "flash.bin").stat().st_size == chip.FLASH_BYTES


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "either an image or a boot loader"),
        (["image.elf", "--boot-loader", "an3155"], "either an image or a boot loader"),
        (["--boot-loader", "absent"], "no boot loader 'absent'"),
        (["--boot-loader", "an3155", "--board", "qemu-mps2-an386"], "no boot loader 'an3155' for board"),
        (["--boot-loader", "mcuboot", "--flash-file", "."], "Is a directory"),
    ],
)
def test_emulate_refuses(tmp_path, arguments, why):
    done = subprocess.run(
        [sys.executable, "-m", "leadwire", "emulate", *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and why in done.stderr, done.stderr

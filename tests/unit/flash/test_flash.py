"""flash_image finds its tool by name, checks what it flashed, and leaves nothing running when something is wrong."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import serial.tools.list_ports
from fake_device import FakeDevice

import leadwire.flash
from flash_example import image_of, small_elf
from leadwire.artifacts import FirmwareImage
from leadwire.board import Board, Emulation, load_board
from leadwire.device.target import Target
from leadwire.errors import BadInputError, DeviceError, FileMissingError, PortError, WrongBoardError, WrongDeviceError
from leadwire.flash import flash_image, tool


@pytest.fixture
def image(tmp_path: Path) -> FirmwareImage:
    path = tmp_path / "image.elf"
    path.write_bytes(small_elf(0x0800_0000))
    return image_of(path, "bench")


@pytest.fixture
def board() -> Board:
    """A real board whose tool is a file the test writes."""
    return dataclasses.replace(load_board("virtual-stm32f405"), id="bench", flash_tool="test_probe", emulation=None)


@pytest.fixture
def probe(tools_folder):
    """`probe("python code")`: a flash tool in a folder of its own that runs this code."""

    def write(code: str, program: str = sys.executable) -> None:
        (tools_folder / "test_probe.py").write_text(
            f"def argv(job):\n    return ({program!r}, '-c', {code!r}, str(job.file('elf')), job.target.port)\n"
        )

    return write


def test_tools_are_the_files_of_the_package():
    folder = Path(leadwire.flash.__file__).parent
    assert set(tool.tools()) == {path.stem for path in folder.glob("*.py")} - {"__init__", "tool"}
    assert {"unicorn", "qemu", "host"} <= set(tool.tools())


@pytest.mark.parametrize("name", tool.tools())
def test_every_tool_has_exactly_one_way(name):
    module = __import__(f"leadwire.flash.{name}", fromlist=["x"])
    assert sum(hasattr(module, way) for way in ("argv", "write", "start")) == 1


def test_a_program_is_given_image_and_port(image, board, probe, tmp_path):
    record = tmp_path / "record"
    probe(f"import sys; open({str(record)!r}, 'w').write(' '.join(sys.argv[1:]))")
    target = Target(board=board, port="/dev/ttyTEST")
    job = tool.Job(image=image, target=target, folder=tmp_path)
    assert tool.write(tool.load(target), job).port == "/dev/ttyTEST"
    assert record.read_text() == f"{image.elf} /dev/ttyTEST"


def test_a_program_that_fails(image, board, probe):
    probe("import sys; print('no probe found'); sys.exit(3)")
    with pytest.raises(DeviceError, match=r"exit code 3\n  no probe found"):
        flash_image(image, Target(board=board, port="/dev/ttyTEST"))


def test_a_program_that_is_not_installed(image, board, probe):
    probe("", program="no-such-flash-tool")
    with pytest.raises(DeviceError, match="is not installed: there is no program 'no-such-flash-tool'"):
        flash_image(image, Target(board=board, port="/dev/ttyTEST"))


def test_a_program_that_never_ends(image, board, probe, monkeypatch):
    monkeypatch.setattr(tool, "LONGEST_RUN_SECONDS", 0.3)
    probe("import time; time.sleep(60)")
    with pytest.raises(DeviceError, match=r"did not end within 0\.3 s"):
        flash_image(image, Target(board=board, port="/dev/ttyTEST"))


def test_a_real_board_needs_a_port(image, board, probe):
    probe("")
    with pytest.raises(BadInputError, match="needs a serial port"):
        flash_image(image, Target(board=board))


def test_a_port_that_does_not_exist(image, board, probe):
    probe("")
    with pytest.raises(DeviceError, match="/dev/ttyNONE"):
        flash_image(image, Target(board=board, port="/dev/ttyNONE"))


def test_unknown_tool(image, board):
    with pytest.raises(BadInputError, match="flash tool 'absent'"):
        flash_image(image, Target(board=dataclasses.replace(board, flash_tool="absent")))


def test_image_of_another_board(image):
    with pytest.raises(BadInputError, match="built for board 'bench', not for 'host'"):
        flash_image(image, Target(board=load_board("host")))


def test_image_that_changed_since_it_was_built(image, board):
    image.elf.write_bytes(b"something else")
    with pytest.raises(BadInputError, match="not the file that was built"):
        flash_image(image, Target(board=board))
    image.elf.unlink()
    with pytest.raises(FileMissingError):
        flash_image(image, Target(board=board))


def test_host_has_nothing_to_start_or_ask(image):
    with flash_image(dataclasses.replace(image, board_id="host"), Target(board=load_board("host"))) as running:
        assert running.port == "" and running.counter_reads is None and running.count_instructions is None


def test_an_image_that_is_no_program(image):
    board = load_board("virtual-stm32f405")
    image.elf.write_bytes(b"not really an ELF")
    image = image_of(image.elf, board.id)
    with pytest.raises(BadInputError, match="not a valid ELF"):
        flash_image(dataclasses.replace(image, board_id=board.id), Target(board=board))


def test_emulated_board_for_the_wrong_engine(image):
    board = dataclasses.replace(
        load_board("virtual-stm32f405"), flash_tool="qemu", id="bench", emulation=Emulation(engine="unicorn")
    )
    with pytest.raises(BadInputError, match="not one QEMU runs"):
        flash_image(image, Target(board=board))


# ---------------------------------------------------------------------------------------------- the wrong board


@pytest.fixture
def tools_folder(tmp_path, monkeypatch):
    """A folder of flash tools besides the package's own."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setattr(leadwire.flash, "__path__", [*leadwire.flash.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "leadwire.flash.test_probe", raising=False)
    yield folder
    sys.modules.pop("leadwire.flash.test_probe", None)


@pytest.fixture
def chip(tmp_path, tools_folder):
    """`chip(unique_id)`: a flash tool that reads this id and notes whether it wrote."""
    written = tmp_path / "written"

    def write(unique_id: bytes | None) -> Path:
        (tools_folder / "test_probe.py").write_text(
            "from pathlib import Path\n"
            f"def write(job):\n    Path({str(written)!r}).touch()\n"
            f"def identify(job):\n    return {unique_id!r}\n"
        )
        return written

    return write


@pytest.mark.requirement("LW-FLA-001")
def test_another_chip_is_not_written(image, board, chip):
    written = chip(bytes(12))
    with pytest.raises(WrongDeviceError, match="another unique id: found 000000000000000000000000, expected 01"):
        flash_image(image, Target(board=board, port="/dev/ttyTEST", unique_id="01" * 12))
    assert not written.exists()


@pytest.mark.requirement("LW-FLA-001")
def test_a_board_that_nothing_can_tell_from_others_is_not_written(image, board, chip):
    written = chip(None)
    with pytest.raises(DeviceError, match="was not written: it is expected to be 0101"):
        flash_image(image, Target(board=board, port="/dev/ttyNONE", unique_id="0101"))
    assert not written.exists()


@pytest.mark.requirement("LW-FLA-001")
def test_the_running_firmware_tells_where_the_tool_cannot(image, board, chip):
    written = chip(None)
    with FakeDevice() as device, pytest.raises(WrongDeviceError, match="another unique id"):
        flash_image(image, Target(board=board, port=device.port, unique_id="ff" * 12))
    assert not written.exists()


def test_a_usb_location_where_nothing_is_plugged_in(image, board, chip):
    written = chip(None)
    with pytest.raises(PortError, match="no serial port is plugged in there"):
        flash_image(image, Target(board=board, usb_location="99-9.9"))
    assert not written.exists()


@dataclasses.dataclass
class PluggedIn:
    device: str
    location: str | None


@pytest.fixture
def plugged(monkeypatch):
    """What the operating system says of serial ports, as it would with these adapters plugged in."""
    ports = [
        PluggedIn("/dev/ttyACM0", "1-1.4:1.1"),
        PluggedIn("/dev/ttyACM1", "1-1.4:1.3"),
        PluggedIn("/dev/ttyUSB0", "1-2"),
        PluggedIn("/dev/ttyS0", None),
    ]
    monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: ports)


@pytest.mark.requirement("LW-FLA-001")
@pytest.mark.parametrize(
    ("location", "port", "error", "message"),
    [
        ("1-2", "/dev/ttyACM0", WrongBoardError, "another USB location: found none of /dev/ttyUSB0, expected 1-2"),
        ("1-1", "", PortError, "no serial port is plugged in there"),
        ("1-1.4", "", BadInputError, "has 2 serial ports: /dev/ttyACM0, /dev/ttyACM1"),
    ],
)
def test_a_usb_location_that_is_not_the_boards(image, board, chip, plugged, location, port, error, message):
    written = chip(None)
    with pytest.raises(error, match=message):
        flash_image(image, Target(board=board, port=port, usb_location=location))
    assert not written.exists()


@pytest.mark.parametrize(("location", "port"), [("1-2", ""), ("1-1.4", "/dev/ttyACM1")])
def test_a_usb_location_gives_the_port(image, board, chip, plugged, location, port):
    written = chip(None)
    with pytest.raises(PortError, match=port or "/dev/ttyUSB0"):  # which does not exist here, and is asked afterwards
        flash_image(image, Target(board=board, port=port, usb_location=location, unique_id="01"))
    assert written.exists(), "the location is enough to know the board by"


def test_what_the_tool_reads_back_must_be_the_image(image, board, tools_folder):
    (tools_folder / "test_probe.py").write_text(
        "def write(job):\n    pass\ndef read_back(job):\n    return job.contents.data[:10] + bytes(2)\n"
    )
    with pytest.raises(DeviceError, match=r"30 of 40 B differ, the first at 0x0800000a"):
        flash_image(image, Target(board=board, port="/dev/ttyTEST"))


@pytest.mark.parametrize("wrong", ["0", "XY", "0A", "0x01", " 01"])
def test_a_unique_id_that_is_no_number(board, wrong):
    with pytest.raises(BadInputError, match="is not a chip's number"):
        Target(board=board, unique_id=wrong)


def test_an_argument_that_the_tool_does_not_have(image, board, chip):
    chip(None)
    board = dataclasses.replace(board, flash={"test_probe": {"sped": "1"}})
    with pytest.raises(BadInputError, match="has no argument 'sped'"):
        flash_image(image, Target(board=board, port="/dev/ttyTEST"))

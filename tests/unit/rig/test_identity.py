"""The identity lock: adapters as the operating system tells them, and firmware on a pseudo-terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_device import FakeDevice

from leadwire.device.port import UsbPort
from leadwire.errors import ConfigError, PortError, WrongBoardError
from leadwire.rig import enroll, identity, locks
from leadwire.rig.file import Rig, RigBoard, RunSettings, load_rig
from leadwire.rig.presence import look
from rig_example import rig_text

UID = "010203"
"""Of the fake device."""
ONE = UsbPort(device="/dev/ttyACM0", vendor_id=1, product_id=2, serial="AA", location="1-1:1.0", description="x")
TWO = UsbPort(device="/dev/ttyACM1", vendor_id=1, product_id=2, serial="BB", location="1-2:1.0", description="x")
ALSO_ONE = UsbPort(device="/dev/ttyACM5", vendor_id=1, product_id=2, serial="AA", location="1-1:1.2", description="x")


@pytest.fixture
def board_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEADWIRE_LOCKS", str(tmp_path / "locks"))
    (tmp_path / "real.toml").write_text(
        'inherits = "stm32f405"\nid = "virtual-stm32f405"\nname = "A board on the desk"\nflash_tool = "qemu"\n'
    )

    def board_of(*lines: str) -> RigBoard:
        path = tmp_path / "of.toml"
        path.write_text(rig_text("\n".join(('name = "desk"', 'board = "real.toml"', *lines))))
        return load_rig(path).boards[0]

    return board_of


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch):
    """`plug(ONE, TWO)`: what is plugged into this machine."""

    def plug(*ports: UsbPort) -> None:
        monkeypatch.setattr(identity, "usb_ports", lambda: ports)
        monkeypatch.setattr(enroll, "usb_ports", lambda: ports)

    return plug


def see(board: RigBoard):
    rig = Rig(path=Path("rig.toml"), name="rig", output=Path("out"), run=RunSettings(), boards=(board,))
    return look(rig, (board,))[0]


@pytest.mark.parametrize(
    ("lines", "device"),
    [
        (['usb_serial = "AA"'], "/dev/ttyACM0"),
        (['usb_serial = "BB"', 'usb_location = "1-2"'], "/dev/ttyACM1"),
        (['usb_location = "1-2:1.0"'], "/dev/ttyACM1"),
    ],
)
def test_a_board_is_found_by_its_adapter(board_of, plug, lines: list[str], device: str) -> None:
    plug(ONE, TWO)
    assert identity.locate(board_of(*lines)).port == device


@pytest.mark.requirement("LW-FLA-001")
@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['usb_serial = "BB"', 'usb_location = "1-1"'], "another usb_serial: found AA, expected BB"),
        (['usb_serial = "AA"', 'usb_location = "1-9"'], "another usb_location: found 1-1:1.0, expected 1-9"),
        (['port = "/dev/null"', 'usb_serial = "AA"'], "another usb_serial: found none, expected AA"),
        (['port = "/dev/null"', 'usb_location = "1-1"'], "another usb_location: found none, expected 1-1"),
    ],
)
def test_another_adapter_is_another_board(board_of, plug, lines: list[str], told: str) -> None:
    plug(ONE, TWO)
    with pytest.raises(WrongBoardError, match=told) as caught:
        identity.locate(board_of(*lines))
    assert "nothing was written" in caught.value.message
    assert "leadwire rig enroll" in caught.value.hint


def test_absent_and_ambiguous_boards(board_of, plug) -> None:
    plug(ONE)
    with pytest.raises(PortError, match="not plugged in") as caught:
        identity.locate(board_of('usb_serial = "BB"'))
    assert "AA at 1-1:1.0" in caught.value.hint
    with pytest.raises(PortError, match="is not there"):
        identity.locate(board_of('port = "/dev/ttyNONE"'))
    plug(ONE, ALSO_ONE)
    with pytest.raises(PortError, match="has 2 serial ports"):
        identity.locate(board_of('usb_serial = "AA"'))


@pytest.mark.requirement("LW-FLA-001")
def test_firmware_with_another_unique_id_is_another_board(board_of) -> None:
    with FakeDevice() as device:
        board = board_of(f'port = "{device.port}"', 'unique_id = "010204"')
        place = identity.locate(board)
        with pytest.raises(WrongBoardError, match="unique id: found 010203, expected 010204; nothing was written"):
            identity.check(board, place, identity.ask(place.port, 115200))
        asked = {(group, command) for group, command, _ in device.requests}
    assert asked == {(64, 0)}, "only describe was asked"


def test_without_a_unique_id_the_kind_of_board_counts(board_of) -> None:
    with FakeDevice(describe={"board": "another-kind"}) as device:
        info = identity.ask(device.port, 115200)
        unnamed, named = (board_of(f'port = "{device.port}"', *uid) for uid in ([], [f'unique_id = "{UID}"']))
        with pytest.raises(WrongBoardError, match="another board: found another-kind, expected virtual-stm32f405"):
            identity.check(unnamed, identity.locate(unnamed), info)
        assert identity.check(named, identity.locate(named), info).unique_id == UID


def test_a_board_that_says_nothing_is_nobody(board_of) -> None:
    with FakeDevice(deaf=True) as device:
        seen = see(board_of(f'port = "{device.port}"', f'unique_id = "{UID}"'))
        assert (seen.state, seen.usable, seen.identity.unique_id) == ("silent", True, "")


def test_what_is_present(board_of) -> None:
    with FakeDevice() as device:
        for uid, state in ((UID, "ready"), ("ff", "wrong")):
            board = board_of(f'port = "{device.port}"', f'unique_id = "{uid}"')
            assert see(board).state == state
        held = locks.take(board.stable_keys(), "the night run")
        seen = see(board)
        assert seen.state == "busy"
        assert "the night run" in seen.note
        locks.release(held)
    gone = see(board_of('port = "/dev/ttyNONE"'))
    assert (gone.state, gone.usable) == ("absent", False)


def test_enrolled_boards_make_a_rig_file(tmp_path: Path, plug) -> None:
    plug()
    path = tmp_path / "rig.toml"
    with FakeDevice() as device:
        found = enroll.look_around(port=device.port, name="desk")
        assert enroll.write_entries(path, found) == ("desk",)
        (board,) = load_rig(path).boards
        assert (board.entry.unique_id, board.entry.port, board.board.id) == (UID, device.port, "virtual-stm32f405")
        before = path.read_bytes()
        with pytest.raises(ConfigError, match="2 boards have"):
            enroll.write_entries(path, found)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["rig.toml"]


def test_a_named_port_that_does_not_answer_is_no_board(plug, tmp_path: Path) -> None:
    plug(ONE)
    with pytest.raises(PortError, match="nope"):
        enroll.look_around(port=str(tmp_path / "nope"))
    with FakeDevice(deaf=True) as mute:
        with pytest.raises(PortError, match="no bench firmware answers") as caught:
            enroll.look_around(port=mute.port)
        assert "--board" in caught.value.hint and "--port" not in caught.value.hint
        (found,) = enroll.look_around(port=mute.port, board="qemu-stm32f405")
    assert found.board_id == "qemu-stm32f405" and found.note


def test_usb_adapters_are_enrolled_by_serial_and_location(plug) -> None:
    plug(ONE)
    (found,) = enroll.look_around(board="qemu-stm32f405")
    assert 'usb_serial = "AA"' in found.entry
    assert 'usb_location = "1-1:1.0"' in found.entry
    assert "unique_id" not in found.entry
    assert found.note

"""rig.toml: what it means, and every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadwire.errors import BadInputError, ConfigError, FileMissingError
from leadwire.rig.file import DEFAULT_RETRY, DEFAULT_TIMEOUTS, load_rig
from rig_example import emulated, rig_text

REAL = 'board = "real.toml"'
REAL_BOARD = """
inherits = "stm32f405"
id = "desk"
name = "A board on the desk"
flash_tool = "qemu"
"""


@pytest.fixture
def load(tmp_path: Path):
    (tmp_path / "real.toml").write_text(REAL_BOARD)

    def load(*boards: str, top: str = ""):
        path = tmp_path / "rig.toml"
        path.write_text(rig_text(*boards, top=top))
        return load_rig(path)

    return load


def test_defaults_are_filled_from_the_rig_and_then_from_leadwire(load) -> None:
    rig = load(
        f'name = "a"\n{REAL}\nport = "/dev/ttyACM0"\nretry = {{attempts = 5}}\ntimeouts = {{flash_s = 7.0}}',
        f'name = "b"\n{REAL}\nusb_serial = "066D"\nbaud = 9600\nflash_tool = "host"\nflash = {{key = "value"}}',
        top='name = "night"\n[timeouts]\nbench_s = 9.0\n[retry]\nwait_s = 0.5\n',
    )
    one, other = rig.boards
    assert (one.timeouts.flash_s, one.timeouts.bench_s) == (7.0, 9.0)
    assert one.timeout_s("lock") == DEFAULT_TIMEOUTS.lock_s
    assert (one.retry.attempts, one.retry.wait_s, one.retry.power_cycle) == (5, 0.5, True)
    assert other.retry.attempts == DEFAULT_RETRY.attempts
    assert (other.board.link.baud, other.board.flash_tool, other.entry.flash["key"]) == (9600, "host", "value")
    assert rig.output == rig.path.parent / "rig-out"
    assert [board.emulated for board in rig.boards] == [False, False]


def test_an_emulated_board_answers_the_id_of_its_entry(load) -> None:
    (board,) = load(*emulated(1)).boards
    assert board.board.emulation is not None
    assert board.board.emulation.unique_id == board.entry.unique_id
    assert not board.entry.plugged


def test_hooks_are_taken_from_the_files_folder(load, tmp_path: Path) -> None:
    hook = tmp_path / "cycle.sh"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    (board,) = load(f'name = "a"\n{REAL}\nport = "/dev/ttyACM0"\npower_cycle = ["./cycle.sh", "3"]').boards
    assert board.power_cycle == (str(tmp_path / "cycle.sh"), "3")


def test_only_some_boards_are_chosen(load) -> None:
    rig = load(*emulated(3))
    assert [board.name for board in rig.only(("emu-1",))] == ["emu-1"]
    assert len(rig.only(())) == 3
    with pytest.raises(BadInputError, match="no board 'nobody'"):
        rig.only(("nobody",))


def test_a_link_and_its_device_are_one_port(load, tmp_path: Path) -> None:
    (tmp_path / "ttyX").write_text("")
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyX")
    with pytest.raises(ConfigError, match=r"port: 2 boards have .*ttyX': 'a', 'b'"):
        load(*(f'name = "{n}"\n{REAL}\nport = "{tmp_path / p}"' for n, p in (("a", "ttyX"), ("b", "by-id"))))


@pytest.mark.requirement("LW-FLA-001")
@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("port", "/dev/ttyACM0", "/dev/../dev/ttyACM0"),
        ("port", "socket://Host:1", "socket://host:1"),
        ("unique_id", "AB01", "ab01"),
        ("probe_serial", "066D", "066D"),
        ("usb_serial", "066D", "066D"),
    ],
)
def test_two_entries_for_one_board_are_a_mistake(load, key: str, one: str, other: str) -> None:
    ports = ("", "") if key in ("port", "usb_serial") else ('\nport = "/dev/ttyA"', '\nport = "/dev/ttyB"')
    with pytest.raises(ConfigError, match=f"{key}.*: 2 boards have"):
        load(*(f'name = "{n}"\n{REAL}\n{key} = "{v}"{p}' for n, v, p in zip("ab", (one, other), ports, strict=True)))


def test_all_mistakes_at_once(load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            f'name = "a"\n{REAL}',
            'name = "a"\nboard = "no-such-board"\nport = "ttyACM0"',
            'name = "c"\nboard = "host"\nport = "http://there"\npower_cycle = ["no-such-program-anywhere"]',
            'name = "d"\nboard = "qemu-stm32f405"\nunique_id = "00"',
            'name = "e"\nboard = "virtual-stm32f405"\nunique_id = "01"',
        )
    text = "\n".join(caught.value.mistakes)
    for part in (
        "name: 2 boards have 'a'",
        "board[0] 'a': port, usb_serial or usb_location: one is needed",
        "board[1] 'a': port: a device path",
        "board[1] 'a': board: board 'no-such-board' is not known",
        "board[2] 'c': port: 'socket://host:port'",
        "board[2] 'c': power_cycle: there is no program 'no-such-program-anywhere'",
        "board[2] 'c': board: 'host' is this computer",
        "board[3] 'd': unique_id: QEMU's machines have none",
        "board[4] 'e': board: unique id '01' cannot be given",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("prot = 1", "prot: unknown key"),
        ('unique_id = "xyz"', "unique_id"),
        ('unique_id = "abc"', "unique_id"),
        ("baud = 0", "baud"),
        ('baud = "9600"', "baud"),
        ("retry = {attempts = 0}", "retry.attempts"),
        ("retry = {attempts = 1000}", "retry.attempts"),
        ("timeouts = {flash_s = -1.0}", "timeouts.flash_s"),
        ("timeouts = {flashh_s = 1.0}", "timeouts.flashh_s"),
        ('power_cycle = "sh -c reboot"', "power_cycle"),
        ('flash_tool = "../x"', "flash_tool"),
        ('usb_serial = "\\n"', "usb_serial"),
    ],
)
def test_a_mistake_is_named_by_its_key(load, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f'name = "a"\n{REAL}\nport = "/dev/ttyACM0"\n{line}')
    assert any(told in mistake for mistake in caught.value.mistakes), caught.value.mistakes


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", "a b", "x" * 65])
def test_names_are_file_names(load, name: str) -> None:
    with pytest.raises(ConfigError, match=r"board\[0\]\.name"):
        load(f'name = "{name}"\n{REAL}\nport = "/dev/ttyACM0"')


def test_a_rig_without_boards_or_file(load, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="board: missing"):
        load(top='name = "empty"\n')
    with pytest.raises(FileMissingError):
        load_rig(tmp_path / "nowhere.toml")

"""One board file per mistake: each is named, and several at once are all named."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadwire.board import load_board
from leadwire.errors import ConfigError

GOOD = """
id = "mine"
name = "Mine"
vendor = "V"
mcu = "M"
core = "cortex-m4f"
clock_hz = 168000000
port = "stm32f4"
flash_tool = "unicorn"
[[memory]]
name = "flash"
kind = "flash"
origin = 0x08000000
size_bytes = 1048576
[[memory]]
name = "sram"
kind = "ram"
origin = 0x20000000
size_bytes = 131072
[budget]
flash_bytes = 262144
ram_bytes = 65536
"""
SECOND = '[[memory]]\nname = "more"\nkind = "ram"\norigin = {origin:#x}\nsize_bytes = {size}\n[budget]'


def mistakes(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_board(path)
    assert caught.value.exit_code == 2
    return caught.value.mistakes


def test_the_good_file_is_good(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_board(path).id == "mine"


@pytest.mark.parametrize(("old", "new", "said"), [
    ('id = "mine"', 'id = "../x"', "id: "),
    ('id = "mine"', "", "id: missing"),
    ('vendor = "V"', 'vendor = "V"\ncolour = "red"', "colour: unknown key"),
    ('core = "cortex-m4f"', 'core = "cortex-m99"', "core: one of"),
    ("clock_hz = 168000000", "clock_hz = 0", "clock_hz: larger than 0"),
    ("clock_hz = 168000000", 'clock_hz = "fast"', "clock_hz: "),
    ("clock_hz = 168000000", "clock_hz = 10000000001", "clock_hz: larger than 0, at most"),
    ("clock_hz = 168000000", "clock_hz = 9223372036854775808", "clock_hz: an integer of more than 64 bits"),
    ("clock_hz = 168000000", "clock_hz = 1" + 5000 * "0", "not valid TOML"),
    ("clock_hz = 168000000", "clock_hz = 0x1" + 6000 * "0", "clock_hz: an integer of more than 64 bits"),
    ("size_bytes = 131072", "size_bytes = -9223372036854775809", "memory[1].size_bytes: an integer of more than"),
    ("origin = 0x20000000", "origin = " + 5000 * "[", "not valid TOML"),
    ('port = "stm32f4"', 'port = "z80"', "port: there is no folder 'z80'"),
    ('port = "stm32f4"', 'port = "../app"', "port: there is no folder"),
    ('flash_tool = "unicorn"', 'flash_tool = "magic"', "flash_tool: there is no module"),
    ('port = "stm32f4"', "", "port: without one, 'ecosystems'"),
    ('port = "stm32f4"', 'ecosystems.zephyr = "a b"', "ecosystems.zephyr: a board's name"),
    ('port = "stm32f4"', "ecosystems.zephyr = 3", "ecosystems.zephyr: "),
    ('port = "stm32f4"', 'ecosystems.mbed = "x"', "ecosystems: there are no packages for 'mbed'"),
    ('port = "stm32f4"', 'ecosystems."../ports" = "x"', "ecosystems: there are no packages for '../ports'"),
    ('flash_tool = "unicorn"', 'flash_tool = "../host"', "flash_tool: there is no module"),
    ('flash_tool = "unicorn"', 'flash_tool = "tool"', "flash_tool: there is no module"),
    ('flash_tool = "unicorn"', 'flash_tool = "unicorn"\nflash.magic = {}', "flash.magic: there is no module"),
    ('flash_tool = "unicorn"', 'flash_tool = "unicorn"\nflash.pyocd.target = "a\\nb"', "flash.pyocd.target: printable"),
    ('flash_tool = "unicorn"', 'flash_tool = "unicorn"\nflash.pyocd.target = 1', "flash.pyocd.target: "),
    ('flash_tool = "unicorn"', 'flash_tool = "unicorn"\nflash = 1', "flash: "),
    ("[budget]", '[[usb]]\nvid = 65536\npid = 1\nwhat = "x"\n[budget]', "usb[0].vid: from 1 to 0xffff"),
    ("[budget]", "[[usb]]\nvid = 6\npid = 1\n[budget]", "usb[0].what: missing"),
    ("[budget]", '[[power]]\nmode = "run"\n[budget]', "power[0]: exactly one of"),
    ("[budget]", '[[power]]\nmode = "fast"\ncurrent_ua = 1.0\n[budget]', "power[0].mode: "),
    ("[budget]", '[[power]]\nmode = "run"\npower_uw = 1.0\nclock_hz = 0\n[budget]', "power[0]: figures are larger"),
    ('kind = "ram"', 'kind = "ram"\nwait_states = -1', "memory 'sram': wait_states not negative"),
    ('kind = "ram"', 'kind = "ram"\ncoupled = "yes"', "memory[1].coupled"),
    ('kind = "ram"', 'kind = "rom"', "memory[1].kind"),
    ('kind = "ram"', 'kind = "flash"', "memory: no region of kind 'ram'"),
    ("size_bytes = 131072", "size_bytes = -1", "memory 'sram': size_bytes larger than 0"),
    ("size_bytes = 131072", "size_bytes = 131072\nsise = 1", "memory[1].sise: unknown key"),
    ("origin = 0x20000000", "origin = 0xffffff00", "memory 'sram': lies outside"),
    ("origin = 0x20000000", "origin = -4", "memory 'sram': lies outside"),
    ("origin = 0x20000000", "origin = 0x080fffff", "memory: 'flash' [0x08000000, 0x08100000) and 'sram' [0x080fffff"),
    ("[budget]", SECOND.format(origin=0x2001FFFF, size=16), "memory: 'sram' [0x20000000, 0x20020000) and 'more'"),
    ("[budget]", SECOND.format(origin=0x30000000, size=16).replace('"more"', '"sram"'), "two regions are named 'sram'"),
    ("[budget]", SECOND.format(origin=0x30000000, size=16).replace('"more"', '"a b"'), "memory 'a b': a name has"),
    ("ram_bytes = 65536", "ram_bytes = 131073", "budget.ram_bytes: 131073 of the 131072 bytes"),
    ("flash_bytes = 262144", "flash_bytes = 0", "budget.flash_bytes: larger than 0"),
    ("ram_bytes = 65536", "ram_bytes = 65536\n[link]\nbaud = 0", "link.baud"),
    ("ram_bytes = 65536", 'ram_bytes = 65536\n[link]\ntransport = "smoke"', "link.transport"),
    ("ram_bytes = 65536", 'ram_bytes = 65536\n[emulation]\nengine = "qemu"', "emulation.machine"),
    ("ram_bytes = 65536", 'ram_bytes = 65536\n[emulation]\nengine = "qemu"\nmachine = "a,b"', "emulation.machine"),
    ("ram_bytes = 65536", 'ram_bytes = 65536\n[emulation]\nengine = "unicorn"\nns_per_instruction = 0', "ns_per_instr"),
    ('id = "mine"', 'id = "mine"\nstack_bytes = 100', "stack_bytes: a multiple of 8 from 512 to 131072, found 100"),
    ('id = "mine"', 'id = "mine"\nstack_bytes = 131080', "stack_bytes: a multiple of 8 from 512"),
    ('id = "mine"', 'id = "mine"\nstack_bytes = 1028', "stack_bytes: a multiple of 8 from 512"),
    ('port = "stm32f4"', 'port = "."', "port: there is no folder '.'"),
    ('id = "mine"', 'id = "mine"\ninherits = "gone"', "inherits: there is no family"),
    ('id = "mine"', 'id = "mine"\ninherits = "../host"', "inherits: the name of a file"),
    ('id = "mine"', 'id = "mine"\ninherits = 3', "inherits: the name of a file"),
    ('id = "mine"', "id = ", "not valid TOML"),
])  # fmt: skip
def test_each_mistake_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    found = mistakes(tmp_path / "mine.toml", GOOD.replace(old, new, 1))
    assert any(said in line for line in found), found


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("cortex-m4f", "z80").replace("168000000", "-1").replace("131072", "0").replace("65536", "-5")
    assert len(mistakes(tmp_path / "mine.toml", text)) >= 4
    text = GOOD.replace('name = "Mine"', 'nam = "Mine"').replace("168000000", '"x"')
    assert len(mistakes(tmp_path / "mine.toml", text)) == 3

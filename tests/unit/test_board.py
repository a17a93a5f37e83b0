"""The boards that come with leadwire, and what a user's own board file may say."""

from __future__ import annotations

import importlib
from pathlib import Path

import jinja2
import pytest

from leadwire.board import CORES, Board, list_boards, load_board
from leadwire.build import cores
from leadwire.errors import BadInputError, FileMissingError, NoPortError
from leadwire.flash.tool import tools
from leadwire.generate.firmware import firmware_for
from leadwire.package import ecosystems
from leadwire.resources import BOARDS, FIRMWARE_TEMPLATES


@pytest.mark.parametrize("board_id", list_boards())
def test_every_board_file_loads_and_its_linker_script_renders(board_id: str) -> None:
    board = load_board(board_id)
    assert board.id == board_id
    assert board.budget.flash_bytes <= board.total_bytes("flash")
    assert board.budget.ram_bytes <= board.total_bytes("ram")
    assert board.source
    assert set(board.ecosystems) <= set(ecosystems())
    if board.core == "host" or not board.port:
        return
    assert board.core in cores.CORES
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    template = (FIRMWARE_TEMPLATES / "ports" / "linker.ld.j2").read_text()
    script = environment.from_string(template).render(board=board, fast="")
    ram = next(region for region in board.memory if region.kind == "ram")
    for region in board.memory:
        size = region.size_bytes - (16 if region is ram else 0)  # the note of a restart at its end
        assert f"ORIGIN = {region.origin:#010x}, LENGTH = {size}" in script


@pytest.mark.parametrize("board_id", list_boards())
def test_the_flash_arguments_of_every_board_are_those_that_its_tools_take(board_id: str) -> None:
    board = load_board(board_id)
    assert set(board.flash_tools) <= set(tools())
    for name in board.flash_tools:
        module = importlib.import_module(f"leadwire.flash.{name}")
        given = set(board.flash.get(name, {}))
        assert given <= set(getattr(module, "ARGUMENTS", {})), (name, given)
        assert set(getattr(module, "REQUIRED", ())) <= given, (name, given)


def test_there_are_real_boards_of_every_vendor_and_core() -> None:
    boards = [load_board(board_id) for board_id in list_boards()]
    real = [board for board in boards if board.emulation is None]
    assert len(real) >= 40
    assert {"STMicroelectronics", "Nordic Semiconductor", "Espressif", "Raspberry Pi", "NXP", "Renesas", "Silicon Labs",
            "Ambiq", "Texas Instruments", "Analog Devices", "Infineon", "Microchip", "Nuvoton"} <= {
        board.vendor for board in real}  # fmt: skip
    for board in real:
        first = next(region for region in board.memory if region.kind == "ram")
        assert board.budget.ram_bytes <= first.size_bytes, f"{board.id}: the arena lies in the first RAM region"
        assert board.flash or board.flash_tool in ("nrfutil", "picotool"), board.id


@pytest.mark.parametrize(
    "path", sorted([*BOARDS.glob("*.toml"), *BOARDS.glob("families/*.toml")]), ids=lambda p: p.stem
)
def test_no_line_of_a_board_file_is_too_long(path: Path) -> None:
    assert max(map(len, path.read_text().splitlines())) <= 120


def test_the_board_ids_that_tools_script_against_exist() -> None:
    assert {"virtual-stm32f405", "qemu-stm32f405", "qemu-mps2-an386", "host"} <= set(list_boards())
    assert {path.stem for path in BOARDS.glob("*.toml")} == set(list_boards())


def test_a_board_may_have_every_core_that_is_built_for() -> None:
    assert set(cores.CORES) < set(CORES)


def test_figures_of_emulated_boards_are_worth_that() -> None:
    assert [load_board(board).basis for board in ("virtual-stm32f405", "qemu-stm32f405", "host")] == [
        "emulated", "emulated", "measured"]  # fmt: skip


def test_a_family_gives_what_the_board_does_not_say(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(
        'inherits = "stm32f405"\nid = "mine"\nname = "Mine"\nflash_tool = "unicorn"\nclock_hz = 84000000\n'
        "[budget]\nram_bytes = 1000\n"
    )
    board, family = load_board(own), load_board("virtual-stm32f405")
    assert isinstance(board, Board)
    assert (board.id, board.clock_hz, board.budget.ram_bytes) == ("mine", 84_000_000, 1000)
    assert board.budget.flash_bytes == family.budget.flash_bytes
    assert (board.memory, board.core, board.emulation) == (family.memory, family.core, None)
    assert board.basis == "measured"


ZEPHYR_ONLY = """
id = "mine"
name = "Mine"
vendor = "V"
mcu = "M"
core = "cortex-m4f"
clock_hz = 64000000
flash_tool = "openocd"
memory = [
    { name = "flash", kind = "flash", origin = 0, size_bytes = 1048576 },
    { name = "sram", kind = "ram", origin = 0x20000000, size_bytes = 262144, coupled = "data", dma = false },
]
usb = [{ vid = 0x1366, pid = 0x1015, what = "J-Link" }]
power = [{ mode = "run", current_ua = 3300.0, supply_mv = 3000.0, clock_hz = 64000000 }]
ecosystems.zephyr = "nrf52840dk/nrf52840"
flash.openocd.config = "board/nordic_nrf52_dk.cfg"
flash.pyocd.target = "nrf52840"
budget = { flash_bytes = 1000, ram_bytes = 1000 }
"""


def test_a_board_without_a_port_names_its_ecosystem_and_says_so_when_an_image_is_wanted(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(ZEPHYR_ONLY)
    board = load_board(own)
    assert board.port == ""
    assert board.flash_tools == ("openocd", "pyocd")
    assert board.flash["pyocd"]["target"] == "nrf52840"
    assert (board.usb[0].vid, board.power[0].current_ua, board.memory[1].coupled) == (0x1366, 3300.0, "data")
    with pytest.raises(NoPortError, match="no bare-metal port") as caught:
        firmware_for(board)
    assert "leadwire package MODEL --for zephyr" in caught.value.hint
    assert "nrf52840dk/nrf52840" in caught.value.hint


def test_a_boards_own_flash_arguments_stand_beside_those_of_the_family(tmp_path: Path) -> None:
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "mine.toml").write_text(ZEPHYR_ONLY.replace('id = "mine"\nname = "Mine"\n', ""))
    own = tmp_path / "own.toml"
    own.write_text('inherits = "mine"\nid = "own"\nname = "Own"\nflash.pyocd.frequency = "1000000"\nflash.jlink = {}\n')
    board = load_board(own)
    assert board.flash["pyocd"] == {"target": "nrf52840", "frequency": "1000000"}
    assert board.flash_tools == ("openocd", "pyocd", "jlink")


def test_a_family_beside_the_board_file_comes_first(tmp_path: Path) -> None:
    (tmp_path / "families").mkdir()
    text = (BOARDS / "families" / "stm32f405.toml").read_text().replace('"STMicroelectronics"', '"Another"')
    (tmp_path / "families" / "stm32f405.toml").write_text(text)
    own = tmp_path / "mine.toml"
    own.write_text('inherits = "stm32f405"\nid = "mine"\nname = "Mine"\nflash_tool = "unicorn"\n')
    assert load_board(own).vendor == "Another"


def test_unknown_ids_name_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="'stm32f405' is not known") as caught:
        load_board("stm32f405")
    assert "virtual-stm32f405" in caught.value.hint
    assert "leadwire boards" in caught.value.hint
    with pytest.raises(FileMissingError):
        load_board(tmp_path / "gone.toml")
    with pytest.raises(BadInputError):
        load_board("../boards/host")

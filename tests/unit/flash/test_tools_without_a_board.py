"""The real programs, where this machine has them, with no board there: a DeviceError that says what to do."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from flash_example import boards, job_for
from leadwire.board import list_boards, load_board
from leadwire.device.target import Target
from leadwire.errors import BadInputError, DeviceError
from leadwire.flash import tool
from leadwire.pipeline.alone import choose
from leadwire.resources import ROOT

FLASHING = ROOT / "docs" / "manual" / "flashing.md"

REMEDIES = {
    "dfu_util": ("dfu-util", "plug in the board"),
    "openocd": ("openocd", ""),
    "stm32flash": ("stm32flash", "check cable"),
    "probe_rs": ("probe-rs", ""),
    "picotool": ("picotool", ""),
    "bossac": ("bossac", ""),
    "nrfutil": ("nrfutil", ""),
    "jlink": ("JLinkExe", ""),
}
LIBRARIES = {"pyocd": "plug in the board", "esptool": "check cable"}


@pytest.mark.parametrize("name", sorted(REMEDIES))
def test_a_program(name, tmp_path):
    program, remedy = REMEDIES[name]
    job = job_for(name, tmp_path)
    with pytest.raises(DeviceError) as caught:
        tool.write(tool.load(job.target), job)
    if shutil.which(program):
        assert f"flash tool '{name}' failed with exit code" in caught.value.message
        assert remedy in caught.value.hint
    else:
        assert f"flash tool '{name}' is not installed: there is no program '{program}'" in caught.value.message
        assert caught.value.hint == tool.load(job.target).INSTALL


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_a_python_program(name, tmp_path):
    job = job_for(name, tmp_path)
    with pytest.raises(DeviceError) as caught:
        tool.write(tool.load(job.target), job)
    if importlib.util.find_spec(name):
        assert f"flash tool '{name}' failed with exit code" in caught.value.message
        assert LIBRARIES[name] in caught.value.hint
    else:
        assert caught.value.message == f"flash tool '{name}' is not installed"
        assert "leadwire[flash]" in caught.value.hint


def test_a_wrong_tool_is_refused_before_anything_is_built():
    """It is the option's mistake, not the board file's."""
    with pytest.raises(BadInputError, match=r"^--tool names the flash tool 'nope', which does not exist"):
        choose("nucleo-f446re", "aot", "auto", tool="nope")
    unknown = Target(board=replace(load_board("nucleo-f446re"), flash_tool="nope"))
    with pytest.raises(BadInputError, match=r"^board 'nucleo-f446re' names the flash tool 'nope'"):
        tool.load(unknown)


def test_the_manual_counts_openocds_configuration_files():
    """As many boards as have a table for it, and those whose files OpenOCD 0.12.0 does not have."""
    scripts = Path("/usr/share/openocd/scripts")
    tables = [board.flash["openocd"] for board in map(load_board, list_boards()) if "openocd" in board.flash]
    stated = re.search(r"(\d+) of the (\d+) boards with a table for it", FLASHING.read_text().replace("\n", " "))
    assert stated and int(stated[2]) == len(tables)
    program = shutil.which("openocd")
    if program is None or not scripts.is_dir():
        pytest.skip("needs OpenOCD's scripts")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    if "0.12.0" not in told.stdout + told.stderr:
        pytest.skip("the manual is about OpenOCD 0.12.0")
    missing = [table for table in tables if not all((scripts / name).exists() for name in table["config"].split())]
    assert int(stated[1]) == len(missing)


@pytest.mark.parametrize("name", ["stm32loader", "mcuboot"])
def test_no_such_port(name, tmp_path):
    job = job_for(name, tmp_path)
    for step in (tool.write, tool.identify, tool.run):
        with pytest.raises(DeviceError, match="/dev/ttyTEST"):
            step(tool.load(job.target), job)


def test_every_board_gives_its_tools_what_they_need():
    """Names of tools and of their arguments, and those without which a tool cannot be used."""
    for board in boards():
        for name in board.flash_tools:
            assert tool.load(Target(board=board, port="/dev/ttyTEST", tool=name)), board.id

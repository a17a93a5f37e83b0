"""The real programs, where this machine has them, with no board there: a DeviceError that says what to do."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from flash_example import boards, job_for
from leadwire.device.target import Target
from leadwire.errors import DeviceError
from leadwire.flash import tool

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

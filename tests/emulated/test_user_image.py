"""A package's bench firmware, built by a toolchain call, port and linker script that are not leadwire's, down the whole
line: flashed, asked, measured, validated, reported, and in a rig."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from typer.testing import CliRunner

from leadwire import reference
from leadwire.artifacts import UserImage
from leadwire.board import load_board
from leadwire.build.bootloader import build_bootloader
from leadwire.cli import app
from leadwire.emulator import Chip, EmulatedBoard
from leadwire.errors import BadInputError, NoPortError, WrongDeviceError
from leadwire.pipeline.alone import bench_inputs, bench_model, choose, flash_model
from leadwire.pipeline.attach import bench_running
from leadwire.pipeline.sources import read_model
from leadwire.pipeline.watcher import Quiet
from rig_example import write_model
from user_image_example import build_user_image

BOARD = "virtual-stm32f405"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "small.tflite")


@pytest.fixture(scope="module")
def elf(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_user_image(model, load_board(BOARD), tmp_path_factory.mktemp("user"))


def leadwire(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "LEADWIRE_DATA"}
    done = subprocess.run(
        [sys.executable, "-m", "leadwire", *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_measured_with_the_witness_bytes_and_counted_instructions(model: Path, elf: Path) -> None:
    options = choose(BOARD, "aot", "auto", user_image=UserImage(elf=elf))
    result = bench_model(model, options, Quiet(), pattern=False, inputs=6, warmup=1)
    assert result.image_digest == hashlib.sha256(elf.read_bytes()).hexdigest()
    assert result.basis == "emulated" and result.constant_instructions is not None
    assert result.instructions_per_inference is not None and result.instructions_per_inference > result.macs
    assert result.flash_bytes is not None and result.ram_bytes is not None and result.stack_high_water_bytes > 0
    if reference.has_tflm():
        inputs = bench_inputs(read_model(model), pattern=False, count=6)
        rows = np.frombuffer(b"".join(inputs), np.int8).reshape(6, -1)
        pairs = b"".join(a + b.tobytes() for a, b in zip(inputs, reference.run_tflm(model, rows), strict=True))
        assert result.io_digest == hashlib.sha256(pairs).hexdigest()


def test_written_by_a_flash_tool_and_read_back(model: Path, elf: Path, tmp_path: Path) -> None:
    """Through the boot loader in ROM, into a chip that was blank; then measured where it runs, without flashing."""
    board = load_board(BOARD)
    quick = replace(board, link=replace(board.link, baud=921_600))
    state = Chip(flash=tmp_path / "flash.bin", boot0=True)
    user = UserImage(elf=elf)
    with EmulatedBoard(build_bootloader("an3155", quick, tmp_path / "loader"), board, state) as chip:
        options = choose(BOARD, "aot", "auto", chip.port, user_image=user, tool="stm32loader")
        done = flash_model(model, options, Quiet())
        assert done.flashed.read_back_digest == done.flashed.contents_digest != ""
        assert done.device.build_id and done.device.board_id == BOARD
        held = (tmp_path / "flash.bin").read_bytes()
        assert elf.read_bytes().count(b"leadwire bench 1\0") == held.count(b"leadwire bench 1\0") == 1
        at_work = choose(BOARD, "aot", "auto", chip.port, user_image=user)
        attached = bench_running(model, at_work, Quiet(), pattern=True, inputs=2, warmup=0)
        assert attached.image_digest == hashlib.sha256(elf.read_bytes()).hexdigest()
        unknown = bench_running(model, replace(at_work, user_image=None), Quiet(), pattern=True, inputs=2, warmup=0)
        assert (unknown.image_digest, unknown.flash_bytes) == ("", None)
        assert unknown.io_digest == attached.io_digest


def test_a_board_without_a_port_takes_an_image_and_the_emulator_stands_in(model: Path, tmp_path: Path) -> None:
    """A real board's file; what it is measured on is the emulator, and every figure says so."""
    real = load_board("nucleo-f401re")
    assert not real.port
    text = (Path(__file__).parents[2] / "boards" / "nucleo-f401re.toml").read_text()
    stand_in = tmp_path / "nucleo-f401re.toml"
    top, memory = text.split("[flash.openocd]", 1)
    stand_in.write_text(f'{top}flash_tool = "unicorn"\n[emulation]\nengine = "unicorn"\n[flash.openocd]{memory}')
    board = load_board(stand_in)
    elf = build_user_image(model, board, tmp_path)
    refused = refusal("bench", model, "--board", stand_in)
    assert isinstance(refused, NoPortError) and "--image" in refused.hint
    given = (str(model), "-b", str(stand_in), "--image", str(elf), "--json")
    found = json.loads(CliRunner().invoke(app, ["bench", *given, "-n", "3"]).stdout)
    assert (found["board_id"], found["basis"]) == ("nucleo-f401re", "emulated")
    analysis = json.loads(CliRunner().invoke(app, ["analyze", *given]).stdout)
    assert analysis["basis"] == "linked" and analysis["fits"]
    assert [one["basis"] for one in analysis["budgets"]] == ["planned", "linked"]


def test_firmware_of_the_same_place_that_is_another_is_told(model: Path, elf: Path, tmp_path: Path) -> None:
    """The ELF is right, and the chip runs another build of another model: the link says so before anything counts."""
    other = write_model(tmp_path / "another.tflite")
    running = build_user_image(other, load_board(BOARD), tmp_path)
    with EmulatedBoard(running, load_board(BOARD)) as chip:
        options = choose(BOARD, "aot", "auto", chip.port, user_image=UserImage(elf=elf))
        with pytest.raises(WrongDeviceError, match="carries another"):
            bench_running(model, options, Quiet(), pattern=True, inputs=1, warmup=0)
    with pytest.raises(BadInputError, match="built from other sources"):
        flash_model(model, choose(BOARD, "aot", "auto", user_image=UserImage(elf=running)), Quiet())


def test_options_of_builds_do_not_go_with_an_image(model: Path, elf: Path) -> None:
    for more in (("--goal", "speed"), ("--toolchain", "zig")):
        assert "of images that leadwire builds" in refusal("bench", model, "--image", elf, *more).message
    assert "add --image" in refusal("bench", model, "--flash-file", elf).hint
    assert "one backend" in refusal("bench", model, "--image", elf, "--backend", "aot,tflm").message


def refusal(*arguments: str | Path) -> BadInputError:
    error = CliRunner().invoke(app, [*map(str, arguments)]).exception
    assert isinstance(error, BadInputError), error
    return error


# ---------------------------------------------------------------------------------------------- a whole project


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The example's project file with fewer beats on the device, and the ELF that a user built from its package."""
    folder = tmp_path_factory.mktemp("project")
    example = root / "examples" / "arrhythmia"
    text = (example / "leadwire.toml").read_text()
    (folder / "arrhythmia.keras").write_bytes((example / "arrhythmia.keras").read_bytes())
    path = folder / "leadwire.toml"
    path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:  # the package's model is the one that the commands below quantize
        patch.delenv("LEADWIRE_DATA", raising=False)
        return path, build_user_image(path, load_board(BOARD), folder)


@pytest.fixture(scope="module")
def reported(project: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    path, elf = project
    out = tmp_path_factory.mktemp("out")
    done = leadwire("run", path, "--image", elf, "--output", out, "--json")
    return out, json.loads(done.stdout)["boards"][0]


def test_the_image_stands_in_the_evidence_as_its_users(
    project: tuple[Path, Path], reported: tuple[Path, dict[str, Any]]
) -> None:
    out, board = reported
    elf = project[1]
    digest = hashlib.sha256(elf.read_bytes()).hexdigest()
    assert board["image"]["digest"] == digest == board["benchmark"]["image_digest"]
    assert board["image"]["package"] == "zephyr"
    assert board["validation"]["image_digest"] == digest and board["validation"]["verdict"] == "pass"
    assert board["validation"]["host_device"]["identical"] == board["validation"]["host_device"]["compared"] > 0
    assert [budget["basis"] for budget in board["budgets"]] == ["planned", "linked", "emulated"]
    evidence = json.loads((out / "evidence.json").read_text())["evidence"]
    assert evidence["image"]["digest"] == digest and "board's user" in evidence["image"]["toolchain"]
    verified = json.loads(leadwire("verify", board["bundle"]["path"], "--json").stdout)
    assert verified["verdict"] == "pass"
    page = (out / "report.html").read_text()
    assert "built by the board" in page and "zephyr package" in page


def test_a_second_run_touches_no_board_and_a_new_image_measures_again(
    project: tuple[Path, Path], reported: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    out, _ = reported
    path, elf = project
    again = leadwire("report", path, "--image", elf, "--output", out).stderr
    assert "flashing" not in again
    rebuilt = tmp_path / "rebuilt.elf"
    rebuilt.write_bytes(elf.read_bytes() + b"\0")
    lines = leadwire("bench", path, "--image", rebuilt, "--output", out).stderr.splitlines()
    ran = {line.split()[1] for line in lines if line.startswith("•") and "unchanged" not in line}
    assert {"take", "bench"} <= ran and "quantize" not in ran


def test_a_rig_validates_where_it_is_asked_to(project: tuple[Path, Path], tmp_path: Path) -> None:
    path, elf = project
    rig = tmp_path / "rig.toml"
    rig.write_text(
        f'[[board]]\nname = "asked"\nboard = "{BOARD}"\nimage = "{elf}"\nvalidate = true\n'
        f'[[board]]\nname = "not-asked"\nboard = "{BOARD}"\nimage = "{elf}"\nunique_id = "{7:024x}"\n'
    )
    report = json.loads(leadwire("rig", "run", rig, path, "-o", tmp_path / "out", "--json").stdout)
    asked, other = report["boards"]
    digest = hashlib.sha256(elf.read_bytes()).hexdigest()
    assert (asked["state"], other["state"]) == ("passed", "passed")
    assert asked["measured"]["validation"]["verdict"] == "pass"
    assert asked["measured"]["validation"]["image_digest"] == digest == asked["measured"]["benchmark"]["image_digest"]
    assert other["measured"]["validation"] is None
    kept = json.loads((tmp_path / "out" / "boards" / "asked.json").read_text())
    assert kept["measured"]["validation"]["verdict"] == "pass"
    cases = {
        suite.get("name"): {case.get("name"): case for case in suite.iter("testcase")}
        for suite in Xml.parse(tmp_path / "out" / "junit.xml").getroot().iter("testsuite")
    }
    assert list(cases["rig.asked"]["validate"]) == []
    assert [one.get("message") for one in cases["rig.not-asked"]["validate"]] == ["the rig file does not ask for it"]

"""The bench firmware of a package: what it holds, and what it says of itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evidence_example import example_evidence
from leadwire.artifacts import FirmwareProject, Percentiles
from leadwire.bench import check_times
from leadwire.board import load_board
from leadwire.cli import app
from leadwire.errors import BadInputError, DeviceError
from leadwire.package import FOLDERS, Publisher, bench_firmware, ecosystems, write_package
from leadwire.resources import FIRMWARE_TEMPLATES
from package_example import HOSTILE, hostile_model, project

BOARD = {"zephyr": "nucleo-f446re", "esp-idf": "esp32-s3-devkitc-1"}
APP = FIRMWARE_TEMPLATES / "app"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> FirmwareProject:
    return project(tmp_path_factory.mktemp("generated"))


@pytest.mark.parametrize("ecosystem", FOLDERS)
def test_the_app_comes_unchanged_and_the_build_names_every_source(
    ecosystem: str, generated: FirmwareProject, tmp_path: Path
) -> None:
    board = load_board(BOARD[ecosystem])
    package = write_package(generated, ecosystem, tmp_path, name=HOSTILE, board=board)
    folder = package.path / FOLDERS[ecosystem]
    copied = {path.name: path.read_bytes() for path in (folder / "app").iterdir()}
    assert {"main.c", "smp.c", "bench.c", "stream.c", "port.h", "ring.h"} <= copied.keys()
    assert all(data == (APP / name).read_bytes() for name, data in copied.items())
    [cmake] = [path for path in folder.rglob("CMakeLists.txt") if "app/main.c" in path.read_text()]
    named = re.findall(r"^ *\"?((?:\.\./)?(?:app|src)/\w+\.c|port\.c)\"?$", cmake.read_text(), flags=re.MULTILINE)
    assert {Path(path).name for path in named} == {name for name in copied if name.endswith(".c")} | {"port.c"}
    assert all((cmake.parent / path).is_file() for path in named)
    facts = json.loads((package.path / "leadwire-package.json").read_text())
    identity = re.findall(r"0x([0-9a-f]{2})", cmake.read_text())
    assert facts["bench"] == {"board": board.id, "build_id": "".join(identity)}
    assert json.dumps(f'LW_BOARD_ID="{board.id}"') in cmake.read_text()


@pytest.mark.parametrize("ecosystem", FOLDERS)
def test_the_port_gives_every_function_of_port_h(ecosystem: str) -> None:
    wanted = set(re.findall(r"\b(lw_port_\w+)\(.*\);$", (APP / "port.h").read_text(), flags=re.MULTILINE))
    [port] = (FIRMWARE_TEMPLATES / "packages" / ecosystem / FOLDERS[ecosystem]).rglob("port.c.j2")
    assert len(wanted) > 12
    assert wanted == set(re.findall(r"^\w[\w *]*\b(lw_port_\w+)\([^;]*\)$", port.read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("ecosystem", FOLDERS)
def test_the_build_id_is_of_sources_and_board_and_not_of_names(
    ecosystem: str, generated: FirmwareProject, tmp_path: Path
) -> None:
    board = load_board(BOARD[ecosystem])
    first = bench_firmware(ecosystem, generated, board).build_id
    assert re.fullmatch(r"[0-9a-f]{32}", first)
    publisher = Publisher(version="2.0.0", vendor="other")
    root = write_package(generated, ecosystem, tmp_path / "out", name="x", publisher=publisher, board=board).path
    assert json.loads((root / "leadwire-package.json").read_text())["bench"]["build_id"] == first
    assert bench_firmware(ecosystem, generated, load_board("rpi-pico")).build_id != first
    other = project(tmp_path / "other", "another name, which is in model.c")
    assert bench_firmware(ecosystem, other, board).build_id != first


def test_no_firmware_without_a_board_and_none_where_there_is_no_port(
    generated: FirmwareProject, tmp_path: Path
) -> None:
    board = load_board("nucleo-f446re")
    for ecosystem in ecosystems():
        package = write_package(generated, ecosystem, tmp_path / ecosystem, name="x")
        assert not [path for path, _ in package.files if "bench" in path]
        if ecosystem not in FOLDERS:
            with pytest.raises(BadInputError, match="has no bench firmware"):
                write_package(generated, ecosystem, tmp_path / "no", name="x", board=board)
    assert not (tmp_path / "no").exists()


def test_a_counter_that_jumps_back_gives_no_latency(tmp_path: Path) -> None:
    evidence, _ = example_evidence(tmp_path)
    jumped = Percentiles(p50=7_697.7, p95=15_977.5, p99=171_700_172.0, max=171_700_172.0)
    result = replace(evidence.bench, basis="measured", latency_us=jumped)
    with pytest.raises(DeviceError, match=r"171\.7 s for one inference of a run that took 2\.8 s"):
        check_times(result, 2.8)
    check_times(result, 172.0)
    check_times(replace(result, basis="emulated"), 2.8)


def test_attach_wants_a_port(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(hostile_model())
    without = CliRunner().invoke(app, ["bench", str(model), "--board", "nucleo-f446re", "--attach"])
    assert without.exit_code == 2 or isinstance(without.exception, BadInputError)

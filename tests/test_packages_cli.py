"""`leadwire package` on the command line: files and projects, JSON, what it refuses and how."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from leadwire.reference import has_tflm
from package_example import HOSTILE, ID, hostile_model, run

pytestmark = pytest.mark.skipif(not has_tflm(), reason="needs tflite-micro, the witness of the bytes")
PROJECT = """
name = "ward-7"
[model]
path = "m.tflite"
[dataset]
source = "synthetic-ecg"
[target]
boards = ["virtual-stm32f405"]
[validation]
protocol = "arrhythmia-synthetic"
"""


def package(folder: Path, *arguments: str, fails: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "leadwire", "package", *arguments, "--json"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == fails, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.tflite").write_bytes(hostile_model())
    (tmp_path / "leadwire.toml").write_text(PROJECT)
    return tmp_path


def test_a_file_with_a_hostile_name(folder: Path) -> None:
    name = HOSTILE.replace("/", "|")
    (folder / "m.tflite").rename(folder / f"{name}.tflite")
    made = package(folder, f"{name}.tflite", "--for", "cmake", "--out", "p")
    root = folder / made["path"]
    assert root == folder / "p" / f"leadwire_{ID}"
    assert made["evidence"] is None
    run("sha256sum", "--check", "--strict", "manifest.sha256", folder=root)
    for source in root.rglob("*.c"):
        run("gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", root / "model", "-I",
            root / "runtime", source)  # fmt: skip


def test_a_project_gives_its_name_and_labels(folder: Path) -> None:
    made = package(folder, "leadwire.toml", "--for", "zephyr", "--archive", "--package-version", "3.1.4")
    assert made["path"].endswith("leadwire_ward_7-3.1.4-zephyr.zip")
    assert (folder / made["path"]).is_file()
    loose = package(folder, "leadwire.toml", "--for", "zephyr", "--out", "p")
    assert "labels: N, S, V, F, Q" in (folder / loose["path"] / "model" / "model.h").read_text()
    assert loose["model_digest"] == made["model_digest"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("m.tflite", "--for", "mbed"), 2, "there are no packages for 'mbed'"),
        (("none.tflite", "--for", "cmake"), 2, "does not exist"),
        (("m.tflite", "--for", "cmake", "--backend", "onnx"), 2, "there is no backend 'onnx'"),
        (("leadwire.toml", "--for", "cmake", "--backend", "onnx"), 2, "there is no backend 'onnx'"),
        (("m.tflite", "--for", "cmake", "--package-version", "1"), 2, "MAJOR.MINOR.PATCH"),
        (("m.tflite", "--for", "cmake", "--evidence", "m.tflite"), 8, "does not verify"),
        (("m.tflite", "--for", "cmake", "--key", "k.pem"), 2, "without a bundle"),
        (("m.tflite", "--for", "cmake", "--out", "m.tflite"), 2, "cannot write the package"),
    ],
)
def test_refusals(folder: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    before = sorted(folder.iterdir())
    error = package(folder, *arguments, fails=code)["error"]
    assert says in error["message"]
    assert error["exit_code"] == code
    assert error["hint"]
    if "leadwire.toml" not in arguments:
        assert sorted(folder.iterdir()) == before


def test_a_truncated_model_is_an_error(folder: Path) -> None:
    (folder / "broken.tflite").write_bytes(hostile_model()[:200])
    assert package(folder, "broken.tflite", "--for", "arduino", fails=2)["error"]["exit_code"] == 2

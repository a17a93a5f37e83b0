"""The wheel holds code and data folders, and works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=root, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return next(out.glob("*.whl"))


def test_data_folders_are_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for wanted in (
        "leadwire/py.typed",
        "leadwire/_data/firmware_templates/runtime/leadwire.h",
        "leadwire/_data/boards/virtual-stm32f405.toml",
        "leadwire/_data/validation/requirements.toml",
        "leadwire/_data/examples/arrhythmia/leadwire.toml",
    ):
        assert wanted in names
    assert not [name for name in names if name.startswith(("tests/", "leadwire/tests")) or name.endswith(".dat")]


def test_the_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import leadwire, leadwire.resources as r; from leadwire.board import list_boards;"
        "print(leadwire.__file__); print(r.ROOT); print(*list_boards())"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    where, data, boards = done.stdout.splitlines()
    assert where.startswith(str(tmp_path))
    assert data.startswith(str(tmp_path))
    assert "virtual-stm32f405" in boards

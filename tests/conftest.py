"""Shared fixtures: where recordings and reference models lie, and which programs this machine has."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("LEADWIRE_DATA") or ROOT.parent / "shared" / "data")

NEEDS = {
    "qemu": ("qemu-system-arm",),
    "stm32flash": ("stm32flash",),
    "bossac": ("bossac",),
    "qemu_riscv": ("qemu-system-riscv32",),
    "arm_gcc": ("arm-none-eabi-gcc",),
    "browser": ("chromium", "chromium-browser", "google-chrome"),
}


def pytest_configure() -> None:
    """Programs that tests start have the signals of a terminal, also where this run was started in the background
    (nohup, '&' in a script), which leaves SIGINT and SIGHUP ignored: a handler, unlike that, is not inherited."""
    for name in ("SIGINT", "SIGHUP"):
        if signal.getsignal(signal.Signals[name]) == signal.SIG_IGN:
            signal.signal(signal.Signals[name], lambda number, frame: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what needs a program or data that this machine does not have."""
    for item in items:
        for marker, programs in NEEDS.items():
            if item.get_closest_marker(marker) and not any(map(shutil.which, programs)):
                item.add_marker(pytest.mark.skip(reason=f"needs {programs[0]}, which is not installed"))
        if item.get_closest_marker("realdata") and not (DATA / "mitdb").is_dir():
            item.add_marker(
                pytest.mark.skip(reason="needs recordings: set LEADWIRE_DATA to a folder that holds mitdb/")
            )


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder with mitdb/, models/ and ec57_oracle/; skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip("needs data: set LEADWIRE_DATA to a folder that holds mitdb/ and models/")
    return DATA


@pytest.fixture(scope="session")
def reference_models(data_folder: Path) -> Path:
    """Folder of the reference .tflite models; skips where it is absent."""
    if not (data_folder / "models").is_dir():
        pytest.skip("needs the reference models in LEADWIRE_DATA/models")
    return data_folder / "models"

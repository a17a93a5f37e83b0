"""The same line on MIT-BIH: calibrated on DS1, judged on all of DS2, 2,000 beats of it over the link."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.realdata, pytest.mark.xdist_group("ds2")]

DEVICE_BEATS = 2000


@pytest.fixture(scope="module")
def board(root: Path, data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("ds2")
    example = root / "examples" / "arrhythmia"
    text = (example / "leadwire.toml").read_text()
    text = text.replace('"arrhythmia.keras"', json.dumps(str(example / "arrhythmia.keras")))
    text = text.replace("device_beats = 0        # all of DS2 over the link", f"device_beats = {DEVICE_BEATS}\nstress = false")
    assert f"device_beats = {DEVICE_BEATS}" in text
    (folder / "leadwire.toml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "leadwire", "run", "leadwire.toml", "--json"],
        cwd=folder, env={**os.environ, "LEADWIRE_DATA": str(data_folder)}, capture_output=True, text=True, timeout=590,
        check=False,
    )  # fmt: skip
    assert done.returncode in (0, 7), done.stderr
    result: dict[str, Any] = json.loads(done.stdout)["boards"][0]
    return result


def statistic(board: dict[str, Any], runtime: str, kind: str, label: str) -> float:
    validation = board["validation"]
    metrics = next(one for one in validation["metrics"] if one["runtime"] == runtime)
    return float(metrics[kind][validation["labels"].index(label)]["estimate"])


def test_real_recordings_and_strangers_only(board: dict[str, Any]) -> None:
    validation = board["validation"]
    assert validation["dataset_basis"] == "real"
    assert validation["beats"] > 49_000
    assert validation["patients"] == 22
    assert len(board["quantized"]["calibration"]["patients"]) >= 15


def test_device_and_host_bytes_are_identical(board: dict[str, Any]) -> None:
    """2,000 beats over the link against TFLite and TFLite Micro; all of DS2 through the generated C."""
    identities = {tuple(one["runtimes"]): one for one in board["validation"]["identities"]}
    device = identities["tflm", "device"]
    assert device["compared"] == device["identical"] == DEVICE_BEATS
    generated = identities["tflm", "host_c"]
    assert generated["compared"] == generated["identical"] == board["validation"]["beats"]
    desktop = identities["tflite", "device"]
    assert desktop["compared"] == desktop["identical"] == DEVICE_BEATS


@pytest.mark.parametrize("runtime", ["float", "tflite", "host_c"])
def test_the_example_is_as_good_as_its_card_says(board: dict[str, Any], runtime: str) -> None:
    """VEB F1 >= 0.88 and SVEB sensitivity >= 0.60 on DS2, float and INT8."""
    sensitivity = statistic(board, runtime, "sensitivity", "V")
    predictivity = statistic(board, runtime, "positive_predictivity", "V")
    assert 2 * sensitivity * predictivity / (sensitivity + predictivity) >= 0.88
    assert statistic(board, runtime, "sensitivity", "S") >= 0.60


def test_quantization_costs_little(board: dict[str, Any]) -> None:
    for endpoint in board["validation"]["endpoints"]:
        assert abs(endpoint["loss"]["estimate"]) < endpoint["margin"], endpoint["endpoint"]
    assert board["validation"]["verdict"] == "pass"

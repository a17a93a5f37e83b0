"""The same line on MIT-BIH: calibrated on DS1, judged on all of DS2, 2,000 beats of it over the link."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.realdata

DEVICE_BEATS = 2000


@pytest.fixture(scope="module")
def board(root: Path, data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("ds2")
    example = root / "examples" / "arrhythmia"
    text = (example / "leadwire.toml").read_text()
    text = text.replace('"arrhythmia.keras"', json.dumps(str(example / "arrhythmia.keras")))
    shorter = f"device_beats = {DEVICE_BEATS}\nstress = false"
    text = text.replace("device_beats = 0        # all of DS2 over the link", shorter)
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


@pytest.mark.requirement("LW-EVD-007")
def test_all_of_ds2_verified_by_the_file_inside(board: dict[str, Any], root: Path, tmp_path: Path) -> None:
    """In an empty environment, by the verifier out of the bundle, all beats again in a minute; and by leadwire."""
    bundle = Path(board["bundle"]["path"])
    venv.create(tmp_path / "clean", with_pip=False)
    python = next(path for path in (tmp_path / "clean").glob("*/python*") if path.name in ("python", "python.exe"))
    with zipfile.ZipFile(bundle) as archive:
        (tmp_path / "verify.py").write_bytes(archive.read("verify.py"))
    start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [python, "-I", tmp_path / "verify.py", bundle, "--json"], capture_output=True, text=True, check=False
    )
    middle = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["figures_compared"] > 1000 and found["verdict"] == board["validation"]["verdict"]
    assert found["signature_checked_by"] == ["this file"]
    ours = subprocess.run(
        [sys.executable, "-m", "leadwire", "verify", bundle, "--recompute", "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    end = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert ours.returncode == 0, ours.stderr
    assert len(json.loads(ours.stdout)["derived"]) > 300
    assert middle - start < 60 and end - middle < 60


@pytest.mark.requirement("LW-EVD-001")
def test_two_hundred_random_bytes_of_ds2s_bundle(board: dict[str, Any], root: Path, tmp_path: Path) -> None:
    from leadwire.errors import EvidenceError
    from leadwire.evidence.bundle import verify_bundle

    spec = importlib.util.spec_from_file_location("bundle_verifier", root / "validation" / "verify.py")
    assert spec is not None and spec.loader is not None
    verifier = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(verifier)
    data, draw = Path(board["bundle"]["path"]).read_bytes(), random.Random(2)
    path = tmp_path / "altered.zip"
    for _ in range(200):
        altered = bytearray(data)
        altered[draw.randrange(len(data))] ^= draw.randrange(1, 256)
        path.write_bytes(altered)
        with pytest.raises(EvidenceError):
            verify_bundle(path)
        with pytest.raises(verifier.RefusedError):
            verifier.verify(bytes(altered), None, [])

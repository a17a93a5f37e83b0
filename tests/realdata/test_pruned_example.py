"""The bundled network at half of its multiply-accumulates: half of the instructions on the board, and at most a point
of macro F1 lost on DS2. Trains and judges for many minutes: LEADWIRE_COMPRESSION=1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "compression" / "prune.toml"


@pytest.mark.realdata
@pytest.mark.timeout(7200)
@pytest.mark.skipif(
    not os.environ.get("LEADWIRE_COMPRESSION") or not os.environ.get("LEADWIRE_DATA"),
    reason="trains for many minutes: set LEADWIRE_COMPRESSION=1 and LEADWIRE_DATA",
)
def test_half_of_the_network(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leadwire", "compress", str(EXAMPLE), "--output", str(tmp_path), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    start, channels, activations, weights = json.loads(done.stdout)["rows"]
    assert channels["macs"] <= 0.5 * start["macs"]
    assert channels["instructions"] <= 0.55 * start["instructions"]
    assert channels["loss"] <= 0.01
    assert activations["instructions"] <= channels["instructions"]
    assert weights["instructions"] == activations["instructions"]  # zeros are multiplied as other numbers are
    assert weights["tflite_bytes"] == activations["tflite_bytes"]
    assert weights["packed_bytes"] < 0.8 * activations["packed_bytes"]

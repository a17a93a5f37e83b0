"""A short soak of the emulated board: all kinds of faults, every answer checked; a longer one is `make soak`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from leadwire.device.faults import choose_faults
from leadwire.errors import BadInputError
from leadwire.pipeline.alone import choose
from leadwire.pipeline.soak import soak_model
from single_operator import Op, T, write_tflite


class Quiet:
    """A watcher that nobody reads."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "relu.tflite"
    tensors = [T(shape=(1, 96)), T(shape=(1, 96))]
    path.write_bytes(write_tflite(tensors, [Op(kind="RELU", inputs=(0,), outputs=(1,))], [0], [1]))
    return path


@pytest.mark.requirement("LW-LNK-002")
def test_a_storm_of_faults_costs_time_and_no_answer(model: Path) -> None:
    options = choose("virtual-stm32f405", "aot", "zig")
    storm = choose_faults("corrupt=2e-3,drop=1e-4,duplicate=1e-4,reset=1e-4,boot_noise=40")
    soak = soak_model(model, options, Quiet(), inferences=300, faults=storm, seed=5)
    assert (soak.wrong, soak.missing, soak.passed) == (0, 0, True)
    assert soak.line.inferences == 300
    assert soak.line.input_bytes == 300 * 96
    struck = dict(soak.line.struck)
    assert struck["corrupt"] > 30
    assert struck["reset"] > 0
    assert 1 < len(soak.epochs) <= 1 + struck["reset"]
    assert soak.clean.retries == 0
    assert soak.clean.of_bytes > 0.9


def test_the_verb_reports_as_json(model: Path) -> None:
    command = [sys.executable, "-m", "leadwire", "soak", str(model), "-n", "120", "--faults", "corrupt", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["inferences"], report["wrong"], report["missing"]) == (120, 0, 0)
    assert report["line"]["faults"] == "corrupt 0.001"
    assert len(report["io_digest"]) == 64


def test_the_host_has_no_line(model: Path) -> None:
    with pytest.raises(BadInputError, match="no line"):
        soak_model(model, choose("host", "aot", "zig"), Quiet(), inferences=1, faults=choose_faults(""), seed=1)

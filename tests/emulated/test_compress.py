"""`leadwire compress` as a user runs it: simulated patients, a step, the emulated board. About a minute."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(580)

RECIPE = """
name = "small"
output = "out"
[model]
path = {model}
[dataset]
source = "synthetic-ecg"
classes = ["N", "S", "V"]
[training]
epochs = 1
batch = 64
majority_per_epoch = 300
[[steps]]
kind = "few_levels"
levels = "four_bit"
"""


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "leadwire", "compress", str(folder / "recipe.toml"), *arguments],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def write(folder: Path, root: Path) -> None:
    model = json.dumps(str(root / "examples" / "arrhythmia" / "arrhythmia.keras"))
    (folder / "recipe.toml").write_text(RECIPE.replace("{model}", model))


@pytest.mark.requirement("LW-CMP-001")
def test_steps_on_the_board(root: Path, tmp_path: Path) -> None:
    write(tmp_path, root)
    code, told, progress = run(tmp_path, "--json")
    assert code == 0, progress
    result: dict[str, Any] = json.loads(told)
    assert result == json.loads((tmp_path / "out" / "compression.json").read_text())
    start, moved = result["rows"]
    assert (start["label"], moved["label"]) == ("start", "few_levels")
    assert start["loss"] == pytest.approx(start["float_f1"] - start["f1"])
    assert moved["loss"] == pytest.approx(start["float_f1"] - moved["f1"])
    assert moved["instructions"] > 100_000
    assert moved["flash_bytes"] < start["flash_bytes"]  # 4-bit weights are packed
    assert len(result["tune_patients"]) >= 1
    assert [one["label"] for one in moved["classes"]] == ["N", "S", "V"]
    step = json.loads((tmp_path / "out" / "steps" / "01-few_levels" / "step.json").read_text())
    assert step["digest"] == moved["model_digest"]

    # nothing is done twice
    code, again, progress = run(tmp_path, "--json")
    assert code == 0
    assert json.loads(again) == result
    assert progress.count("unchanged, skipped") == 3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('source = "synthetic-ecg"', 'source = "synthetic-ecg"\ntest_split = "train"', "are in both"),
        ('classes = ["N", "S", "V"]', 'classes = ["N", "W"]', "has no class W"),
        ("epochs = 1", "epochs = 1\nclass_factors = { N = 2.0, Zebra = 5.0 }", "has no class Zebra"),
        ("[training]", '[target]\nboard = "stm32f103-bluepill"\n[training]', "is not emulated"),
        ("epochs = 1", "epoch = 1", "training.epoch: unknown key"),
    ],
)
def test_a_recipe_that_cannot_be_run(old: str, new: str, words: str, root: Path, tmp_path: Path) -> None:
    write(tmp_path, root)
    text = (tmp_path / "recipe.toml").read_text()
    assert old in text
    (tmp_path / "recipe.toml").write_text(text.replace(old, new))
    code, told, error = run(tmp_path)
    assert code == 2, error
    assert told == ""
    assert words in error.replace("\n", " ")
    assert "Traceback" not in error
    assert not list(tmp_path.glob("out/steps/*/model.keras"))

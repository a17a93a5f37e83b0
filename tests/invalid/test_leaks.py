"""What a validation refuses before its first stage runs: strangers only, and data that the protocol can be asked of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leadwire.errors import ConfigError, DatasetError, LeadwireError, LeakError
from leadwire.pipeline import run_project
from leadwire.pipeline.watcher import Quiet
from leadwire.project import load_project

pytestmark = pytest.mark.requirement("LW-QNT-002")
PROJECT = """
name = "leaky"
[model]
path = "{model}"
[dataset]
source = "{source}"
{training}
[target]
boards = ["virtual-stm32f405"]
[validation]
protocol = "arrhythmia-synthetic"
"""


def refused(root: Path, folder: Path, training: str, source: str = "synthetic-ecg") -> LeadwireError:
    model = root / "examples" / "arrhythmia" / "arrhythmia.keras"
    path = folder / "leadwire.toml"
    path.write_text(PROJECT.format(model=model, training=training, source=source))
    with pytest.raises(LeadwireError) as caught:
        run_project(load_project(path), until="validate", watcher=Quiet())
    assert not list(folder.rglob("*.tflite")), "nothing may have run"
    assert caught.value.exit_code == 2
    return caught.value


def test_a_training_patient_in_the_test_set(root: Path, tmp_path: Path) -> None:
    error = refused(root, tmp_path, '[training]\npatients = ["s1003", "nobody"]')
    assert isinstance(error, LeakError)
    assert error.patients == ("s1003",)
    assert "training" in error.message


def test_a_training_split_that_is_the_test_split(root: Path, tmp_path: Path) -> None:
    error = refused(root, tmp_path, '[training]\nsource = "synthetic-ecg"\nsplits = ["test"]')
    assert isinstance(error, LeakError)
    assert len(error.patients) == 24


@pytest.mark.parametrize("splits", ['["nowhere"]', "5"])
def test_a_training_split_that_is_none(root: Path, tmp_path: Path, splits: str) -> None:
    error = refused(root, tmp_path, f"[training]\nsplits = {splits}")
    assert isinstance(error, (DatasetError, ConfigError))


def test_arrays_cannot_be_disturbed(root: Path, tmp_path: Path) -> None:
    labels = np.arange(50) % 5
    for split in ("train", "test"):
        np.savez(
            tmp_path / f"{split}.npz", beat=np.zeros((50, 96, 2), np.float32), features=np.zeros((50, 19), np.float32),
            labels=labels, patients=np.array([f"{split}{number}" for number in range(50)]),
        )  # fmt: skip
    (tmp_path / "data.toml").write_text(
        'kind = "npz"\nname = "mine"\ntitle = "t"\nlicence = "l"\nbasis = "real"\n'
        'input_names = ["beat", "features"]\nlabel_names = ["N", "S", "V", "F", "Q"]\n'
        '[splits.train]\npath = "train.npz"\n[splits.test]\npath = "test.npz"\n'
    )
    error = refused(root, tmp_path, "", source="data.toml")
    assert "no recordings to disturb" in error.message
    assert "validation.stress = false" in error.hint

"""Two calibrations that ruin a class and hardly touch accuracy: 20 normal beats of one recording, and data at a quarter
of their scale. `leadwire validate` says fail, and names class and recordings; a sound calibration on the same beats is
not failed. On every third beat of MIT-BIH DS2, 100 of them over the link.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leadwire.datasets import Dataset, load_dataset, read_source, take

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.requirement("LW-VAL-001"),
    pytest.mark.requirement("LW-VAL-005"),
]
NORMALS_OF = "115"
DATASET = """
kind = "npz"
name = "harm"
title = "MIT-BIH with harmful calibrations"
licence = "ODC-By-1.0"
basis = "real"
input_names = ["beat", "features"]
label_names = ["N", "S", "V", "F", "Q"]
"""
PROJECT = """
name = "harm"
[model]
path = {model}
[dataset]
source = "data.toml"
[training]
source = "mitdb"
splits = ["train"]
[calibration]
split = "{split}"
count = {count}
[target]
boards = ["virtual-stm32f405"]
toolchain = "zig"
[bench]
inputs = 1
warmup = 0
[validation]
protocol = "protocol.toml"
device_beats = 100
stress = false
"""


@pytest.fixture(scope="module")
def folder(root: Path, data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harm")
    source = read_source("mitdb")
    train = load_dataset(source, "train", folder=data_folder / "mitdb")
    test = load_dataset(source, "test", folder=data_folder / "mitdb")
    normals = [i for i in range(len(train)) if train.records[i] == NORMALS_OF and train.labels[i] == 0]
    twenty = [normals[place] for place in np.linspace(0, len(normals) - 1, 20).astype(int)]
    spread = np.random.default_rng(1).permutation(len(train))[:6000]
    splits = {
        "one": store(folder / "one.npz", take(train, twenty)),
        "quarter": store(folder / "quarter.npz", take(train, spread), scale=0.25),
        "sound": store(folder / "sound.npz", take(train, spread)),
        "test": store(folder / "test.npz", take(test, range(0, len(test), 3))),
    }
    listed = "".join(f'[splits.{name}]\npath = "{path.name}"\n' for name, path in splits.items())
    (folder / "data.toml").write_text(DATASET + listed)
    protocol = (root / "validation" / "protocols" / "arrhythmia-mitdb.toml").read_text()
    for whole, third in (
        ("minimum_device_beats = 2000", "minimum_device_beats = 100"),
        ("minimum_beats = 500", "minimum_beats = 160"),
        ("minimum_class_beats = 100", "minimum_class_beats = 33"),
    ):
        assert whole in protocol
        protocol = protocol.replace(whole, third)
    head, _, rest = protocol.partition('[[subgroups]]\nname = "noise"')  # arrays have no noise to tell
    (folder / "protocol.toml").write_text(head + "[[subgroups]]" + rest.partition("[[subgroups]]")[2])
    return folder


def store(path: Path, dataset: Dataset, scale: float = 1.0) -> Path:
    np.savez(
        path,
        labels=dataset.labels,
        patients=np.array(dataset.patients),
        records=np.array(dataset.records),
        times_s=dataset.times_s,
        **{name: values * np.float32(scale) for name, values in zip(dataset.input_names, dataset.inputs, strict=True)},
    )
    return path


def validated(folder: Path, root: Path, split: str, count: int) -> dict[str, Any]:
    model = json.dumps(str(root / "examples" / "arrhythmia" / "arrhythmia.keras"))
    (folder / f"{split}.toml").write_text(PROJECT.format(model=model, split=split, count=count))
    done = subprocess.run(
        [sys.executable, "-m", "leadwire", "validate", f"{split}.toml", "--output", f"out-{split}", "--json"],
        cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=590, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 7), done.stderr
    result: dict[str, Any] = json.loads(done.stdout)["boards"][0]["validation"]
    return result


def loss(validation: dict[str, Any], endpoint: str) -> float:
    return float(next(one for one in validation["endpoints"] if one["endpoint"] == endpoint)["loss"]["estimate"])


def test_a_sound_calibration_does_no_harm(folder: Path, root: Path) -> None:
    validation = validated(folder, root, "sound", 300)
    assert validation["verdict"] != "fail", validation["reasons"]
    assert all(abs(one["loss"]["estimate"]) < one["margin"] for one in validation["endpoints"])


def test_twenty_normal_beats_of_one_recording(folder: Path, root: Path) -> None:
    """Accuracy moves by less than a point; a quarter of the SVEB are gone, nearly all of them in recording 232."""
    validation = validated(folder, root, "one", 20)
    assert abs(loss(validation, "accuracy")) < 0.01
    assert loss(validation, "SVEB sensitivity") > 0.2
    assert validation["verdict"] == "fail"
    named = [reason for reason in validation["reasons"] if reason.startswith("record 232 loses")]
    assert any("points of sensitivity to S" in reason for reason in named), validation["reasons"]
    sveb = next(one for one in validation["endpoints"] if one["endpoint"] == "SVEB sensitivity")
    assert sveb["worst_records"][0][0] == "232"


def test_calibration_data_at_a_quarter_of_their_scale(folder: Path, root: Path) -> None:
    """Accuracy moves by about two points; one in six calls of VEB becomes false, and SVEB is halved."""
    validation = validated(folder, root, "quarter", 300)
    assert abs(loss(validation, "accuracy")) < 0.03
    assert loss(validation, "VEB positive predictivity") > 0.1
    assert validation["verdict"] == "fail"
    assert any("points of sensitivity to S" in reason for reason in validation["reasons"]), validation["reasons"]
    named = {reason.split()[1] for reason in validation["reasons"] if reason.startswith("record ")}
    assert {"232", "123"} <= named, validation["reasons"]
    causes = validation["float_int8"]["causes"]
    assert validation["float_int8"]["examined"] == 40
    assert "saturation" in causes[0]["cause"]
    assert causes[0]["operator"].startswith("input ")
    veb = next(one for one in validation["endpoints"] if one["endpoint"] == "VEB positive predictivity")
    assert veb["worst_records"]
    assert any(reason.startswith("VEB positive predictivity") for reason in validation["reasons"])

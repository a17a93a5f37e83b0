"""Which samples calibrate: even over strata, repeatable, recorded, never a test patient's. No TensorFlow here."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadwire import tensorflow_process
from leadwire.datasets import Dataset
from leadwire.errors import (
    BadInputError,
    BuildError,
    DatasetError,
    FileMissingError,
    LeakError,
    UnsupportedModelError,
)
from leadwire.quantize import CalibrationPolicy, Stratify, draw_calibration, quantize_model, spread


def beats(count: int = 600, *, seed: int = 0) -> Dataset:
    """Classes as unequal as in a clinic, nine patients, the rarest class in two of them."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(3, count, p=[0.9, 0.07, 0.03]).astype(np.int64)
    patients = tuple(f"p{n}" for n in np.where(labels == 2, generator.integers(0, 2, count), np.arange(count) % 9))
    return Dataset(
        name="beats", split="train", inputs=(generator.normal(size=(count, 8, 1)).astype(np.float32),),
        input_names=("beat",), labels=labels, label_names=("N", "S", "V"), patients=patients, records=patients,
        times_s=np.arange(count, dtype=np.float64), basis="synthetic", licence="ours",
    )  # fmt: skip


@given(st.integers(0, 200), st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_spread_is_as_even_as_the_sizes_allow(count: int, sizes: list[int]) -> None:
    shares = spread(count, sizes)
    assert sum(shares) == min(count, sum(sizes))
    assert all(0 <= share <= size for share, size in zip(shares, sizes, strict=True))
    unfilled = [share for share, size in zip(shares, sizes, strict=True) if share < size]
    assert not unfilled or max(shares) - min(unfilled) <= 1


def test_classes_are_drawn_evenly_and_patients_within_them() -> None:
    dataset = beats()
    calibration, indices = draw_calibration(dataset, CalibrationPolicy(count=60))
    available = Counter(dataset.labels.tolist())
    assert min(available[1], available[2]) >= 12
    per_class = dict(calibration.per_class)
    assert per_class["V"] == min(20, available[2])
    assert abs(per_class["N"] - per_class["S"]) <= 1
    patients = Counter(dataset.patients[i] for i in indices if dataset.labels[i] == 0)
    assert max(patients.values()) - min(patients.values()) <= 1
    assert sum(per_class.values()) == calibration.count == len(set(indices)) == 60


@pytest.mark.parametrize("stratify", ["class", "patient", "class+patient"])
def test_the_same_policy_draws_the_same_samples_and_another_seed_others(stratify: Stratify) -> None:
    first = draw_calibration(beats(), CalibrationPolicy(count=40, seed=3, stratify=stratify))
    assert first == draw_calibration(beats(), CalibrationPolicy(count=40, seed=3, stratify=stratify))
    assert first[1] != draw_calibration(beats(), CalibrationPolicy(count=40, seed=4, stratify=stratify))[1]


def test_by_patient_each_patient_gives_as_many() -> None:
    dataset = beats()
    _, indices = draw_calibration(dataset, CalibrationPolicy(count=90, stratify="patient"))
    assert set(Counter(dataset.patients[i] for i in indices).values()) == {10}


def test_the_record_can_be_recomputed_from_the_data() -> None:
    dataset = beats()
    calibration, _ = draw_calibration(dataset, CalibrationPolicy(count=50))
    drawn = dataset.inputs[0][list(calibration.indices)]
    assert calibration.digest == hashlib.sha256(drawn.astype("<f4").tobytes()).hexdigest()
    assert calibration.patients == tuple(sorted({dataset.patients[i] for i in calibration.indices}))
    assert "50 samples, evenly by class then patient, PCG64 seed 1" in calibration.policy
    assert calibration.indices == tuple(sorted(calibration.indices))


@pytest.mark.parametrize("count", [0, 601])
def test_more_samples_than_there_are_is_an_error(count: int) -> None:
    with pytest.raises(DatasetError, match=f"asks for {count} of 600"):
        draw_calibration(beats(), CalibrationPolicy(count=count))


@pytest.mark.requirement("LW-QNT-002")
def test_a_patient_on_both_sides_is_a_leak(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"never read")
    with pytest.raises(LeakError, match=r"2 patient\(s\) are in both calibration and test: p1, p3"):
        quantize_model(
            tmp_path / "m.keras", beats(), CalibrationPolicy(), tmp_path / "o.tflite", test_patients=("x", "p3", "p1")
        )


def test_sources_that_are_no_model(tmp_path: Path) -> None:
    out = tmp_path / "o.tflite"
    with pytest.raises(FileMissingError):
        quantize_model(tmp_path / "none.keras", beats(), CalibrationPolicy(), out)
    with pytest.raises(BadInputError, match=r"saved_model\.pb"):
        quantize_model(tmp_path, beats(), CalibrationPolicy(), out)
    (tmp_path / "m.onnx").write_bytes(b"x")
    with pytest.raises(BadInputError, match="no known kind"):
        quantize_model(tmp_path / "m.onnx", beats(), CalibrationPolicy(), out)
    with pytest.raises(FileMissingError, match="is not a file"):
        quantize_model(Path("/dev/null"), beats(), CalibrationPolicy(), out)


def test_a_folder_is_no_place_for_the_result(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"x")
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInputError, match="is a folder"):
        quantize_model(tmp_path / "m.keras", beats(), CalibrationPolicy(), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.keras", "out"]


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("kill -SEGV $$", UnsupportedModelError, "crashed .SIGSEGV."),
        ("kill -KILL $$", BuildError, "was killed"),
        ("exec sleep 30", BuildError, "within 1 s"),
        ("echo 'ImportError: no such library' >&2; exit 1", BuildError, "could not be started"),
    ],
)
def test_a_converter_that_dies_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[BuildError], message: str
) -> None:
    """A small program stands in for the interpreter that runs TensorFlow."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(error, match=message) as caught:
        tensorflow_process.predict(tmp_path / "m.keras", {"x": np.zeros((1, 2), np.float32)}, timeout_s=1.0)
    assert caught.value.hint

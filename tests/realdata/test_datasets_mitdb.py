"""MIT-BIH through the front end: counts against de Chazal's table, digests, and the committed network's figures."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from leadwire.datasets import Dataset, check_disjoint, load_dataset, read_source

pytestmark = pytest.mark.realdata

DE_CHAZAL_DS2 = (44259, 1837, 3221, 388, 7)
"""Beats of DS2 by class, de Chazal et al. 2004, table IV."""


@pytest.fixture(scope="module")
def ds2(data_folder: Path) -> Dataset:
    started = time.monotonic()
    dataset = load_dataset(read_source("mitdb"), "test", folder=data_folder / "mitdb")
    assert time.monotonic() - started < 60
    return dataset


def test_ds2_is_whole_but_for_the_edges(ds2: Dataset) -> None:
    counts = np.bincount(ds2.labels, minlength=5)
    lost = np.array(DE_CHAZAL_DS2) - counts
    assert (lost >= 0).all()
    assert lost.sum() == 2 * 22
    assert len(set(ds2.patients)) == 22
    assert "mitdb-201" in ds2.patients
    assert ds2.basis == "real"
    assert all(np.isfinite(values).all() for values in ds2.inputs)


def test_ds1_shares_no_patient_with_ds2(ds2: Dataset, data_folder: Path) -> None:
    ds1 = load_dataset(read_source("mitdb"), "train", folder=data_folder / "mitdb")
    check_disjoint(ds1, ds2)
    assert len(set(ds1.patients)) == 21
    assert np.bincount(ds1.labels, minlength=5)[1] > 800


def test_strip_shows_the_beat(ds2: Dataset) -> None:
    beat = ds2.records.index("100") + 5
    strip = np.array(ds2.strip_mv(beat, seconds=2.0, rate_hz=180.0))
    assert abs(int(strip.argmax()) % 140 - 180 % 140) < 30
    assert 0.5 < strip.max() < 2.0


def test_annotations_agree_with_a_second_reader(ds2: Dataset, data_folder: Path) -> None:
    """The annotation file of record 100 decoded here by the format's own definition (two bytes: 6 bits type, 10 bits
    time), without wfdb: the times of the first and last beats kept.
    """
    raw = np.frombuffer((data_folder / "mitdb" / "100.atr").read_bytes(), dtype="<u2")
    at, beats, i = 0, [], 0
    while raw[i] != 0:
        kind, step = int(raw[i]) >> 10, int(raw[i]) & 0x3FF
        if kind == 59:
            at += (int(raw[i + 1]) << 16) + int(raw[i + 2])
            i += 2
        elif kind == 63:
            i += (step + 1) // 2
        elif kind < 60:
            at += step
            if kind in (1, 5, 8):  # N, V, A
                beats.append(at)
        i += 1
    own = np.array([one == "100" for one in ds2.records])
    assert np.array_equal(np.rint(ds2.times_s[own] * 360).astype(int), np.array(beats[1:-1]))


def test_committed_network_reaches_its_target(ds2: Dataset, root: Path, tmp_path: Path) -> None:
    """VEB F1 >= 0.88 and SVEB sensitivity >= 0.60 on DS2 in float; a process of its own loads TensorFlow."""
    np.savez(tmp_path / "ds2.npz", beat=ds2.inputs[0], features=ds2.inputs[1])
    code = (
        "import keras, numpy as np, sys; folder, model = sys.argv[1:]; data = np.load(folder + '/ds2.npz');"
        "model = keras.models.load_model(model); assert model.count_params() <= 20000;"
        "np.save(folder + '/out.npy', model.predict(dict(data), batch_size=2048, verbose=0))"
    )
    model = root / "examples" / "arrhythmia" / "arrhythmia.keras"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(model)],
        check=True,
        timeout=300,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    decided = np.load(tmp_path / "out.npy").argmax(axis=1)
    hit = decided == ds2.labels
    v_hits = (hit & (ds2.labels == 2)).sum()
    assert 2 * v_hits / ((decided == 2).sum() + (ds2.labels == 2).sum()) >= 0.88
    assert hit[ds2.labels == 1].mean() >= 0.60

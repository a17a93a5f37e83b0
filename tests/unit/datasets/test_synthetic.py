"""Simulated patients: the equation against a plain integration, what the labels mean in the signal, repeatability."""

from __future__ import annotations

import numpy as np
import pytest

from leadwire.datasets import Recording, check_disjoint, load_dataset, read_source
from leadwire.datasets.source import SyntheticSource, SyntheticSplit
from leadwire.datasets.synthetic import RATE_HZ, Waves, _integrate, _pull, simulate_patients


def test_pull_and_integration_give_the_waves_their_height() -> None:
    """The closed form of the equation without decay is a sum of Gaussians of the stated heights (Sameni 2007)."""
    waves = Waves(
        heights_mv=np.array((0.1, 0.0, 1.0, 0.0, 0.3)),
        times_s=np.array((-0.2, -0.04, 0.0, 0.04, 0.3)),
        widths_s=np.array((0.02, 0.01, 0.012, 0.01, 0.045)),
    )

    pull = _pull(waves, 1.0)
    z = _integrate(pull, np.zeros(len(pull)))
    t = np.arange(-432, 433) / RATE_HZ
    gaussians = sum(
        height * np.exp(-((t - time) ** 2) / (2 * width**2))
        for height, time, width in zip(waves.heights_mv, waves.times_s, waves.widths_s, strict=True)
    )
    early = np.interp(t + 0.5 / RATE_HZ, t, gaussians)  # a pull is held over the sample before
    assert np.abs(z - early).max() < 0.06  # what the decay towards z0 takes off: the area of the waves

    euler, steps = np.zeros(len(t)), 20
    value = 0.0
    for i in range(1, len(t)):
        for _ in range(steps):
            value += (pull[i] - value) / RATE_HZ / steps
        euler[i] = value
    assert np.abs(z - euler).max() < 1e-3


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    source = read_source("synthetic-ecg")
    assert isinstance(source, SyntheticSource)
    split = SyntheticSplit(first_patient=1000, patients=2, beats=20)
    one, two = simulate_patients(source.seed, split), simulate_patients(source.seed, split)
    assert [a.signal_mv.tobytes() for a in one] == [b.signal_mv.tobytes() for b in two]
    assert one[0].signal_mv.tobytes() != simulate_patients(source.seed + 1, split)[0].signal_mv.tobytes()
    assert one[0].signal_mv.tobytes() != one[1].signal_mv.tobytes()
    alone = simulate_patients(source.seed, SyntheticSplit(first_patient=1001, patients=1, beats=20))
    assert alone[0].signal_mv.tobytes() == one[1].signal_mv.tobytes()


def test_ectopic_beats_are_early_and_ventricular_ones_wide() -> None:
    ratios: list[float] = []
    for recording in simulate_patients(11, SyntheticSplit(first_patient=0, patients=12, beats=40)):
        rr = np.diff(recording.beats) / recording.sample_rate_hz
        before, after, labels = rr[:-1], rr[1:], recording.labels[1:-1]
        mean = np.median(rr)
        assert (before[labels == 1] < 1.1 * mean).all()
        assert (before[labels == 2] < 1.05 * mean).all()
        ratios.extend(before[labels > 0] / mean)
        assert (after[labels == 2] > mean).all()
        assert set(labels[:9]) == {0}
        widths = {label: _widths(recording, label) for label in (0, 1, 2)}
        assert max(widths[0]) < min(widths[2], default=1.0)
        assert max(widths[1], default=0.0) < min(widths[2], default=1.0)
    assert len(ratios) > 40
    assert np.median(ratios) < 0.85


def _widths(recording: Recording, label: int) -> list[float]:
    """Seconds that the QRS complex of each beat stays above half of its own peak."""
    resting = np.median(recording.signal_mv)
    cuts = [
        np.abs(recording.signal_mv[at - 25 : at + 26] - resting) for at in recording.beats[recording.labels == label]
    ]
    return [float((cut > cut.max() / 2).sum() / recording.sample_rate_hz) for cut in cuts]


def test_demo_has_enough_of_everything_and_no_shared_patient() -> None:
    source = read_source("synthetic-ecg")
    train, test = load_dataset(source, "train"), load_dataset(source, "test")
    check_disjoint(train, test)
    assert (train.basis, test.basis) == ("synthetic", "synthetic")
    assert test.label_names == ("N", "S", "V", "F", "Q")
    assert len(set(test.patients)) >= 20
    assert 600 <= len(test) <= 1000
    assert 200 <= len(train) <= 1000
    counts = np.bincount(test.labels, minlength=5)
    assert counts[1] >= 30
    assert counts[2] >= 30
    for label in (1, 2):
        assert len({p for p, own in zip(test.patients, test.labels, strict=True) if own == label}) >= 5
    assert len(test.strip_mv(0)) == 360


@pytest.mark.parametrize("beats", [8, 9])
def test_the_shortest_recording_works(beats: int) -> None:
    assert len(simulate_patients(1, SyntheticSplit(first_patient=0, patients=1, beats=beats))[0].beats) == beats + 2

"""Disturbed recordings: the level that was asked for, measured again; the same bytes each time; what the rest does."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from leadwire.datasets import disturb
from leadwire.datasets.recording import Recording
from leadwire.datasets.wfdb_files import read_noise
from leadwire.errors import DatasetError, FileMissingError

RATE, SECONDS = 360, 120
KINDS = ("electrode_motion", "muscle", "baseline_wander")


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Beats 1 mV tall every 0.8 s."""
    beats = np.arange(1, SECONDS * RATE // 288) * 288
    signal = np.zeros(SECONDS * RATE)
    for beat in beats:
        signal[beat - 15 : beat + 16] += np.clip(1 - np.abs(np.arange(-15, 16)) / 15, 0, None)
    return Recording(
        record="r1",
        patient="p1",
        sample_rate_hz=RATE,
        signal_mv=signal.astype(np.float32),
        beats=beats,
        labels=np.zeros(len(beats), np.int64),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [24, 0, -6])
def test_the_noise_has_the_level_asked_for(recording: Recording, kind: str, level: float) -> None:
    """nst's rule written out: S = p^2 / 8, N from windows of a second less their means, extremes trimmed."""
    noisy = disturb.add_noise(recording, disturb.modelled_noise(kind, recording, 1), level)
    added = (noisy.signal_mv - recording.signal_mv).astype(np.float64)
    sizes = []
    for second in range(SECONDS):
        window = added[second * RATE : (second + 1) * RATE]
        sizes.append(math.sqrt(sum((value - window.mean()) ** 2 for value in window) / RATE))
    sizes = sorted(sizes)[6:-6]
    assert 10 * math.log10(1.0**2 / 8 / (sum(sizes) / len(sizes)) ** 2) == pytest.approx(level, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_one_noise_at_all_levels_another_for_another_recording(recording: Recording, kind: str) -> None:
    from dataclasses import replace

    one, again = (disturb.modelled_noise(kind, recording, 1) for _ in range(2))
    assert one.tobytes() == again.tobytes()
    other = disturb.modelled_noise(kind, replace(recording, record="r2"), 1)
    seeded = disturb.modelled_noise(kind, recording, 2)
    for different in (other, seeded):
        assert abs(np.corrcoef(one, different)[0, 1]) < 0.5


def band(noise: np.ndarray, low: float, high: float) -> float:
    """Share of the power between two frequencies."""
    power = np.abs(np.fft.rfft(noise - noise.mean())) ** 2
    at = np.fft.rfftfreq(len(noise), 1 / RATE)
    return float(power[(at >= low) & (at < high)].sum() / power.sum())


def test_each_kind_is_where_it_belongs_in_frequency(recording: Recording) -> None:
    motion, muscle, wander = (disturb.modelled_noise(kind, recording, 1) for kind in KINDS)
    assert band(wander, 0.0, 1.0) > 0.95
    assert band(muscle, 15.0, 180.0) > 0.95
    assert band(motion, 0.0, 10.0) > 0.95
    assert band(motion, 0.5, 10.0) > 0.4


def test_silence_and_no_beats_have_no_ratio(recording: Recording) -> None:
    from dataclasses import replace

    with pytest.raises(DatasetError, match="silent"):
        disturb.add_noise(recording, np.zeros(len(recording.signal_mv)), 6)
    beatless = replace(recording, beats=recording.beats[:0], labels=recording.labels[:0])
    with pytest.raises(DatasetError, match="no beats"):
        disturb.add_noise(beatless, np.random.default_rng(1).normal(size=len(recording.signal_mv)), 6)


def test_what_is_not_noise(recording: Recording) -> None:
    signal = recording.signal_mv
    hum = disturb.add_mains(recording, 50.0, 0.3, 1).signal_mv - signal
    assert np.abs(hum).max() == pytest.approx(0.3, abs=1e-3)
    assert band(hum.astype(np.float64), 49.5, 50.5) > 0.99
    assert disturb.saturate(recording, 0.5).signal_mv.max() == pytest.approx(0.5, abs=1e-6)
    assert (disturb.amplify(recording, 2).signal_mv == 2 * signal).all()
    lifted = disturb.lift_lead(recording, 10, 1).signal_mv
    held = np.flatnonzero(np.diff(np.flatnonzero(np.diff(lifted) != 0)) > 9.9 * RATE)
    assert len(held) == 2  # two minutes, one stretch of ten seconds in each
    part = disturb.cut(recording, 60)
    assert len(part.signal_mv) == 60 * RATE
    assert part.beats.max() < 60 * RATE <= recording.beats[len(part.beats)]
    assert disturb.cut(recording, 0) is recording


@pytest.mark.parametrize("percent", [-5, 2])
def test_a_clock_that_is_off_moves_beats_and_signal_together(recording: Recording, percent: float) -> None:
    off = disturb.misclock(recording, percent)
    rr = np.diff(off.beats)
    assert rr.mean() == pytest.approx(288 * (1 + percent / 100), rel=1e-3)
    assert all(abs(off.signal_mv[beat] - 1) < 0.1 for beat in off.beats)


def test_a_noise_record_of_the_users(recording: Recording, tmp_path: Path) -> None:
    import wfdb

    values = np.random.default_rng(3).normal(size=(1000, 2))
    wfdb.wrsamp("em", fs=250, units=["mV"] * 2, sig_name=["a", "b"], p_signal=values, fmt=["16"] * 2,
                write_dir=str(tmp_path))  # fmt: skip
    read, rate = read_noise(tmp_path / "em", 1)
    assert rate == 250
    assert np.allclose(read, values[:, 1], atol=1e-3)
    for stem, signal, digest, error in (
        ("nowhere", 0, "", FileMissingError),
        ("em", 2, "", DatasetError),
        ("em", 0, "0" * 64, DatasetError),
    ):
        with pytest.raises(error):
            read_noise(tmp_path / stem, signal, digest)
    (tmp_path / "em.hea").write_text("nonsense\n")
    with pytest.raises(DatasetError):
        read_noise(tmp_path / "em", 0)

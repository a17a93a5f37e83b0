"""The front end against what it promises: aligned, causal, scale-free, and the rhythm figures by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leadwire.datasets import Recording
from leadwire.datasets.front_end import (
    BEAT_LIMIT,
    FEATURE_NAMES,
    STEP,
    WINDOW_SAMPLES,
    extract_beats,
)
from leadwire.datasets.source import SyntheticSplit
from leadwire.datasets.synthetic import simulate_patients
from leadwire.errors import DatasetError


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate_patients(7, SyntheticSplit(first_patient=3, patients=1, beats=60))[0]


def test_shapes_limits_and_edges(recording: Recording) -> None:
    cut = extract_beats(recording)
    assert cut.beat.shape == (60, WINDOW_SAMPLES, 2)
    assert cut.features.shape == (60, len(FEATURE_NAMES))
    assert cut.kept.tolist() == list(range(1, 61))
    assert np.abs(cut.beat).max() <= BEAT_LIMIT
    assert np.abs(cut.features).max() <= 1.0
    for values in (cut.beat, cut.features):
        assert values.dtype == np.float32
        assert np.array_equal(values / STEP, np.rint(values / STEP))


def test_r_peak_is_in_its_place(recording: Recording) -> None:
    """R is 0.3 s into the window; the causal filter delays it by some milliseconds, never by more than 25."""
    normal = np.flatnonzero(recording.labels[1:-1] == 0)
    peaks = np.abs(extract_beats(recording).beat[normal, :60, 0]).argmax(axis=1)
    assert set(peaks) <= {36, 37, 38, 39}


def test_nothing_after_the_next_beat_is_used(recording: Recording) -> None:
    """Inputs of beat i must not change when everything from 0.5 s after the beat i + 1 on does."""
    whole = extract_beats(recording)
    last = 30
    end = int(recording.beats[last + 1] + 0.5 * recording.sample_rate_hz)
    changed = recording.signal_mv.copy()
    changed[end:] = 3.0
    later = recording.beats.copy()
    later[last + 2 :] += 7
    part = extract_beats(
        replace(recording, signal_mv=changed, beats=later[: last + 10], labels=recording.labels[: last + 10])
    )
    assert np.array_equal(whole.beat[:last], part.beat[:last])
    assert np.array_equal(whole.features[:last], part.features[:last])
    assert not np.array_equal(whole.beat[last + 2], part.beat[last + 2])


def test_gain_and_offset_do_not_matter(recording: Recording) -> None:
    one = extract_beats(recording)
    other = extract_beats(replace(recording, signal_mv=(recording.signal_mv * 2 + 1).astype(np.float32)))
    assert np.abs(one.beat - other.beat).max() < 0.02
    assert np.abs(one.features - other.features).max() < 0.05


def test_rhythm_by_hand() -> None:
    """Ten beats a second apart, one 0.6 s early with a compensatory pause, then regular again."""
    rr = np.array([1.0] * 10 + [0.6, 1.4] + [1.0] * 4)
    beats = np.concatenate(([360], 360 + np.rint(np.cumsum(rr) * 360))).astype(np.int64)
    signal = np.zeros(beats[-1] + 720, np.float32)
    for beat in beats:
        signal[beat - 10 : beat + 11] += np.bartlett(21).astype(np.float32)
    recording = Recording(
        record="r", patient="p", sample_rate_hz=360.0, signal_mv=signal, beats=beats, labels=np.zeros_like(beats)
    )
    cut = extract_beats(recording)
    figure = dict(zip(FEATURE_NAMES, cut.features[10], strict=True))
    assert figure["rr_before"] == pytest.approx(np.log(0.6), abs=STEP)
    assert figure["rr_after"] == pytest.approx(np.log(1.4), abs=STEP)
    assert figure["rr_turn"] == pytest.approx(np.log(0.6 / 1.4), abs=STEP)
    assert figure["rr_previous"] == pytest.approx(0.0, abs=STEP)
    assert figure["rr_seconds"] == pytest.approx(np.log(0.6 / 0.8), abs=STEP)
    assert figure["rr_slow"] == pytest.approx(np.log(0.6), abs=STEP)
    assert figure["rr_recent"] == pytest.approx(np.log(0.6), abs=STEP)
    assert figure["rr_quiet"] == pytest.approx(np.log(0.6), abs=STEP)
    assert figure["rr_irregular"] == pytest.approx(0.0, abs=STEP)
    assert figure["rr_surprise"] == pytest.approx(-1.0)
    following = dict(zip(FEATURE_NAMES, cut.features[11], strict=True))
    assert following["rr_before"] == pytest.approx(np.log(1.4), abs=STEP)
    assert following["rr_previous"] == pytest.approx(np.log(0.6), abs=STEP)
    assert following["rr_irregular"] == pytest.approx(2 * 0.5 / 12, abs=0.01)
    assert figure["similarity"] > 0.99
    assert abs(figure["amplitude"]) < 0.05
    assert abs(figure["width"]) < 0.1


def test_a_strange_beat_stands_out_and_moves_the_template_little(recording: Recording) -> None:
    cut = extract_beats(recording)
    labels = recording.labels[cut.kept]
    figures = dict(zip(FEATURE_NAMES, cut.features.T, strict=True))
    settled = np.arange(60) >= 12
    assert figures["similarity_qrs"][(labels == 2)].max() < figures["similarity_qrs"][(labels == 0) & settled].min()
    assert figures["novelty_qrs"][(labels == 2)].min() > figures["novelty_qrs"][(labels == 0) & settled].max()


def test_refuses_a_slow_recording(recording: Recording) -> None:
    with pytest.raises(DatasetError, match="sampled at 100 Hz, below 240 Hz"):
        extract_beats(replace(recording, sample_rate_hz=100.0))


def test_refuses_a_recording_without_whole_beats(recording: Recording) -> None:
    with pytest.raises(DatasetError, match="no beat with a whole window"):
        extract_beats(replace(recording, beats=recording.beats[:2], labels=recording.labels[:2]))

"""The estimate of a recording's noise against noise that was put in, and who the headers say the patients are."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from leadwire.datasets.noise import attributes_of, signal_power_mv2, snr_db
from leadwire.datasets.recording import Recording
from leadwire.datasets.wfdb_files import age_and_sex

RATE = 360


def recording(noise_mv: float, heights: tuple[float, ...] = (1.0,), beats: int = 200) -> Recording:
    """Triangular beats, their heights in turn, and white noise."""
    at = np.arange(1, beats + 1) * 300
    signal = np.zeros(300 * (beats + 2))
    shape = np.clip(1 - np.abs(np.arange(-15, 16)) / 15, 0, None)
    for number, beat in enumerate(at):
        signal[beat - 15 : beat + 16] += heights[number % len(heights)] * shape
    signal += np.random.default_rng(1).normal(0, noise_mv, len(signal))
    return Recording(
        record="r",
        patient="p",
        sample_rate_hz=RATE,
        signal_mv=signal.astype(np.float32),
        beats=at.astype(np.int64),
        labels=np.zeros(beats, np.int64),
        age=50.0,
        sex="F",
        lead="II",
    )


@pytest.mark.parametrize("noise_mv", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("heights", [(1.0,), (1.0, 1.6)], ids=["alike", "bigeminy"])
def test_the_noise_that_was_put_in_is_found(noise_mv: float, heights: tuple[float, ...]) -> None:
    one = recording(noise_mv, heights)
    wanted = 10 * math.log10(float(np.mean(heights)) ** 2 / 8 / noise_mv**2)
    found = snr_db(one)
    assert found is not None
    assert found == pytest.approx(wanted, abs=2.0 if noise_mv == 0.1 else 0.8)  # noise raises p


def test_signal_power_is_that_of_a_sine_as_tall_as_the_qrs() -> None:
    assert signal_power_mv2(recording(0.0)) == pytest.approx(1 / 8)


@pytest.mark.parametrize("beats", [0, 1, 2])
def test_too_few_beats_say_nothing(beats: int) -> None:
    one = recording(0.01, beats=3)
    assert snr_db(dataclasses.replace(one, beats=one.beats[:beats])) is None


def test_attributes() -> None:
    found = attributes_of(recording(0.03))
    assert (found.record, found.patient, found.age, found.sex, found.lead) == ("r", "p", 50.0, "F", "II")
    assert found.snr_db == round(found.snr_db or 0, 2)


@pytest.mark.parametrize(
    ("comments", "age", "sex"),
    [
        (["69 M 1085 1629 x1", "Aldomet, Inderal"], 69, "M"),
        (["-1 F 742 654 x1"], None, "F"),
        (["Age: 72  Sex: F  Diagnoses: none"], 72, "F"),
        (["<age>: 45", "<sex>: male"], 45, "M"),
        (["The PVCs are uniform", "24 hours"], None, ""),
        ([], None, ""),
    ],
)
def test_age_and_sex_of_a_header(comments: list[str], age: float | None, sex: str) -> None:
    assert age_and_sex(comments) == (age, sex)

"""How noisy a recording is, estimated from its signal and reference beats alone.

Signal: as PhysioNet's `nst` has it, the power of a sine as tall as the QRS complex: p^2 / 8, where p is the mean
peak-to-peak value within 50 ms of each R position, the lowest and highest 5 % of beats left out. Noise: the RMS
difference between the window of a beat (0.25 s before R to 0.45 s after, less its mean) and that of the next beat or
the one after it, whichever is more alike, divided by the root of 2; over all beats the median, so that neither
bigeminy nor single ectopic beats and artefacts count. What repeats from beat to beat is taken for signal, so is mains
hum that is in step with the heart.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import RecordAttributes
from leadwire.datasets.recording import Recording

_QRS_S, _BEFORE_S, _AFTER_S, _TRIMMED = 0.05, 0.25, 0.45, 0.05
_FEWEST_BEATS = 3


def attributes_of(recording: Recording) -> RecordAttributes:
    snr = snr_db(recording)
    return RecordAttributes(
        record=recording.record,
        patient=recording.patient,
        age=recording.age,
        sex=recording.sex,
        lead=recording.lead,
        snr_db=None if snr is None else round(snr, 2),
    )


def snr_db(recording: Recording) -> float | None:
    """Signal-to-noise ratio in dB; None with fewer than three whole beats, or where signal or noise is nothing."""
    signal, noise = signal_power_mv2(recording), _noise_power_mv2(recording)
    return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None


def signal_power_mv2(recording: Recording) -> float:
    """p^2 / 8 in mV^2; 0 without beats."""
    windows = _windows(recording, _QRS_S, _QRS_S)
    if not len(windows):
        return 0.0
    heights = np.sort(np.ptp(windows, axis=1))
    cut = int(_TRIMMED * len(heights))
    return float(heights[cut : len(heights) - cut].mean()) ** 2 / 8


def _noise_power_mv2(recording: Recording) -> float:
    windows = _windows(recording, _BEFORE_S, _AFTER_S)
    if len(windows) < _FEWEST_BEATS:
        return 0.0
    windows = windows - windows.mean(axis=1, keepdims=True)
    apart = [np.square(windows[lag:] - windows[:-lag]).mean(axis=1)[: len(windows) - 2] for lag in (1, 2)]
    return float(np.median(np.minimum(*apart))) / 2


def _windows(recording: Recording, before_s: float, after_s: float) -> npt.NDArray[np.float64]:
    """The signal around each beat that has a whole window: [beats, samples]."""
    rate, length = recording.sample_rate_hz, len(recording.signal_mv)
    offsets = np.arange(-round(before_s * rate), round(after_s * rate) + 1)
    beats = recording.beats[(recording.beats + offsets[0] >= 0) & (recording.beats + offsets[-1] < length)]
    windows: npt.NDArray[np.float64] = recording.signal_mv[beats[:, None] + offsets].astype(np.float64)
    return windows

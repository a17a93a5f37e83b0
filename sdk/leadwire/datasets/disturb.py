"""Recordings made worse on purpose, each in a stated and repeatable way.

Noise is scaled as PhysioNet's `nst` scales it: S is the recording's signal power (see `noise`), N the square of the
noise's RMS within windows of one second less their means, the mean over windows without the lowest and highest 5 %; the
noise is multiplied so that 10 log10(S / N) is the level. Three kinds come from models, each with its own seed for each
recording, so that every level of a kind has the same noise, only taller:

- baseline wander: white Gaussian noise through a band-pass of 0.05 to 0.5 Hz (Butterworth, order 2);
- muscle: white Gaussian noise through 20 to 150 Hz (or 0.45 of the rate), its size following exp(g), g Gaussian noise
  below 0.5 Hz with unit variance, so that it comes in bursts;
- electrode motion: 0.7 events a second at random times, each exp(-t / 0.15 s) - exp(-t / 0.03 s), their sizes Gaussian:
  bumps in the band of QRS and T, which is why this noise is the hardest.

They stand in for measured noise and are simpler than it. PhysioNet's Noise Stress Test Database holds measured records
(em, ma, bw), which `read_noise` of `wfdb_files` takes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from leadwire.datasets.noise import signal_power_mv2
from leadwire.datasets.recording import Recording
from leadwire.errors import DatasetError

Array = npt.NDArray[np.float64]
_TRIMMED = 0.05
_EVENTS_HZ, _RISE_S, _DECAY_S = 0.7, 0.03, 0.15


def add_noise(recording: Recording, noise: Array, snr_db: float) -> Recording:
    """`noise` [samples], of any size, added at a signal-to-noise ratio; DatasetError where signal or noise is none."""
    signal, power = signal_power_mv2(recording), noise_power(noise, recording.sample_rate_hz)
    if not signal > 0 or not power > 0:
        raise DatasetError(recording.record, "has no beats, or the noise is silent: no signal-to-noise ratio")
    factor = np.sqrt(signal / power / 10 ** (snr_db / 10))
    return _with_signal(recording, recording.signal_mv + factor * noise)


def noise_power(noise: Array, rate_hz: float) -> float:
    """N as above; of a noise shorter than a second, its variance."""
    window = round(rate_hz)
    whole = noise[: len(noise) // window * window].reshape(-1, window) if len(noise) >= window else noise[None, :]
    sizes = np.sort(whole.std(axis=1))
    cut = int(_TRIMMED * len(sizes))
    return float(sizes[cut : len(sizes) - cut].mean()) ** 2


def modelled_noise(kind: str, recording: Recording, seed: int) -> Array:
    """Noise of one of the models, as long as the recording; its size means nothing."""
    random = np.random.default_rng([seed, zlib.crc32(recording.record.encode()), zlib.crc32(kind.encode())])
    return _MODELS[kind](random, len(recording.signal_mv), recording.sample_rate_hz)


def _baseline_wander(random: np.random.Generator, samples: int, rate_hz: float) -> Array:
    return _filtered(random.normal(size=samples), (0.05, 0.5), "bandpass", rate_hz)


def _muscle(random: np.random.Generator, samples: int, rate_hz: float) -> Array:
    tone = _filtered(random.normal(size=samples), (20.0, min(150.0, 0.45 * rate_hz)), "bandpass", rate_hz)
    slow = _filtered(random.normal(size=samples), 0.5, "lowpass", rate_hz)
    return np.asarray(tone * np.exp(slow / (slow.std() + 1e-12)), dtype=np.float64)


def _electrode_motion(random: np.random.Generator, samples: int, rate_hz: float) -> Array:
    events = np.zeros(samples)
    count = int(random.poisson(_EVENTS_HZ * samples / rate_hz)) + 1
    np.add.at(events, random.integers(0, samples, count), random.normal(size=count))
    time = np.arange(int(8 * _DECAY_S * rate_hz)) / rate_hz
    from scipy.signal import fftconvolve

    shape = np.exp(-time / _DECAY_S) - np.exp(-time / _RISE_S)
    return np.asarray(fftconvolve(events, shape)[:samples], dtype=np.float64)


_MODELS: dict[str, Callable[[np.random.Generator, int, float], Array]] = {
    "baseline_wander": _baseline_wander,
    "muscle": _muscle,
    "electrode_motion": _electrode_motion,
}


def _filtered(values: Array, edges: float | tuple[float, float], kind: str, rate_hz: float) -> Array:
    from scipy.signal import butter, sosfilt

    return np.asarray(sosfilt(butter(2, edges, btype=kind, fs=rate_hz, output="sos"), values), dtype=np.float64)


# ---------------------------------------------------------------------------------------------- not noise


def add_mains(recording: Recording, frequency_hz: float, peak_mv: float, seed: int) -> Recording:
    """A sine whose phase is drawn for each recording."""
    phase = np.random.default_rng([seed, zlib.crc32(recording.record.encode())]).uniform(0, 2 * np.pi)
    time = np.arange(len(recording.signal_mv)) / recording.sample_rate_hz
    return _with_signal(recording, recording.signal_mv + peak_mv * np.sin(2 * np.pi * frequency_hz * time + phase))


def saturate(recording: Recording, limit_mv: float) -> Recording:
    """An amplifier that ends at `limit_mv` either side of the recording's median."""
    middle = float(np.median(recording.signal_mv))
    return _with_signal(recording, np.clip(recording.signal_mv, middle - limit_mv, middle + limit_mv))


def lift_lead(recording: Recording, seconds: float, seed: int) -> Recording:
    """Once in each minute, at a time drawn for it, the last value is held for so long."""
    random = np.random.default_rng([seed, zlib.crc32(recording.record.encode())])
    signal, rate = recording.signal_mv.copy(), recording.sample_rate_hz
    for minute in range(int(np.ceil(len(signal) / rate / 60))):
        start = int((60 * minute + random.uniform(0, 60 - seconds)) * rate)
        if start < len(signal):
            signal[start : start + int(seconds * rate)] = signal[start]
    return _with_signal(recording, signal)


def amplify(recording: Recording, gain: float) -> Recording:
    return _with_signal(recording, gain * recording.signal_mv)


def misclock(recording: Recording, percent: float) -> Recording:
    """A converter that runs `percent` too fast while everybody takes its rate for the nominal one: the samples between
    are interpolated linearly, the beats stay where they were in the ECG."""
    stretch = 1 + percent / 100
    samples = int(len(recording.signal_mv) * stretch)
    signal = np.interp(np.arange(samples) / stretch, np.arange(len(recording.signal_mv)), recording.signal_mv)
    beats = np.minimum(np.rint(recording.beats * stretch).astype(np.int64), samples - 1)
    return replace(recording, signal_mv=signal.astype(np.float32), beats=beats)


def cut(recording: Recording, seconds: float) -> Recording:
    """The recording's first `seconds`; all of it for 0."""
    samples = round(seconds * recording.sample_rate_hz)
    if not seconds or samples >= len(recording.signal_mv):
        return recording
    inside = recording.beats < samples
    return replace(
        recording,
        signal_mv=recording.signal_mv[:samples],
        beats=recording.beats[inside],
        labels=recording.labels[inside],
    )


def _with_signal(recording: Recording, signal: npt.NDArray[np.floating]) -> Recording:
    return replace(recording, signal_mv=signal.astype(np.float32))

"""Simulated patients: the dynamical model of McSharry, Clifford, Tarassenko and Smith (IEEE TBME 50(3):289, 2003).

A point runs round the unit circle once per beat; passing the angles of P, Q, R, S and T it is pulled up or down:

    dz/dt = - sum_i a_i w d_i exp(-d_i^2 / (2 b_i^2)) - (z - z0(t)),   d_i = theta - theta_i

The model's circle attracts the point, so it is taken to be on it from the start; what is left, the equation in z, is
linear and integrated exactly over each sample. As in Sameni et al. (EURASIP JASP 2007, 43407) the pull is times the
angular velocity w, so that a_i b_i^2 is the wave's height in millivolts whatever the heart rate. The waves' angles
follow the square root of the RR interval, as the paper scales them; w is the patient's own mean, so that a premature
beat is early but not narrow. RR intervals have the paper's two spectral peaks (0.1 and 0.25 Hz).

Ectopic beats, in the manner of Clifford, Nemati and Sameni (Physiol. Meas. 31:595, 2010), have their own RR and waves:
S comes early with the patient's QRS, another P wave and a pause that does not compensate; V comes early and wide,
without P, with T against it and a compensatory pause. There are no fusion and no unknown beats. Noise: baseline wander,
mains, muscle and the converter's step of 5 uV. Synthetic beats show that the line works, nothing about patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadwire.datasets.recording import Recording
from leadwire.datasets.source import SyntheticSplit, synthetic_patients

RATE_HZ = 360.0
LEARNING_BEATS = 10
"""Beats of sinus rhythm at the start of a recording, in which the front end's running figures settle."""

_SPAN = 432  # samples either side of R in which a beat's waves act (1.2 s)
_CONVERTER_UV = 5.0

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waves:
    """P, Q, R, S, T: heights in mV, times in seconds from R at an RR of one second, widths (b_i / w) in seconds."""

    heights_mv: Array
    times_s: Array
    widths_s: Array


def simulate_patients(seed: int, split: SyntheticSplit) -> list[Recording]:
    """One recording per patient, each with `split.beats` beats that the front end keeps."""
    return [
        simulate_patient(seed, split.first_patient + number, patient, split.beats)
        for number, patient in enumerate(synthetic_patients(split))
    ]


def simulate_patient(seed: int, number: int, patient: str, beats: int) -> Recording:
    """Everything follows from `seed` and `number`; two beats more than `beats`, since the edges are trimmed."""
    random = np.random.default_rng([seed, number])
    normal = _normal_waves(random)
    labels = _labels(random, beats + 2)
    rr = _intervals(random, labels)
    times = 1.0 + np.cumsum(rr)
    samples = np.rint(times * RATE_HZ).astype(np.int64)
    early, wide = _supraventricular_waves(random, normal), _ventricular_waves(random, normal)
    length = int(samples[-1] + RATE_HZ)
    pull = np.zeros(length + 2 * _SPAN)
    for i, label in enumerate(labels):
        waves = (normal, early, wide)[label]
        pull[samples[i] : samples[i] + 2 * _SPAN + 1] += _pull(waves, float(rr[i]), height=random.normal(1.0, 0.03))
    signal = _integrate(pull[_SPAN : _SPAN + length], _breathing(random, length)) + _noise(random, length)
    return Recording(
        record=patient,
        patient=patient,
        sample_rate_hz=RATE_HZ,
        signal_mv=(np.rint(signal * 1000 / _CONVERTER_UV) * _CONVERTER_UV / 1000).astype(np.float32),
        beats=samples,
        labels=labels,
    )


def _normal_waves(random: np.random.Generator) -> Waves:
    high = np.array((0.12, -0.10, 1.1, -0.22, 0.28)) * random.lognormal(0.0, (0.25, 0.4, 0.25, 0.4, 0.3))
    at = np.array((-0.165, -0.036, 0.0, 0.034, 0.30)) + random.normal(0.0, (0.01, 0.002, 0.0, 0.002, 0.015))
    width = np.array((0.022, 0.010, 0.0115, 0.010, 0.045)) * random.lognormal(0.0, 0.1, 5)
    return Waves(heights_mv=high, times_s=at, widths_s=width)


def _supraventricular_waves(random: np.random.Generator, normal: Waves) -> Waves:
    p = random.choice((-0.6, 0.35)) * normal.heights_mv[0]
    return Waves(
        heights_mv=np.concatenate(([p], normal.heights_mv[1:] * random.normal(1.0, 0.04, 4))),
        times_s=normal.times_s + np.array((0.03, 0.0, 0.0, 0.0, 0.0)),
        widths_s=normal.widths_s * np.array((0.8, 1.0, 1.0, 1.0, 1.0)),
    )


def _ventricular_waves(random: np.random.Generator, normal: Waves) -> Waves:
    side = random.choice((-1.0, 1.0))
    peak = side * normal.heights_mv[2] * random.uniform(0.7, 1.5)
    return Waves(
        heights_mv=np.array((0.0, -0.15 * peak, peak, -0.45 * peak, -0.4 * peak)),
        times_s=np.array((-0.2, -0.08, 0.0, 0.09, 0.30)) * random.normal(1.0, 0.05),
        widths_s=np.array((0.02, 0.03, 0.032, 0.035, 0.06)) * random.uniform(0.6, 1.1),
    )


def _labels(random: np.random.Generator, beats: int) -> npt.NDArray[np.int64]:
    """Ectopic beats stand alone: at least two sinus beats lie between them, none in the learning time or at the end."""
    labels = np.zeros(beats, dtype=np.int64)
    at = LEARNING_BEATS + int(random.integers(1, 5))
    while at < beats - 2:
        labels[at] = 1 + int(random.random() < 0.5)
        at += 3 + int(random.geometric(0.3))
    return labels


def _intervals(random: np.random.Generator, labels: npt.NDArray[np.int64]) -> Array:
    mean = random.uniform(0.68, 1.05)
    rr = mean * _tachogram(random, len(labels), mean)
    for i in np.flatnonzero(labels):
        ratio = random.uniform(0.66, 0.95) if labels[i] == 1 else random.uniform(0.6, 0.9)
        sinus = rr[i]
        rr[i] = ratio * sinus
        rr[i + 1] = sinus * (random.uniform(1.0, 1.12) if labels[i] == 1 else 2.0 - ratio)
    return rr


def _tachogram(random: np.random.Generator, beats: int, mean_rr: float) -> Array:
    """RR intervals about 1 with a standard deviation of 3 to 6 %: random phases under the paper's bimodal spectrum."""
    grid = max(64, 2 * beats)
    frequency = np.fft.rfftfreq(grid, mean_rr)
    power = np.exp(-((frequency - 0.1) ** 2) / (2 * 0.01**2)) + 2 * np.exp(-((frequency - 0.25) ** 2) / (2 * 0.01**2))
    power[0] = 0.0
    series = np.fft.irfft(np.sqrt(power) * np.exp(1j * random.uniform(0, 2 * np.pi, len(power))), grid)
    return np.asarray(1.0 + random.uniform(0.03, 0.06) * series[:beats] / max(float(series.std()), 1e-12))


def _pull(waves: Waves, rr: float, *, height: float = 1.0) -> Array:
    """-sum a_i w d_i exp(-d_i^2 / (2 b_i^2)) in mV/s over _SPAN samples either side of R; P and T follow sqrt(RR)."""
    t = np.arange(-_SPAN, _SPAN + 1)[:, None] / RATE_HZ
    stretch = np.sqrt(np.clip(rr, 0.6, 1.2)) ** np.array((1.0, 0.0, 0.0, 0.0, 1.0))
    distance = (t - waves.times_s * stretch) / waves.widths_s
    pull: Array = (-height * waves.heights_mv / waves.widths_s * distance * np.exp(-(distance**2) / 2)).sum(axis=1)
    return pull


def _integrate(pull: Array, baseline: Array) -> Array:
    """z of dz/dt = pull - (z - baseline), from z = 0, exact for values held over a sample period."""
    from scipy.signal import lfilter

    decay = np.exp(-1 / RATE_HZ)
    return np.asarray(lfilter([1 - decay], [1.0, -decay], pull + baseline))


def _breathing(random: np.random.Generator, length: int) -> Array:
    """z0 of the paper, in mV."""
    t = np.arange(length) / RATE_HZ
    wave = np.sin(2 * np.pi * random.uniform(0.2, 0.3) * t + random.uniform(0, 2 * np.pi))
    return np.asarray(random.uniform(0.05, 0.15) * wave)


def _noise(random: np.random.Generator, length: int) -> Array:
    from scipy.signal import lfilter

    t = np.arange(length) / RATE_HZ
    wander = random.uniform(0.02, 0.1) * np.sin(
        2 * np.pi * random.uniform(0.05, 0.4) * t + random.uniform(0, 2 * np.pi)
    )
    mains = random.uniform(0.0, 0.008) * np.sin(2 * np.pi * random.choice((50.0, 60.0)) * t)
    muscle = np.asarray(lfilter([0.6], [1.0, -0.4], random.normal(0.0, random.uniform(0.005, 0.04), length)))
    return np.asarray(wander + mains + muscle)

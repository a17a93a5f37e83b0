"""From a recording to the network's inputs: a window around each beat, its running template, rhythm features.

Causal with a delay of one beat: the inputs of a beat are complete when the next R position is known, and nothing
later is used, so firmware can compute them from the same samples. The state between beats is one template and one
window of WINDOW_SAMPLES values, four running figures and the last RHYTHM_BEATS RR intervals. The R positions are
given: finding them is a QRS detector's task and no part of this front end.

1. Band-pass 0.5 to 35 Hz, Butterworth of order 2, run forward only.
2. Window of WINDOW_SAMPLES at WINDOW_HZ, from WINDOW_BEFORE_S before the R position, less its own median.
3. Template: a running mean of the patient's beats that moves by a bounded step, so that single ectopic beats hardly
   move it (a stochastic approximation of the running median, Robbins and Monro 1951).
4. Channels: beat / A and (beat - template) / A, with A the template's peak; limited to +-BEAT_LIMIT.
5. FEATURE_NAMES: logarithms of RR ratios and comparisons of the beat with the template, limited to +-FEATURE_LIMIT.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from leadwire.datasets.recording import Recording
from leadwire.errors import DatasetError

Values: TypeAlias = npt.NDArray[np.float64]

WINDOW_HZ = 120.0
WINDOW_SAMPLES = 96
WINDOW_BEFORE_S = 0.3
BEAT_LIMIT = 2.0
FEATURE_LIMIT = 1.0
RHYTHM_BEATS = 256
STEP = 1 / 4096
"""Resolution of the inputs, far below a step of INT8."""

FEATURE_NAMES = (
    "rr_before",  # this RR against the usual RR, the median of the last RHYTHM_BEATS
    "rr_after",  # the next RR against the usual RR
    "rr_turn",  # this RR against the next
    "rr_previous",  # the RR before this one against the usual RR
    "rr_seconds",  # this RR against 0.8 s
    "rr_slow",  # this RR against the slow RR, the longest tenth of the last RHYTHM_BEATS
    "rr_spread",  # the usual RR against the slow RR: low where most beats are early
    "rr_recent",  # this RR against the running mean RR
    "rr_quiet",  # this RR against the median of the last 8
    "rr_irregular",  # running mean of |ln(RR / previous RR)|: high in atrial fibrillation
    "rr_surprise",  # rr_recent in units of the running irregularity
    "similarity",  # correlation of the beat with the template
    "similarity_qrs",  # the same within 83 ms of the R position
    "similarity_p",  # the same for the part before the QRS complex, where the P wave is
    "amplitude",  # peak of the beat against the template's
    "width",  # area of |beat| around R divided by its peak, against the template's
    "similarity_last",  # correlation with the beat before
    "novelty",  # distance from the template against the running mean of that distance
    "novelty_qrs",  # the same within 83 ms of the R position
)

_QRS = slice(26, 47)  # 83 ms either side of the R position, which is sample 36
_P_WAVE = slice(4, 28)
_WIDE = slice(18, 60)
_TEMPLATE_RATE = 1 / 64
_TEMPLATE_STEP = 0.25
_RR_RATE = 1 / 32
_IRREGULAR_RATE = 1 / 24


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """`beat` float32 [n, WINDOW_SAMPLES, 2], `features` float32 [n, len(FEATURE_NAMES)]; `kept` int64 [n] are the
    positions in `recording.beats` that have a whole window and an RR interval on either side.
    """

    beat: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]
    kept: npt.NDArray[np.int64]


def extract_beats(recording: Recording) -> FrontEnd:
    """Inputs of every beat that has a neighbour on either side and a whole window."""
    from scipy.signal import butter, sosfilt, sosfilt_zi

    rate = recording.sample_rate_hz
    if rate < 2 * WINDOW_HZ:
        raise DatasetError(
            recording.record,
            f"sampled at {rate:g} Hz, below {2 * WINDOW_HZ:g} Hz",
            hint="use the recording at its original rate",
        )
    sections = butter(2, (0.5, 35.0), btype="bandpass", fs=rate, output="sos")
    signal = recording.signal_mv.astype(np.float64)
    filtered, _ = sosfilt(sections, signal, zi=sosfilt_zi(sections) * signal[0])

    beats = recording.beats
    offsets = (np.arange(WINDOW_SAMPLES) / WINDOW_HZ - WINDOW_BEFORE_S) * rate
    whole = (beats + offsets[0] >= 0) & (beats + offsets[-1] <= len(signal) - 1)
    inner = (np.arange(len(beats)) > 0) & (np.arange(len(beats)) < len(beats) - 1)
    kept = np.flatnonzero(whole & inner)
    if not len(kept):
        raise DatasetError(recording.record, "has no beat with a whole window and a beat on either side")
    windows = np.interp(beats[kept, None] + offsets, np.arange(len(filtered)), filtered)
    windows -= np.median(windows, axis=1, keepdims=True)
    rr = np.diff(beats) / rate

    beat = np.empty((len(kept), WINDOW_SAMPLES, 2))
    features = np.column_stack((_rhythm(rr)[kept - 1], _follow_template(windows, beat)))
    return FrontEnd(beat=_limited(beat, BEAT_LIMIT), features=_limited(features, FEATURE_LIMIT), kept=kept)


def _limited(values: npt.NDArray[np.float64], limit: float) -> npt.NDArray[np.float32]:
    """Limited and rounded to STEP, so that the last bit of another machine's logarithm does not change a digest."""
    return (np.rint(np.clip(values, -limit, limit) / STEP) * STEP).astype(np.float32)


def _rhythm(rr: Values) -> Values:
    """Rhythm features of beat i + 1 for i in range(len(rr) - 1): rr[i] is before it, rr[i + 1] after it."""
    before, after = rr[:-1], rr[1:]
    previous = np.concatenate((rr[:1], rr[:-2]))
    usual, slow, quiet = _usual_intervals(before)
    turn = np.abs(np.log(before / previous))
    recent, irregular = np.empty(len(before)), np.empty(len(before))
    running_mean, running_change = rr[0], 0.0
    for i in range(len(before)):
        recent[i], irregular[i] = np.log(before[i] / running_mean), running_change
        running_mean *= np.exp(max(_RR_RATE, 1 / (i + 2)) * min(max(recent[i], -0.5), 0.5))
        running_change += max(_IRREGULAR_RATE, 1 / (i + 2)) * (min(turn[i], 0.5) - running_change)
    return np.column_stack(
        (
            np.log(before / usual),
            np.log(after / usual),
            np.log(before / after),
            np.log(previous / usual),
            np.log(before / 0.8),
            np.log(before / slow),
            np.log(usual / slow),
            recent,
            np.log(before / quiet),
            irregular * 2,
            recent / (8 * (irregular + 0.02)),
        )
    )


def _usual_intervals(rr: Values) -> tuple[Values, Values, Values]:
    """After each interval: median and longest tenth of the last RHYTHM_BEATS, and the median of the last 8."""
    usual, slow, quiet = np.empty(len(rr)), np.empty(len(rr)), np.empty(len(rr))
    history: list[float] = []
    values = rr.tolist()
    for i, value in enumerate(values):
        insort(history, value)
        if i >= RHYTHM_BEATS:
            del history[bisect_left(history, values[i - RHYTHM_BEATS])]
        usual[i], slow[i] = history[len(history) // 2], history[(9 * len(history)) // 10]
        quiet[i] = median(values[max(0, i - 7) : i + 1])
    return usual, slow, quiet


def _follow_template(windows: Values, beat: Values) -> Values:
    """Fills the two channels of `beat` and returns the eight shape features of each window.

    Only the template itself has to be followed beat by beat; what is compared with it is computed for all at once.
    """
    templates, peaks = np.empty_like(windows), np.empty(len(windows))
    template = windows[0]
    for i, window in enumerate(windows):
        peak = max(float(np.abs(template).max()), 0.05)
        templates[i], peaks[i] = template, peak
        step = np.minimum(np.maximum(window - template, -_TEMPLATE_STEP * peak), _TEMPLATE_STEP * peak)
        template = template + max(_TEMPLATE_RATE, 1 / (i + 2)) * step
    difference = windows - templates
    beat[:, :, 0] = windows / peaks[:, None]
    beat[:, :, 1] = difference / peaks[:, None]
    last = np.concatenate((windows[:1], windows[:-1]))
    return np.column_stack(
        (
            _correlation(windows, templates),
            _correlation(windows[:, _QRS], templates[:, _QRS]),
            _correlation(windows[:, _P_WAVE], templates[:, _P_WAVE]),
            np.log((np.abs(windows[:, _WIDE]).max(axis=1) + 0.01) / peaks),
            np.log(_width(windows) / _width(templates)),
            _correlation(windows, last),
            _novelty(difference, peaks),
            _novelty(difference[:, _QRS], peaks),
        )
    )


def _novelty(difference: Values, peaks: Values) -> Values:
    """The logarithm of each beat's distance from the template against its running mean, a third of it."""
    distance = np.log(np.sqrt(np.vecdot(difference, difference) / difference.shape[1]) / peaks + 0.02)
    novelty, usual = np.empty(len(distance)), float(np.log(0.1))
    for i, value in enumerate(distance.tolist()):
        novelty[i] = (value - usual) / 3
        usual += max(_TEMPLATE_RATE, 1 / (i + 2)) * min(max(value - usual, -0.5), 0.5)
    return novelty


def _width(windows: Values) -> Values:
    part = np.abs(windows[:, _WIDE])
    return np.asarray((part.sum(axis=1) + 0.01) / (part.max(axis=1) + 0.01))


def _correlation(one: Values, other: Values) -> Values:
    """Of each row of one with the same row of the other."""
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    sizes = np.sqrt(np.vecdot(one, one) * np.vecdot(other, other))
    return np.asarray(np.vecdot(one, other) / (sizes + 1e-9))

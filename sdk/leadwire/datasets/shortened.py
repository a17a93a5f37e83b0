"""Recordings with their stretches of normal beats cut short: a patient who is mostly ectopic, made of one who is not.

The training half of MIT-BIH has no patient in whom S beats are the majority; running figures of rhythm mean another
thing in such a one, and such patients exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leadwire.datasets.recording import Recording

_NORMAL, _SUPRAVENTRICULAR = 0, 1
_FROM_BEATS = 10


def shorten_sinus(recording: Recording, keep: int) -> Recording:
    """The recording with every stretch of N beats cut, from R to R, to `keep` of them.

    Rhythm stays true on both sides of a cut; the beat at the cut is N with the first half of one and the second half of
    another N beat.
    """
    beats, labels = recording.beats, recording.labels
    bounds = np.flatnonzero(np.diff(np.concatenate(([False], labels == _NORMAL, [False])).astype(int)))
    spared = np.ones(len(beats), bool)
    shift = np.zeros(len(beats), np.int64)
    parts, start = [], 0
    for first, end in zip(bounds[::2], bounds[1::2], strict=True):
        if end - first > keep:
            seam, last = first + (keep - 1) // 2, end - 1 - keep // 2
            spared[seam + 1 : last + 1] = False
            shift[last + 1 :] += beats[last] - beats[seam]
            parts.append(recording.signal_mv[start : beats[seam]])
            start = beats[last]
    parts.append(recording.signal_mv[start:])
    moved = (beats - shift)[spared]
    return replace(recording, signal_mv=np.concatenate(parts), beats=moved, labels=labels[spared])


def shortened_recordings(recordings: Sequence[Recording], keep: Sequence[int]) -> list[Recording]:
    """For each recording with at least ten S beats, one shortened to each number of `keep`; it keeps its patient."""
    rich = [one for one in recordings if (one.labels == _SUPRAVENTRICULAR).sum() >= _FROM_BEATS]
    return [shorten_sinus(one, count) for one in rich for count in keep]

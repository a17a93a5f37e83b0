"""Calibration curves: is a decision right as often as its probability says, in float and in INT8?

For models whose outputs are probabilities: float rows within 0..1 that add up to 1, and quantized outputs with the
scale and zero point that TFLite fixes for SOFTMAX and LOGISTIC: 1/256 and -128 for int8, 1/32768 and 0 for int16.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import Predictions, Reliability, ReliabilityBin
from leadwire.datasets.dataset import Dataset

from .inputs import Run

BINS = 10
_ROUNDING = 1e-3  # of a sum of float32 probabilities


def reliability(run: Run, predictions: Predictions, dataset: Dataset) -> Reliability | None:
    """Ten bins of equal width over the largest probability; None where the outputs are no probabilities."""
    if not _are_probabilities(predictions):
        return None
    largest = predictions.outputs.max(axis=1)
    right = run.decided == dataset.labels[run.beats]
    # a quantized probability is a multiple of 2^-8 or 2^-15: times 10 it is exact and never falls short of its bin
    place = np.minimum((largest * BINS).astype(np.int64), BINS - 1)
    bins = [_bin(number, largest[place == number], right[place == number]) for number in range(BINS)]
    return Reliability(runtime=run.runtime, bins=tuple(one for one in bins if one.beats))


def _bin(number: int, largest: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> ReliabilityBin:
    return ReliabilityBin(
        low=number / BINS,
        high=(number + 1) / BINS,
        beats=len(largest),
        right=int(right.sum()),
        confidence=float(largest.mean()) if len(largest) else 0.0,
    )


def _are_probabilities(predictions: Predictions) -> bool:
    outputs, raw = predictions.outputs, predictions.raw
    if raw is not None:
        zero_point, steps = (-128, 256) if raw.dtype == np.int8 else (0, 32768)
        return raw.shape == outputs.shape and bool((outputs == (raw.astype(np.float64) - zero_point) / steps).all())
    inside = (outputs >= 0).all() and (outputs <= 1).all()
    return bool(inside and (abs(outputs.sum(axis=1) - 1) <= _ROUNDING).all())

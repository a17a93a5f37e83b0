"""Calibrators: from the values that a tensor takes over the calibration set to the range that its integers span.

A wide range holds every value and makes every step coarse; a narrow one clips the largest values and serves the others
better. `minmax` clips nothing. `percentile` leaves out a fixed share at each end. `mse` takes the range of the least
squared error: clipped values by how far they are clipped, the others by a twelfth of the squared step. `entropy` takes
the range whose quantized distribution has the least relative entropy to the real one (Migacz, "8-bit inference with
TensorRT", GTC 2017), here over a signed range and
without the zeros.

All but `minmax` read a histogram of `BINS` bins between the lowest and the highest value: two passes over the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import Calibrator
from leadwire.datasets import Dataset
from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tflite import read_tflite

BINS: Final = 4096
_STEPS: Final = 64
"""Ends of a range that are tried on each side, evenly from nothing to the extreme value."""

Range = tuple[float, float]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How a tensor's values lie: `counts` over `BINS` bins of equal width from `low` to `high`, the extreme values."""

    low: float
    high: float
    counts: Floats

    @property
    def centres(self) -> Floats:
        width = (self.high - self.low) / len(self.counts)
        centres: Floats = self.low + width * (np.arange(len(self.counts), dtype=np.float64) + 0.5)
        return centres


def measure_spreads(floating: bytes, samples: Dataset) -> dict[int, Spread]:
    """The spread of every float activation of a float .tflite over `samples`, by tensor. UnsupportedModelError where
    one is NaN or infinite."""
    with TemporaryDirectory(prefix="leadwire-") as folder:
        path = Path(folder) / "float.tflite"
        path.write_bytes(floating)
        model = read_tflite(path)
        lows: dict[int, float] = {}
        highs: dict[int, float] = {}
        for tensor, values in _activations(path, model, samples):
            lows[tensor] = min(lows.get(tensor, np.inf), float(values.min()))
            highs[tensor] = max(highs.get(tensor, -np.inf), float(values.max()))
            if not np.isfinite(values).all():
                raise UnsupportedModelError(
                    f"tensor '{model.tensors[tensor].label}' of the float model",
                    "is NaN or infinite on a calibration input: it has no range",
                    hint="look at the weights of the layer, and at what was trained",
                )
        counts = {tensor: np.zeros(BINS) for tensor in lows}
        for tensor, values in _activations(path, model, samples):
            width = highs[tensor] - lows[tensor]
            if width > 0:
                places = np.minimum((values - lows[tensor]) * (BINS / width), BINS - 1).astype(np.int64)
                counts[tensor] += np.bincount(places, minlength=BINS)
    return {tensor: Spread(low=lows[tensor], high=highs[tensor], counts=counts[tensor]) for tensor in sorted(lows)}


def choose_range(spread: Spread, calibrator: Calibrator, *, bits: int, percentile: float) -> Range:
    """The range of a tensor by a calibrator, for integers of so many bits: 8, asymmetric, or 16, symmetric around 0."""
    if calibrator == "minmax" or spread.low >= spread.high:
        return spread.low, spread.high
    if calibrator == "percentile":
        return _by_percentile(spread, percentile)
    lows, highs = _candidates(spread)
    if calibrator == "mse":
        costs = squared_errors(spread, lows, highs, bits=bits)
        low, high = np.unravel_index(int(np.argmin(costs)), costs.shape)
        return float(lows[low]), float(highs[high])
    return _by_entropy(spread, bits=bits)


def squared_errors(spread: Spread, lows: Floats, highs: Floats, *, bits: int) -> Floats:
    """The expected sum of squared errors for every pair of ends, [lows, highs]."""
    values, counts = spread.centres, spread.counts
    above = np.array([np.sum(counts * np.square(np.maximum(values - high, 0))) for high in highs])
    below = np.array([np.sum(counts * np.square(np.minimum(values - low, 0))) for low in lows])
    inside = np.array([[counts[(values >= low) & (values <= high)].sum() for high in highs] for low in lows])
    bottom, top = np.minimum(lows, 0)[:, None], np.maximum(highs, 0)[None, :]
    width = 2 * np.maximum(-bottom, top) if bits == 16 else top - bottom
    step = width / (2**bits - 1)
    errors: Floats = below[:, None] + above[None, :] + inside * np.square(step) / 12
    return errors


def _candidates(spread: Spread) -> tuple[Floats, Floats]:
    """Lower and upper ends to try, the widest first, so that of equals the widest is taken. A lower end above zero
    and an upper one below it stay."""
    shares = np.arange(_STEPS, 0, -1) / _STEPS
    lows = shares * spread.low if spread.low < 0 else np.array([spread.low])
    highs = shares * spread.high if spread.high > 0 else np.array([spread.high])
    return lows, highs


def _by_percentile(spread: Spread, percentile: float) -> Range:
    """Half of what is left out at each end; an end at which many values stand, as those of a RELU at 0, stays."""
    share = (1 - percentile / 100) / 2
    reached = np.cumsum(spread.counts) / spread.counts.sum()
    edges = np.linspace(spread.low, spread.high, len(spread.counts) + 1)
    low = edges[int(np.searchsorted(reached, share, side="right"))]
    high = edges[int(np.searchsorted(reached, 1 - share, side="left")) + 1]
    return float(min(low, high)), float(max(low, high))


def _by_entropy(spread: Spread, *, bits: int) -> Range:
    """The threshold t of the least relative entropy between the values clipped to [-t, t] and their quantized form."""
    levels = 2**bits
    counts = _without_zeros(spread)
    extreme = max(abs(spread.low), abs(spread.high))
    best: Range = (spread.low, spread.high)
    least = np.inf
    for share in np.arange(_STEPS, 0, -1) / _STEPS:
        low, high = max(spread.low, -float(share) * extreme), min(spread.high, float(share) * extreme)
        inside = (spread.centres >= low) & (spread.centres <= high)
        if inside.sum() < 2:
            break
        cost = _relative_entropy(counts, inside, levels)
        if cost < least - 1e-12:
            least, best = cost, (low, high)
    return best


def _without_zeros(spread: Spread) -> Floats:
    """The counts with those of the bin around 0 made its neighbour's: what a RELU cut off is exact in any range, and so
    much of it would make every range look bad but the narrowest."""
    counts = spread.counts.copy()
    if spread.low <= 0 <= spread.high:
        at = min(int(-spread.low / (spread.high - spread.low) * len(counts)), len(counts) - 1)
        counts[at] = counts[at + 1 if at + 1 < len(counts) else at - 1]
    return counts


def _relative_entropy(counts: Floats, inside: npt.NDArray[np.bool_], levels: int) -> float:
    """Sum p log(p / q): p the bins inside with what lies outside added at the ends, q those inside, in steps."""
    first, last = int(np.argmax(inside)), len(inside) - int(np.argmax(inside[::-1]))
    kept = counts[first:last]
    real = kept.copy()
    real[0] += counts[:first].sum()
    real[-1] += counts[last:].sum()
    groups = np.minimum(np.arange(len(kept)) * levels // len(kept), levels - 1)
    filled = kept > 0
    sums = np.bincount(groups, weights=kept, minlength=levels)
    used = np.bincount(groups, weights=filled, minlength=levels)
    spread_out = np.where(filled, sums[groups] / np.maximum(used[groups], 1), 0.0)
    p, q = real / real.sum(), spread_out / max(spread_out.sum(), 1.0)
    held = p > 0
    return float(np.sum(p[held] * np.log(p[held] / np.maximum(q[held], 1e-9))))


def _activations(path: Path, model: Model, samples: Dataset) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """(tensor, its values) of every float input and every operator's float outputs, sample after sample."""
    given = reference.match_inputs(model, samples.inputs, samples.input_names)
    answers = reference.float_operator_outputs(path, samples.inputs, samples.input_names)
    for position, outputs in enumerate(answers):
        for tensor, values in zip(model.inputs, given, strict=True):
            yield tensor, values[position].ravel()
        for operator, flat in zip(model.operators, outputs, strict=True):
            edges = np.cumsum([one.elements for one in model.made(operator)])[:-1]
            for one, part in zip(model.made(operator), np.split(flat, edges), strict=True):
                if one.dtype.is_float and part.size:
                    yield one.index, part

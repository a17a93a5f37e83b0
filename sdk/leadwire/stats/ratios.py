"""Ratios of sums over patients and their differences, and the delta method over beats.

Columns are numerators and denominators in turn. `ratio`, `ratio_loss` and `excess_loss` are functions of sums
[..., columns] that know their slopes, so that a standard error over patients follows from the same columns.
"""

from __future__ import annotations

from math import isfinite, nan, sqrt
from typing import Protocol, runtime_checkable

import numpy as np

from leadwire.artifacts import Interval

from .normal import Floats, normal_cdf, two_sided_z


@runtime_checkable
class PatientStatistic(Protocol):
    """A figure of sums over patients, between `low` and `high`."""

    low: float
    high: float

    def __call__(self, sums: Floats, /) -> Floats:
        """Its value [...] for sums [..., columns]; NaN where a denominator is 0."""

    def slopes(self, sums: Floats, /) -> Floats:
        """Its derivatives by the columns, [..., columns]."""


def mean_ratios(sums: Floats) -> Floats:
    """The first and the second ratio of sums [..., 4 k], each the mean over k blocks (numerator, denominator of the
    first, numerator, denominator of the second): [..., 2]. NaN where one has no denominator.

    Added one after the other, so that whoever repeats it in another language finds the same bits, and with them the
    same resamples equal to the estimate.
    """
    blocks = sums.reshape(*sums.shape[:-1], -1, 2, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = blocks[..., 0] / blocks[..., 1]
    total = ratios[..., 0, :]
    for place in range(1, ratios.shape[-2]):
        total = total + ratios[..., place, :]
    mean = total / ratios.shape[-2]
    return np.asarray(np.where(np.isfinite(mean), mean, nan), dtype=np.float64)


def _ratio_slopes(sums: Floats, signs: tuple[float, ...]) -> Floats:
    """Derivatives of the mean over k blocks of sign x numerator / denominator, a block having one ratio for each
    sign."""
    blocks = sums.reshape(*sums.shape[:-1], -1, len(signs), 2)
    weights = np.array(signs) / blocks.shape[-3]
    numerators, denominators = blocks[..., 0], blocks[..., 1]
    slopes = np.stack([weights / denominators, -weights * numerators / denominators**2], axis=-1)
    return np.asarray(slopes.reshape(sums.shape), dtype=np.float64)


class _Ratio:
    low, high = 0.0, 1.0

    def __call__(self, sums: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1], dtype=np.float64)

    def slopes(self, sums: Floats) -> Floats:
        return _ratio_slopes(sums, (1.0,))


class _RatioLoss:
    low, high = -1.0, 1.0

    def __call__(self, sums: Floats) -> Floats:
        ratios = mean_ratios(sums)
        return np.asarray(ratios[..., 0] - ratios[..., 1], dtype=np.float64)

    def slopes(self, sums: Floats) -> Floats:
        return _ratio_slopes(sums, (1.0, -1.0))


class _ExcessLoss:
    low, high = -2.0, 2.0

    def __call__(self, sums: Floats) -> Floats:
        half = sums.shape[-1] // 2
        return np.asarray(ratio_loss(sums[..., :half]) - ratio_loss(sums[..., half:]), dtype=np.float64)

    def slopes(self, sums: Floats) -> Floats:
        half = sums.shape[-1] // 2
        sides = [ratio_loss.slopes(sums[..., :half]), -ratio_loss.slopes(sums[..., half:])]
        return np.concatenate(sides, axis=-1)


ratio: PatientStatistic = _Ratio()
"""One ratio of sums [..., 2]."""
ratio_loss: PatientStatistic = _RatioLoss()
"""First ratio minus second of sums [..., 4] (numerator, denominator, numerator, denominator); NaN where empty. Of sums
[..., 4 k] the mean of k such differences, defined where each of them is."""
excess_loss: PatientStatistic = _ExcessLoss()
"""The loss of the first half of the columns less that of the second."""


def paired_ratio_delta(beats: Floats, level: float = 0.95, *, unseen: Floats | None = None) -> Interval:
    """Delta-method interval of the difference of two ratios, or of the means of several, over the same beats. Rows
    [n, 4 k] as in `ratio_loss`.

    For figures whose denominator depends on the prediction (positive predictivity, F1), where Newcombe and Tango do
    not apply. Linearised as Moskowitz and Pepe do for predictive values (Clinical Trials 3:272-279, 2006). `unseen`
    are kinds of changed beats, half a beat of each being added as Agresti and Min do for paired proportions
    (Statistics in Medicine 24:729-740, 2005), so that no change in n beats does not yield an interval without width.
    The centre stays the estimate from the beats alone.
    """
    z = two_sided_z(level)
    method = "delta method, half a beat added to each kind of change"
    centre, error = _centre_and_error(beats, unseen)
    if not isfinite(error):
        return Interval(low=-1.0, high=1.0, level=level, method=method)
    half = z * error
    return Interval(low=max(-1.0, centre - half), high=min(1.0, centre + half), level=level, method=method)


def paired_ratio_p_value(beats: Floats, margin: float, *, unseen: Floats | None = None) -> float:
    """One-sided p that the loss is `margin` or more, by the same normal approximation as `paired_ratio_delta`."""
    centre, error = _centre_and_error(beats, unseen)
    if not isfinite(error):
        return 1.0
    if error == 0:
        return 0.0 if centre < margin else 1.0
    return normal_cdf((centre - margin) / error)


def _centre_and_error(beats: Floats, unseen: Floats | None) -> tuple[float, float]:
    """The loss and its standard error; NaN where a ratio has no denominator."""
    kinds, counts = np.unique(beats, axis=0, return_counts=True)
    weights = counts.astype(np.float64)
    centre = float(ratio_loss(beats.sum(axis=0)))
    if unseen is not None:
        kinds = np.concatenate([kinds, unseen])
        weights = np.concatenate([weights, np.full(len(unseen), 0.5)])
    sums = weights @ kinds
    if not isfinite(centre) or not sums[1::2].all():
        return centre, nan
    ratios, numerators, denominators = sums[::2] / sums[1::2], kinds[:, ::2], kinds[:, 1::2]
    influences = (numerators - ratios * denominators) / sums[1::2]
    influence = (influences[:, ::2] - influences[:, 1::2]).mean(axis=1)
    return centre, sqrt(float(weights @ influence**2))

"""Differences of two ratios over the same beats, whose denominators depend on the decision."""

from __future__ import annotations

from math import isfinite, nan, sqrt

import numpy as np

from leadwire.artifacts import Interval

from .normal import Floats, normal_cdf, two_sided_z


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


def ratio_loss(sums: Floats) -> Floats:
    """First ratio minus second of sums [..., 4] (numerator, denominator, numerator, denominator); NaN where empty. Of
    sums [..., 4 k] the mean of k such differences, defined where each of them is."""
    ratios = mean_ratios(sums)
    return np.asarray(ratios[..., 0] - ratios[..., 1], dtype=np.float64)


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

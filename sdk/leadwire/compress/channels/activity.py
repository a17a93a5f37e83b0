"""What activations a network has on beats: how many are zero, and which channels never say anything. Imported where
Keras runs.

A channel that has one value for all beats says nothing. What it contributes to the layers that take it is a number,
which goes into their bias; where it is not the same number at all positions (a constant other than zero beside zero
padding), the channel stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from leadwire.compress.training import inputs_for
from leadwire.datasets import Dataset
from leadwire.model.keras_graph import RECURRENT

from .coupling import PRODUCERS, Coupling, Keras, Site

Values = npt.NDArray[np.float64]
_BATCH: Final = 1024
_SAME: Final = 1e-5
"""Contributions at two positions are the same up to this part of the largest (float32 sums)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Of each value of a tensor [shape without batch], over all beats: smallest, largest, mean, and how often zero."""

    low: Values
    high: Values
    mean: Values
    zeros: Values


def measure_activity(model: Keras, tensors: Sequence[Any], dataset: Dataset) -> list[Activity]:
    """Of tensors within the model, over all beats of a data set, undisturbed."""
    probe = keras.Model(model.inputs, list(tensors))
    count = len(dataset)
    sums: list[list[Values]] = []
    for start in range(0, count, _BATCH):
        part = [one[start : start + _BATCH] for one in dataset.inputs]
        found = probe.predict_on_batch(inputs_for(model, dataset, part))
        told = [
            [one.min(axis=0), one.max(axis=0), one.sum(axis=0, dtype=np.float64), (one == 0).sum(axis=0)]
            for one in map(np.asarray, found if isinstance(found, (list, tuple)) else [found])
        ]
        sums = [_both(*pair) for pair in zip(sums, told, strict=True)] if sums else told
    return [Activity(low=low, high=high, mean=total / count, zeros=zeros / count) for low, high, total, zeros in sums]


def _both(one: list[Values], other: list[Values]) -> list[Values]:
    return [np.minimum(one[0], other[0]), np.maximum(one[1], other[1]), one[2] + other[2], one[3] + other[3]]


def rectified(coupling: Coupling) -> dict[str, Any]:
    """Outputs of ReLU layers and of layers with a ReLU within, by layer."""
    return {
        site.call.name: site.call.outputs[0]
        for site in coupling.sites
        if site.call.kind in ("ReLU", "Relu", "Relu6")
        or getattr(getattr(site.call.layer, "activation", None), "__name__", "") in ("relu", "relu6")
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """Classes of channels that never say anything, how active each is (0: not at all), and what the layers that take
    them get from them instead: `bias` [class][layer] is [output channels]."""

    activity: dict[int, float]
    bias: dict[int, dict[str, npt.NDArray[np.float32]]]


def find_silent(model: Keras, coupling: Coupling, dataset: Dataset, rare: float) -> Silent:
    """Classes that at every layer which takes them are constant over the beats, or other than zero in a fraction of at
    most `rare` of their values; the constant is their mean."""
    takers = [site for site in coupling.sites if _weighs(site)]
    if not takers:
        return Silent(activity={}, bias={})
    measured = measure_activity(model, [site.call.inputs[0] for site in takers], dataset)
    candidates: dict[int, float] = {
        int(root): 0.0
        for own in coupling.producers.values()
        for root in coupling.roots(own)
        if not coupling.reason(int(root))
    }
    for site, found in zip(takers, measured, strict=True):
        roots = coupling.roots(site.before)
        for root in [one for one in candidates if (roots == one).any()]:
            own = roots == root
            active = float(1 - found.zeros[own].mean())
            if (found.high[own] > found.low[own]).any() and active > rare:
                del candidates[root]
            elif (found.high[own] > found.low[own]).any():
                candidates[root] = max(candidates[root], active)
    bias: dict[int, dict[str, npt.NDArray[np.float32]]] = {root: {} for root in candidates}
    names = [site.call.name for site in takers]
    for site, found in zip(takers, measured, strict=True):
        roots = coupling.roots(site.before)
        for root in [one for one in candidates if (roots == one).any()]:
            constant = np.where(roots == root, found.mean, 0)
            if not constant.any():
                continue
            added = None if names.count(site.call.name) > 1 else _contribution(site, constant)
            if added is None:
                del candidates[root]
            else:
                bias[root][site.call.name] = added
    return Silent(activity=candidates, bias={root: bias[root] for root in candidates})


def _weighs(site: Site) -> bool:
    """Whether a layer makes new channels of those it takes; others hand them on."""
    return site.call.kind in PRODUCERS or site.call.kind in (*RECURRENT, "Bidirectional")


def _contribution(site: Site, constant: Values) -> npt.NDArray[np.float32] | None:
    """[output channels] that a layer adds for a constant input, None where it differs from position to position."""
    layer = site.call.layer
    if site.call.kind not in PRODUCERS:
        return None
    plain = type(layer).from_config(layer.get_config() | {"use_bias": False, "activation": None, "name": "plain"})
    plain.build((1, *constant.shape))
    plain.set_weights(layer.get_weights()[: len(plain.weights)])
    found = np.asarray(plain(constant[None].astype(np.float32)))[0]
    flat = found.reshape(-1, found.shape[-1])
    if np.abs(flat - flat[0]).max() > _SAME * max(float(np.abs(flat).max()), 1e-30):
        return None
    first: npt.NDArray[np.float32] = flat[0]
    return first

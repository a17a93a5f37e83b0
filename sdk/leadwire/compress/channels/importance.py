"""What a class of coupled channels is worth, by three criteria. Imported where Keras runs.

l1      mean absolute weight of the filters that make a channel, in units of the layer's mean (Li et al., "Pruning
        Filters for Efficient ConvNets", ICLR 2017)
gamma   absolute scale of the batch normalizations a channel goes through, in units of the layer's mean (Liu et al.,
        "Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017)
taylor  squared first-order change of the loss if the channel were zero, mean over beats (Molchanov et al., "Importance
        Estimation for Neural Network Pruning", CVPR 2019: a gate behind the batch normalization)

A class that several layers make has the mean of the first two, and the change of the loss if all of it were zero.
"""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from leadwire.compress.batches import Batches
from leadwire.compress.training import inputs_for
from leadwire.compress.work import Work
from leadwire.errors import BadInputError, TrainingError
from leadwire.model.keras_graph import TRANSPOSED

from .coupling import Coupling, Keras, Names

Criterion = Literal["l1", "gamma", "taylor"]
Values = npt.NDArray[np.float64]


def importance_of(
    criterion: Criterion, model: Keras, coupling: Coupling, work: Work, *, label: str, beats: int
) -> dict[int, float]:
    """By the name of each class that the criterion can tell of. `beats` training beats are looked at for taylor.

    BadInputError (2) where no channel goes through a batch normalization and gamma is asked for; TrainingError (2)
    where the loss is no number.
    """
    if criterion == "l1":
        return _mean_by_class(coupling, [(own, _l1(model.get_layer(name))) for name, own in coupling.producers.items()])
    if criterion == "taylor":
        return _taylor(model, coupling, work, label, beats)
    return mean_gammas(coupling, model.name)


def mean_gammas(coupling: Coupling, model: str) -> dict[int, float]:
    """gamma, by the name of each class; only of classes that go through a batch normalization with a scale."""
    scales = [
        (coupling.along_last(site.after), np.abs(np.asarray(site.call.layer.gamma)))
        for site in coupling.sites
        if site.call.kind == "BatchNormalization" and site.call.layer.scale
    ]
    if not scales:
        raise BadInputError(
            f"criterion 'gamma' wants batch normalizations, model '{model}' has none with a scale",
            hint="set criterion to 'taylor' or 'l1'",
        )
    return _mean_by_class(coupling, scales)


def _l1(layer: Keras) -> Values:
    """[output channels]"""
    kind = type(layer).__name__
    kernel = np.asarray(next(one for one in reversed(layer.weights) if "kernel" in one.name), np.float64)
    channel_axis = kernel.ndim - 2 if kind in TRANSPOSED else kernel.ndim - 1
    means: Values = np.abs(kernel).mean(axis=tuple(axis for axis in range(kernel.ndim) if axis != channel_axis))
    return means


def _mean_by_class(coupling: Coupling, told: list[tuple[Names, Values]]) -> dict[int, float]:
    """`told` are channels [n] and what each is worth [n]; each entry is scaled to a mean of 1."""
    found: dict[int, list[float]] = {}
    for names, values in told:
        scaled = values / max(float(values.mean()), 1e-30)
        for root, value in zip(coupling.roots(names), scaled, strict=True):
            found.setdefault(int(root), []).append(float(value))
    return {root: float(np.mean(values)) for root, values in found.items()}


def _taylor(model: Keras, coupling: Coupling, work: Work, label: str, beats: int) -> dict[int, float]:
    gates = _gates(coupling)
    probe = keras.Model(model.inputs, [model.outputs[0], *(tensor for tensor, _ in gates)])
    roots = np.unique(coupling.roots(np.concatenate([own for _, own in gates])))
    place = {int(root): index for index, root in enumerate(roots)}
    columns = [np.array([place[int(root)] for root in coupling.roots(own)]) for _, own in gates]

    def changes(inputs: Any, labels: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            answer, *values = probe(inputs, training=False)
            loss = tf.reduce_sum(weights * keras.losses.sparse_categorical_crossentropy(labels, answer))
        slopes = tape.gradient(loss, values, unconnected_gradients="zero")
        return [
            tf.reduce_sum(value * slope, axis=list(range(1, len(value.shape) - 1)))
            for value, slope in zip(values, slopes, strict=True)
        ]

    compiled = tf.function(changes, reduce_retracing=True)
    batches = Batches(work.train, work.training, work.seed)
    total, seen = np.zeros(len(roots)), 0
    for batch in batches.epoch(0):
        own = np.zeros((len(batch.labels), len(roots)))
        told = compiled(inputs_for(model, work.train, batch.inputs), batch.labels, batch.weights)
        for column, change in zip(columns, told, strict=True):
            np.add.at(own.T, column, np.asarray(change, np.float64).T)
        total += (own**2).sum(axis=0)
        seen += len(own)
        work.progress(f"{label}: importance", min(seen, beats), beats)
        if seen >= beats:
            break
    if not np.isfinite(total).all():
        raise TrainingError(f"'{label}'", "the gradient that tells channels' importance is no number")
    return {root: float(total[index] / seen) for root, index in place.items()}


def _gates(coupling: Coupling) -> list[tuple[Any, Names]]:
    """Where each layer's channels could be switched off: its output, or that of the batch normalization which alone
    takes it; tensors and channels."""
    takers: dict[int, list[Any]] = {}
    for site in coupling.sites:
        for tensor in site.call.inputs:
            takers.setdefault(id(tensor), []).append(site.call)
    found = []
    for site in coupling.sites:
        if site.call.name in coupling.producers:
            tensor = site.call.outputs[0]
            following = takers.get(id(tensor), [])
            if [call.kind for call in following] == ["BatchNormalization"]:
                tensor = following[0].outputs[0]
            found.append((tensor, coupling.producers[site.call.name]))
    return found

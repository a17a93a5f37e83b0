"""What a network is trained on: balanced draws of beats, disturbed anew in each epoch, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadwire.datasets import Dataset

from .recipe import Augment, Training

Inputs = tuple[npt.NDArray[np.float32], ...]
_RAREST = 100
"""A class with fewer beats than this weighs as one with so many: a handful of beats must not rule a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`inputs` one per model input [n, ...], `labels` int64 [n], `weights` float32 [n]."""

    inputs: Inputs
    labels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]


class Batches:
    """Epochs of batches. Epoch e is a function of the data set, the settings, the seed and e alone: a training that was
    cut goes on with the batches it would have had."""

    def __init__(self, dataset: Dataset, training: Training, seed: int) -> None:
        self._dataset = dataset
        self._training, self._seed = training, seed
        labels = self._dataset.labels
        counts = np.bincount(labels, minlength=len(dataset.label_names))
        common = labels == int(counts.argmax())
        self._common, self._others = np.flatnonzero(common), np.flatnonzero(~common)
        wanted = training.majority_per_epoch or len(self._common)
        self._drawn = min(wanted, len(self._common))
        self._weights = beat_weights(self._dataset, training, self._drawn)
        self._size = min(training.batch, self._drawn + len(self._others))

    def __len__(self) -> int:
        """Batches of an epoch; what is left over at its end is not used."""
        return (self._drawn + len(self._others)) // self._size

    def epoch(self, number: int) -> Iterator[Batch]:
        random = np.random.default_rng((self._seed, number))
        drawn = random.choice(self._common, self._drawn, replace=False)
        order = random.permutation(np.concatenate([drawn, self._others]))
        for index in range(len(self)):
            chosen = order[index * self._size : (index + 1) * self._size]
            inputs = tuple(one[chosen] for one in self._dataset.inputs)
            own = np.random.default_rng((self._seed, number, index))
            yield Batch(
                inputs=augmented(inputs, self._training.augment, own),
                labels=self._dataset.labels[chosen],
                weights=self._weights[chosen],
            )


def beat_weights(dataset: Dataset, training: Training, majority: int) -> npt.NDArray[np.float32]:
    """Rare classes count more (by the root of their rarity), and a patient's share grows with the root of the beats."""
    labels, patients = dataset.labels, np.array(dataset.patients)
    counts = np.maximum(np.bincount(labels, minlength=len(dataset.label_names)), _RAREST)
    counts[int(np.bincount(labels, minlength=len(counts)).argmax())] = majority
    factors = np.array([training.class_factors.get(name, 1.0) for name in dataset.label_names])
    per_class = np.sqrt(counts.max() / counts) * factors
    weights = np.zeros(len(labels), np.float32)
    for label in range(len(dataset.label_names)):
        of_class = labels == label
        for patient in np.unique(patients[of_class]):
            own = of_class & (patients == patient)
            weights[own] = own.sum() ** -0.5
        if of_class.any():
            weights[of_class] *= per_class[label] / weights[of_class].mean()
    return weights


def augmented(inputs: Inputs, augment: Augment, random: np.random.Generator) -> Inputs:
    """The inputs disturbed as the settings say; [n, samples, channels] as signals, [n, values] as figures."""
    return tuple(
        _disturbed(one, augment, random) if one.ndim == 3 else _blurred(one, augment, random) for one in inputs
    )


def _disturbed(
    beats: npt.NDArray[np.float32], augment: Augment, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    count, samples = beats.shape[:2]
    at = np.arange(samples)
    if augment.shift_samples:
        shift = random.integers(-augment.shift_samples, augment.shift_samples + 1, (count, 1))
        beats = beats[np.arange(count)[:, None], np.clip(at + shift, 0, samples - 1)]
    found = beats.astype(np.float64)
    if augment.gain:
        found = found * random.lognormal(0, augment.gain, (count, 1, 1))
    if augment.wander_mv:
        turn = 2 * np.pi * random.uniform(0.2, 2.0, (count, 1, 1)) * at[:, None] / samples
        size = random.normal(0, augment.wander_mv, (count, 1, 1))
        found = found + size * np.sin(turn + random.uniform(0, 2 * np.pi, (count, 1, 1)))
    if augment.noise_mv:
        found = found + random.normal(0, augment.noise_mv, found.shape)
    if augment.polarity:
        found = found * random.choice((-1.0, 1.0), (count, 1, 1))
    return found.astype(np.float32)


def _blurred(values: npt.NDArray[np.float32], augment: Augment, random: np.random.Generator) -> npt.NDArray[np.float32]:
    if not augment.features:
        return values
    found = values + random.normal(0, augment.features, values.shape)
    return np.where(np.abs(values) <= 1, np.clip(found, -1, 1), found).astype(np.float32)

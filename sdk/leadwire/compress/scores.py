"""How well a classifier does: counts by patient and class, and the macro F1 over declared classes that steps go by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leadwire.datasets import Dataset


def class_counts(dataset: Dataset, decided: npt.NDArray[np.int64], classes: Sequence[int]) -> npt.NDArray[np.float64]:
    """[patients, 3 x classes]: true positives, reference beats and decisions of each class, patients sorted by name."""
    names, patient = np.unique(np.array(dataset.patients), return_inverse=True)
    columns = [
        np.bincount(patient, weights=hits, minlength=len(names))
        for label in classes
        for hits in (
            (dataset.labels == label) & (decided == label), dataset.labels == label, decided == label,
        )
    ]  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float64)


def macro_f1(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean of the classes' F1 = 2 TP / (reference + decisions), from sums [..., 3 x classes]; 0 for a class that is
    neither there nor called."""
    hits, there, called = (sums[..., start::3] for start in range(3))
    total = there + called
    scores: npt.NDArray[np.float64] = (2 * hits / np.where(total > 0, total, 1)).mean(axis=-1)
    return scores


def paired_f1(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same counts [..., 3 x classes] of two deciders as columns [..., 4 x classes] whose `ratio_loss` is what macro
    F1 loses from `before` to `after`."""
    columns = [
        column
        for start in range(0, before.shape[-1], 3)
        for one in (before, after)
        for column in (2 * one[..., start], one[..., start + 1] + one[..., start + 2])
    ]
    return np.stack(columns, axis=-1)

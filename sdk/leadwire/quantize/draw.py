"""Which samples set the ranges, by a stated policy, and which of the others a mode is measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from leadwire.artifacts import CalibrationSet
from leadwire.datasets import Dataset, take
from leadwire.errors import DatasetError

Stratify = Literal["class", "patient", "class+patient"]
HELD_OUT: Final = 400
"""At most so many samples, none of which set a range, measure what quantization costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPolicy:
    """Draw `count` samples with `seed`, as evenly over the strata as their sizes allow; in 'class+patient' first over
    the classes, then over the patients of each class."""

    count: int = 200
    seed: int = 1
    stratify: Stratify = "class+patient"

    @property
    def text(self) -> str:
        return f"{self.count} samples, evenly by {self.stratify.replace('+', ' then ')}, PCG64 seed {self.seed}"


def draw_calibration(dataset: Dataset, policy: CalibrationPolicy) -> tuple[CalibrationSet, tuple[int, ...]]:
    """The samples that set the ranges, in ascending index, and the record of them.

    DatasetError where the data set holds fewer samples than asked for, or NaN.
    """
    size = len(dataset.labels)
    if not 1 <= policy.count <= size:
        raise DatasetError(
            dataset.name,
            f"calibration asks for {policy.count} of {size} samples",
            hint=f"set calibration.count to 1..{size}",
        )
    generator = np.random.Generator(np.random.PCG64(policy.seed))
    chosen = sorted(_draw(generator, range(size), policy.count, _keys(dataset, policy.stratify)))
    drawn = take(dataset, chosen)
    _check_finite(drawn, "calibration set holds")
    counts = np.bincount(drawn.labels, minlength=len(dataset.label_names)).tolist()
    digest = hashlib.sha256()
    for values in drawn.inputs:
        digest.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    return CalibrationSet(
        dataset=dataset.name,
        policy=policy.text,
        seed=policy.seed,
        count=len(chosen),
        per_class=tuple(zip(dataset.label_names, counts, strict=True)),
        patients=tuple(sorted(set(drawn.patients))),
        indices=tuple(chosen),
        digest=digest.hexdigest(),
    ), tuple(chosen)


def _keys(dataset: Dataset, stratify: Stratify) -> tuple[Sequence[str], ...]:
    """What to stratify by, outermost first: for each level one text per sample."""
    classes = [dataset.label_names[label] for label in dataset.labels]
    return {"class": (classes,), "patient": (dataset.patients,), "class+patient": (classes, dataset.patients)}[stratify]


def _draw(
    generator: np.random.Generator, members: Iterable[int], count: int, keys: tuple[Sequence[str], ...]
) -> list[int]:
    """`count` of `members` without replacement, spread evenly over the strata of the first key, then of the next."""
    if not keys:
        return [int(member) for member in generator.permutation(list(members))[:count]]
    strata: dict[str, list[int]] = {}
    for member in members:
        strata.setdefault(keys[0][member], []).append(member)
    names = sorted(strata)
    shares = spread(count, [len(strata[name]) for name in names])
    return [
        member
        for name, share in zip(names, shares, strict=True)
        for member in _draw(generator, strata[name], share, keys[1:])
    ]


def spread(count: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """`count` spread over strata of `sizes` as evenly as they allow; the smallest are filled first, a remainder goes to
    the larger ones. The sum is min(count, sum(sizes))."""
    shares = [0] * len(sizes)
    left = count
    for rank, index in enumerate(sorted(range(len(sizes)), key=lambda i: (sizes[i], i))):
        shares[index] = min(sizes[index], left // (len(sizes) - rank))
        left -= shares[index]
    return tuple(shares)


def draw_held_out(dataset: Dataset, policy: CalibrationPolicy, calibration: Sequence[int]) -> Dataset | None:
    """At most `HELD_OUT` samples that are not in the calibration set, drawn by the same policy with the next seed; None
    where every sample is in it."""
    rest = sorted(set(range(len(dataset))) - set(calibration))
    if not rest:
        return None
    generator = np.random.Generator(np.random.PCG64(policy.seed + 1))
    drawn = take(dataset, sorted(_draw(generator, rest, min(HELD_OUT, len(rest)), _keys(dataset, policy.stratify))))
    _check_finite(drawn, "held-out samples hold")
    return drawn


def _check_finite(drawn: Dataset, what: str) -> None:
    for name, values in zip(drawn.input_names, drawn.inputs, strict=True):
        if not np.isfinite(values).all():
            raise DatasetError(drawn.name, f"input '{name}' of the {what} NaN or infinity")

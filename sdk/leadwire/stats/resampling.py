"""Patients drawn with replacement, whole, with all their beats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from .normal import Floats

BootstrapMethod = Literal["percentile", "bca", "bootstrap-t"]
_NAMES: dict[BootstrapMethod, str] = {"percentile": "percentile", "bca": "BCa", "bootstrap-t": "t"}
_DRAWS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How patients are drawn: `resamples` times as many as there are, with replacement, from `seed`."""

    resamples: int
    seed: int
    method: BootstrapMethod

    def describe(self) -> str:
        return f"patient bootstrap {_NAMES[self.method]}, B={self.resamples}, seed {self.seed}"


def times_drawn(patients: int, bootstrap: Bootstrap) -> Iterator[Floats]:
    """How often each patient is in each resample: blocks [resamples of the block, patients], in order.

    Draw k takes patient floor(patients x u / 2^32), u the upper half of the k-th 64-bit word of PCG64(seed): numpy
    guarantees these words for all its versions, which it does not do for the methods of its Generator; unevenness is
    below patients / 2^32.
    """
    if patients == 0:
        raise ValueError("no patients to draw from")
    at_once = max(1, _DRAWS_AT_ONCE // patients)
    if bootstrap.resamples <= at_once:
        yield _all_at_once(patients, bootstrap.resamples, bootstrap.seed)
        return
    words = np.random.PCG64(bootstrap.seed)
    for start in range(0, bootstrap.resamples, at_once):
        yield _block(words, patients, min(at_once, bootstrap.resamples - start))


@lru_cache(maxsize=2)
def _all_at_once(patients: int, resamples: int, seed: int) -> Floats:
    """Kept, for the figures of a run are all of the same patients."""
    times = _block(np.random.PCG64(seed), patients, resamples)
    times.setflags(write=False)
    return times


def _block(words: np.random.PCG64, patients: int, rows: int) -> Floats:
    upper = words.random_raw(rows * patients) >> np.uint64(32)
    drawn = ((upper * np.uint64(patients)) >> np.uint64(32)).astype(np.int64)
    cell = drawn + np.repeat(np.arange(rows, dtype=np.int64) * patients, patients)
    return np.bincount(cell, minlength=rows * patients).reshape(rows, patients).astype(np.float64)


def bootstrap_sums(per_patient: Floats, bootstrap: Bootstrap) -> Floats:
    """Sums [B, columns] of the rows of B resamples of the patients [patients, columns]. Beats of one patient stay
    together and pairs stay pairs."""
    return np.concatenate([times @ per_patient for times in times_drawn(len(per_patient), bootstrap)])

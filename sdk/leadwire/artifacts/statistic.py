"""Figures with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Outputs of one runtime on the same inputs in the same order.

    `outputs` float64 [n, classes], dequantized for integer runtimes; `raw` what they were dequantized from, int8 or
    int16 [n, output values], None for float. `indices` int64 [n], strictly rising: which beats of the dataset, None for
    all of them.
    """

    runtime: Literal["float", "tflite", "tflm", "host_c", "device"]
    model_digest: str
    dataset_digest: str
    outputs: npt.NDArray[np.float64]
    raw: npt.NDArray[np.signedinteger[Any]] | None = None
    indices: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two-sided confidence interval; `method` names procedure and parameters ('patient bootstrap BCa, B=2000')."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A figure with its interval; `numerator` and `denominator` where it is a proportion."""

    name: str
    estimate: float
    interval: Interval | None = None
    numerator: int | None = None
    denominator: int | None = None

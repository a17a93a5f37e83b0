"""What quantization made, and of what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSet:
    """Which inputs set the activation ranges. `digest` covers the drawn inputs' bytes in order."""

    dataset: str
    policy: str
    seed: int
    count: int
    per_class: tuple[tuple[str, int], ...]
    patients: tuple[str, ...]
    indices: tuple[int, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerError:
    """Quantization error of one operator's output over the calibration set.

    `sqnr_db` is 10 log10(signal power / error power) of INT8 against float; `saturated_fraction` is the share of
    output values at -128 or 127 whose float value lies more than half a step beyond that end of the range.
    """

    operator_index: int
    kind: str
    tensor: str
    sqnr_db: float
    saturated_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedModel:
    """A full-integer INT8 .tflite file and how it was made."""

    path: Path
    digest: str
    size_bytes: int
    source_digest: str
    calibration: CalibrationSet
    layer_errors: tuple[LayerError, ...]
    pinned: tuple[tuple[str, str], ...]

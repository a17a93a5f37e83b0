"""What quantization made, and of what."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .words import Calibrator, QuantizationMode


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
class QuantizationEffect:
    """What quantization costs on held-out samples: none of them set a range, none is a test patient's.

    `sqnr_db` is 10 log10(signal power / error power) of the outputs against float. `changed` decisions and the macro F1
    over the classes that occur (as fractions) are None where the output is not one score for each label.
    """

    samples: int
    sqnr_db: float
    changed: int | None = None
    macro_f1_float: float | None = None
    macro_f1: float | None = None

    @property
    def macro_f1_loss(self) -> float | None:
        """Float less quantized, as a fraction; positive where quantization costs."""
        if self.macro_f1_float is None or self.macro_f1 is None:
            return None
        return self.macro_f1_float - self.macro_f1


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSensitivity:
    """What one operator of the float graph costs when it alone is int8: weights, what it reads and what it writes."""

    operator_index: int
    kind: str
    tensor: str
    effect: QuantizationEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityResult:
    """Operators by what each costs alone, the worst first; `all_int8` is what they cost together."""

    source_digest: str
    calibration: CalibrationSet
    calibrator: Calibrator
    all_int8: QuantizationEffect
    layers: tuple[LayerSensitivity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationRecipe:
    """How a mode is made. `percentile` is for that calibrator: so many per cent of the values lie in the range.

    In mode mixed the `keep` worst layers stay as `keep_as` says; with `target_sqnr_db` as many as it takes for the
    outputs to come that close to float on the held-out samples.
    """

    calibrator: Calibrator = "minmax"
    percentile: float = 99.99
    equalize: bool = False
    bias_correction: bool = False
    keep: int = 3
    keep_as: Literal["int16x8", "float"] = "int16x8"
    target_sqnr_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMode:
    """One way to quantize a model, and what it costs on the same held-out samples as the others."""

    mode: QuantizationMode
    recipe: QuantizationRecipe
    size_bytes: int
    kept: tuple[str, ...]
    effect: QuantizationEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeComparison:
    """A model in many modes, calibrated on the same samples."""

    source_digest: str
    calibration: CalibrationSet
    modes: tuple[ComparedMode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedModel:
    """A quantized .tflite file and how it was made.

    `equalized` names the pairs of layers whose weights were equalized, `corrected` the layers whose biases were
    corrected, `kept` the layers that mode mixed keeps, the worst first. `effect` is None where no sample was left to
    measure on.
    """

    path: Path
    digest: str
    size_bytes: int
    source_digest: str
    calibration: CalibrationSet
    layer_errors: tuple[LayerError, ...]
    pinned: tuple[tuple[str, str], ...]
    mode: QuantizationMode = "int8"
    recipe: QuantizationRecipe = field(default_factory=QuantizationRecipe)
    equalized: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    effect: QuantizationEffect | None = None

    @property
    def mode_name(self) -> str:
        """The mode as people write it."""
        return MODE_NAMES.get(self.mode, self.mode)


MODE_NAMES = {
    "int8": "INT8",
    "int16x8": "INT16x8",
    "mixed": "mixed INT8",
    "dynamic": "dynamic range",
    "fp16": "FP16",
}

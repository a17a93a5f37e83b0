"""What compression did, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from .statistic import Interval
from .words import Goal, QuantizationMode


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """Of the INT8 model on the test patients, fractions; intervals by patients, None where there are too few.

    Plain confusion at reference beats, not an EC57 result.
    """

    label: str
    beats: int
    sensitivity: float
    sensitivity_interval: Interval | None
    positive_predictivity: float
    positive_predictivity_interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionRow:
    """One model of the recipe: the one it starts from, then one for each step.

    `flash_bytes` and `ram_bytes` are model and runtime in the linked image (arena, state and stack bound), as in
    `leadwire analyze`, or where the board cannot hold it the planned weights and arena; `instructions` and `cycles` of
    one inference on the emulated core are None then. `float_f1` and `f1` are macro
    F1 over the recipe's classes of the float and the integer model; `loss` is the first row's `float_f1` less this
    row's `f1`, `quantization_loss` this row's `float_f1` less its `f1`, each with its interval by patients.
    `float_bytes` is four bytes for each parameter, `packed_bytes` the .tflite file compressed by DEFLATE (level 9).
    """

    label: str
    kind: str
    model_digest: str
    tflite_digest: str
    parameters: int
    macs: int
    float_bytes: int
    tflite_bytes: int
    packed_bytes: int
    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    instructions: int | None
    cycles: float | None
    float_f1: float
    f1: float
    loss: float
    loss_interval: Interval | None
    quantization_loss: float
    quantization_loss_interval: Interval | None
    accuracy: float
    classes: tuple[ClassFigures, ...]
    facts: tuple[tuple[str, str | int | float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionResult:
    """The table of a recipe. `recipe_text` is its file, `recipe_digest` the SHA-256 of that, `training_digest` the
    data set's that was trained on; `tune_patients` were held out to choose by, nothing was trained on test patients."""

    recipe: str
    recipe_text: str
    recipe_digest: str
    training_digest: str
    dataset: str
    dataset_digest: str
    test_beats: int
    test_patients: int
    tune_patients: tuple[str, ...]
    classes: tuple[str, ...]
    board: str
    clock_hz: int
    goal: Goal
    mode: QuantizationMode
    rows: tuple[CompressionRow, ...]

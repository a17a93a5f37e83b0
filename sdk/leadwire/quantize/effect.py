"""What a quantized model costs on samples that set no range: error of the outputs, decisions, macro F1."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import QuantizationEffect
from leadwire.datasets import Dataset
from leadwire.model.tflite import read_tflite

from .layer_errors import decibels, runtime_for

Outputs = npt.NDArray[np.float64]


def outputs_of(content: bytes, samples: Dataset) -> Outputs:
    """Real outputs [n, values] of a .tflite: TFLite Micro's of an integer model, else desktop TFLite's."""
    with TemporaryDirectory(prefix="leadwire-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        return reference.run_values(path, samples.inputs, samples.input_names, runtime=runtime_for(read_tflite(path)))


def effect_of(floats: Outputs, quantized: Outputs, samples: Dataset) -> QuantizationEffect:
    """Outputs against the float model's on the same samples; decisions where there is one output for each label."""
    noise = decibels(float(np.square(floats).sum()), float(np.square(quantized - floats).sum()))
    if floats.shape[1] != len(samples.label_names):
        return QuantizationEffect(samples=len(samples), sqnr_db=noise)
    before, after = floats.argmax(axis=1), quantized.argmax(axis=1)
    return QuantizationEffect(
        samples=len(samples),
        sqnr_db=noise,
        changed=int(np.count_nonzero(before != after)),
        macro_f1_float=macro_f1(samples.labels, before),
        macro_f1=macro_f1(samples.labels, after),
    )


def macro_f1(labels: npt.NDArray[np.int64], decisions: npt.NDArray[np.int64]) -> float:
    """The mean of the F1 scores 2 TP / (2 TP + FP + FN) of the classes that occur in `labels`."""
    scores = []
    for label in np.unique(labels):
        is_it, called = labels == label, decisions == label
        scores.append(2 * np.count_nonzero(is_it & called) / (np.count_nonzero(is_it) + np.count_nonzero(called)))
    return float(np.mean(scores))

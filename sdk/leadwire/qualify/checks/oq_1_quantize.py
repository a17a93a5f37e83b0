"""The example's float model becomes the INT8 model that it became where leadwire was released."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from leadwire.artifacts import QuantizedModel
from leadwire.datasets import load_dataset, read_source
from leadwire.model.graph import Model
from leadwire.model.tensor import TensorType
from leadwire.model.tflite import read_tflite
from leadwire.qualify.check import Context, Finding, equal, note, within
from leadwire.quantize import CalibrationPolicy, quantize_model

TITLE = "Quantization"
REQUIREMENTS = ("LW-QNT-001", "LW-QNT-002")
_LSB, _RELATIVE = 1, 1e-4


def look(context: Context) -> Iterator[Finding]:
    """Rounding of the float calibration may differ between processors, by less than any decision: weights by one step,
    scales by 0.01 %."""
    known = read_tflite(context.model)
    made = quantized(context)
    found = read_tflite(made.path)
    yield context.known("quantize_calibration", "calibration inputs", made.calibration.digest)
    yield equal("operators", _kinds(known), _kinds(found))
    if len(known.tensors) != len(found.tensors):
        yield equal("tensors", len(known.tensors), len(found.tensors))
        return
    weights, scales = 0, 0.0
    for one, other in zip(known.tensors, found.tensors, strict=True):
        if one.dtype == other.dtype == TensorType.INT8 and one.is_constant and other.is_constant:
            apart = abs(one.array.astype(np.int64) - other.array.astype(np.int64))
            weights = max(weights, int(apart.max(initial=0)))
        if one.quantization is not None and other.quantization is not None:
            pairs = zip(one.quantization.scales, other.quantization.scales, strict=True)
            scales = max([scales, *(abs(a - b) / a for a, b in pairs)])
    yield within("largest difference of a weight, steps", 0, weights, _LSB)
    yield within("largest relative difference of a scale", 0, scales, _RELATIVE)
    same = known.digest == made.digest
    yield note("bytes", "identical" if same else f"SHA-256 {made.digest}: not identical, within the limits above")


def quantized(context: Context) -> QuantizedModel:
    policy = CalibrationPolicy(count=300, seed=1, stratify="class+patient")
    patients = load_dataset(read_source("synthetic-ecg"), "train")
    return quantize_model(context.example, patients, policy, context.folder / "arrhythmia.tflite")


def _kinds(model: Model) -> str:
    return " ".join(operator.kind for operator in model.operators)

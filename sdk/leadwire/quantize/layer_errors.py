"""The quantization error of each operator, measured against the float model on the same inputs."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import LayerError
from leadwire.datasets import Dataset
from leadwire.model.graph import Model
from leadwire.model.tensor import Tensor
from leadwire.model.tflite import read_tflite
from leadwire.ops.arithmetic import limits_of
from leadwire.ops.rules import is_quantized


def measure_layers(quantized: Path, floating: bytes, samples: Dataset) -> tuple[LayerError, ...]:
    """SQNR and saturation of each operator's output: TFLite Micro (desktop TFLite where that is not installed) in
    integers against the float model, same inputs.

    The two files come from one graph; an operator's float counterpart is the one whose output has the same name. A
    QUANTIZE that only changes the scale has the counterpart of what it reads. Operators without one are left out, and
    so are those whose outputs are not integers.
    """
    with TemporaryDirectory(prefix="leadwire-") as folder:
        float_file = Path(folder) / "float.tflite"
        float_file.write_bytes(floating)
        model, float_model = read_tflite(quantized), read_tflite(float_file)
        pairs = counterparts(model, float_model)
        signal, noise = np.zeros(len(model.operators)), np.zeros(len(model.operators))
        saturated = np.zeros(len(model.operators))
        answers = reference.operator_values(quantized, samples.inputs, samples.input_names, runtime=runtime_for(model))
        floats = reference.float_operator_outputs(float_file, samples.inputs, samples.input_names)
        for outputs, wanted in zip(answers, floats, strict=True):
            for index, counterpart in pairs.items():
                tensor = model.output(model.operators[index])
                raw = outputs[index]
                real = wanted[counterpart].astype(np.float64)
                error = reference.dequantize_array(raw, tensor) - real
                signal[index] += np.square(real).sum()
                noise[index] += np.square(error).sum()
                saturated[index] += _saturated(raw, error, tensor) / (raw.size * len(samples))
    return tuple(
        LayerError(
            operator_index=index,
            kind=model.operators[index].kind,
            tensor=model.output(model.operators[index]).label,
            sqnr_db=decibels(signal[index], noise[index]),
            saturated_fraction=float(saturated[index]),
        )
        for index in sorted(pairs)
    )


def runtime_for(model: Model) -> reference.Runtime:
    """TFLite Micro for what it can run: integers all over."""
    computed = (tensor for operator in model.operators for tensor in model.made(operator))
    floats = any(tensor.dtype.is_float for tensor in (*model.input_tensors, *computed))
    return "tflite" if floats or not reference.has_tflm() else "tflm"


def counterparts(model: Model, float_model: Model) -> dict[int, int]:
    """INT8 operator to the float operator whose output has the same name."""
    by_name = {
        (float_model.output(operator).name, float_model.output(operator).elements): operator.index
        for operator in float_model.operators
    }
    found: dict[int, int] = {}
    writers: dict[int, int] = {}
    for operator in model.operators:
        output = model.output(operator)
        counterpart = by_name.get((output.name, output.elements))
        if operator.kind == "QUANTIZE" and counterpart is None:
            counterpart = found.get(writers.get(operator.inputs[0], -1))
        if counterpart is not None and all(map(is_quantized, model.made(operator))):
            found[operator.index] = counterpart
        writers[operator.outputs[0]] = operator.index
    return found


def _saturated(raw: npt.NDArray[np.generic], error: npt.NDArray[np.float64], tensor: Tensor) -> int:
    """How many values stand at an end of the range for a real value more than half a step beyond it; the zeros of a
    RELU stand at -128 too, but for a real zero."""
    step = tensor.quantization.scale if tensor.quantization else math.inf
    low, high = limits_of(tensor)
    return int(np.count_nonzero(((raw == high) & (error < -step / 2)) | ((raw == low) & (error > step / 2))))


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise); infinite where there is no error."""
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def evenly(size: int, count: int) -> npt.NDArray[np.int64]:
    """At most `count` indices, evenly over 0..size-1."""
    return np.unique(np.linspace(0, size - 1, min(size, count)).round().astype(np.int64))

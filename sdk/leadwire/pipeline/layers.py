"""The float model's tensors beside INT8's, operator by operator, for beats that the two decide differently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.datasets import Dataset, take
from leadwire.model.graph import Model
from leadwire.model.tensor import Tensor
from leadwire.model.tflite import read_tflite
from leadwire.ops.arithmetic import limits_of
from leadwire.quantize import counterparts, float_twin
from leadwire.validate import FloatLayers, LayerPair


def float_layers(dataset: Dataset, model: Model, quantized: Path) -> FloatLayers | None:
    """How `validate` finds the first operator that is off; None where the float form of the same graph is not there (a
    model that came quantized)."""
    twin = float_twin(quantized)
    if not twin.is_file():
        return None

    def layers(beats: Sequence[int]) -> Sequence[Sequence[LayerPair]]:
        part = take(dataset, beats)
        float_model = read_tflite(twin)
        of = counterparts(read_tflite(quantized), float_model)
        rows = reference.quantize_inputs(model, part.inputs, part.input_names)
        runtime: reference.Runtime = "tflm" if reference.has_tflm() else "tflite"
        answers = reference.operator_outputs(quantized, rows, runtime=runtime)
        floats = reference.float_operator_outputs(twin, part.inputs, part.input_names)
        real_inputs = reference.match_inputs(model, part.inputs, part.input_names)
        edges = np.cumsum([tensor.size_bytes for tensor in model.input_tensors])[:-1]
        found = []
        for beat, ((_, outputs), wanted) in enumerate(zip(answers, floats, strict=True)):
            raw_inputs = np.split(rows[beat], edges)
            pairs = [
                _pair(
                    f"input '{tensor.label}'",
                    real[beat].astype(np.float64).ravel(),
                    np.ascontiguousarray(raw).view(tensor.dtype.numpy),
                    tensor,
                )
                for tensor, real, raw in zip(model.input_tensors, real_inputs, raw_inputs, strict=True)
            ]
            for operator in model.operators:
                tensor = model.output(operator)
                if operator.index in of and tensor.quantization is not None:
                    raw = np.frombuffer(outputs[operator.index], dtype=tensor.dtype.numpy)
                    real = wanted[of[operator.index]].astype(np.float64)
                    pairs.append(_pair(model.describe(operator), real, raw, tensor))
            found.append(pairs)
        return found

    return layers


def _pair(description: str, real: npt.NDArray[np.float64], raw: npt.NDArray[Any], tensor: Tensor) -> LayerPair:
    assert tensor.quantization is not None
    return LayerPair(
        description=description,
        real=real,
        raw=raw,
        scale=tensor.quantization.scale,
        zero_point=tensor.quantization.zero_point,
        limits=limits_of(tensor),
    )

"""Modes for hosts alone, whose activations stay float: dynamic range (int8 weights) and FP16 (float16 weights)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leadwire.errors import UnsupportedModelError
from leadwire.model.editing import EditableModel, copy_tensor, operator, quantization

_CHANNEL_AXES: Final = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": None}
"""Operators that interpreters run with float activations and int8 weights, and the axis of the weights' scales."""
_LARGEST_HALF: Final = 65504.0


def to_dynamic_range(floating: bytes) -> bytes:
    """The float .tflite with int8 weights in its convolutions and dense layers; everything else stays float.

    The interpreter quantizes what such a layer reads at each inference. Scales are symmetric, one for each output
    channel of a convolution and one for a dense layer, as TensorFlow's own mode has them; unlike there, no layer is too
    small. UnsupportedModelError where there is no such layer.
    """
    model = EditableModel(floating)
    found = 0
    for op in model.operators:
        kind = model.kind(op)
        if kind not in _CHANNEL_AXES or not model.is_constant(int(op.inputs[1])):
            continue
        tensor = model.own_constant(op, 1)
        values, scales = quantize_symmetric(model.constant(tensor), _CHANNEL_AXES[kind])
        model.set_constant(tensor, values)
        model.tensors[tensor].quantization = quantization(
            scales, np.zeros(len(scales), dtype=np.int64), _CHANNEL_AXES[kind] or 0
        )
        if kind == "FULLY_CONNECTED":
            op.builtinOptions.asymmetricQuantizeInputs = True
        found += 1
    if not found:
        raise UnsupportedModelError(
            "the model", "has no convolution and no dense layer to store as int8", hint="use mode fp16"
        )
    return model.written()


def to_half(floating: bytes) -> bytes:
    """The float .tflite with its float32 constants stored as float16, each with a DEQUANTIZE that widens it again.

    UnsupportedModelError for a constant beyond the range of float16.
    """
    model = EditableModel(floating)
    read = {int(index) for op in model.operators for index in op.inputs if int(index) >= 0}
    widened: list[Any] = []
    for tensor in sorted(read):
        if not model.is_constant(tensor) or model.constant(tensor).dtype != np.dtype("<f4"):
            continue
        values = model.constant(tensor)
        if not np.abs(values).max(initial=0) <= _LARGEST_HALF:
            raise UnsupportedModelError(
                f"constant '{model.name(tensor)}'",
                f"holds {np.abs(values).max():g}, more than float16's {_LARGEST_HALF:g}",
                hint="use mode dynamic or int8",
            )
        half = copy_tensor(model.tensors[tensor])
        half.name = f"{model.name(tensor)}_float16"
        made = model.add_tensor(half)
        model.set_constant(made, values.astype("<f2"))
        model.tensors[tensor].buffer = 0
        widened.append(operator(model.code("DEQUANTIZE", version=3), [made], [tensor]))
    model.graph.operators = [*widened, *model.operators]
    return model.written()


def quantize_symmetric(
    weights: npt.NDArray[np.float32], axis: int | None
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """int8 weights in -127..127 and their scales, one for each slice along `axis` or one for all."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
    values = np.clip(np.round(weights / scales), -127, 127).astype(np.int8)
    return values, scales.ravel()

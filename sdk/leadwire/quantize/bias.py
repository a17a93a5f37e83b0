"""Bias correction: the mean error that quantization leaves in each channel of a layer is taken off its bias.

Nagel et al., ICCV 2019, section 4.2, in its empirical form: the expectation is a mean over the calibration set. What
a layer computes before its activation is linear in what it reads, so its mean is that of the mean input, padding
included: for each channel W E[x] + b of the float model, less the same with the weights, the bias and the mean input of
the integer model. Layers are corrected in order, so that each sees its predecessors corrected.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.datasets import Dataset
from leadwire.model.editing import EditableModel
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor
from leadwire.model.tflite import parse_tflite, read_tflite

from .layer_errors import counterparts, runtime_for

_CORRECTED: Final = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
Floats = npt.NDArray[np.float64]


def correct_biases(quantized: bytes, floating: bytes, samples: Dataset) -> tuple[bytes, tuple[str, ...]]:
    """The quantized .tflite with corrected integer biases, and the layers whose biases changed.

    Corrected are convolutions, depthwise convolutions and dense layers with integer weights and a bias. `floating` is
    the float .tflite of the same graph. Nothing else of the file changes.
    """
    with TemporaryDirectory(prefix="leadwire-") as folder:
        float_file = Path(folder) / "float.tflite"
        float_file.write_bytes(floating)
        float_model = read_tflite(float_file)
        float_means = _mean_tensors(float_file, float_model, samples)
        pairs = counterparts(parse_tflite(quantized, "quantized"), float_model)
        changed = []
        path = Path(folder) / "quantized.tflite"
        for index in sorted(pairs):
            path.write_bytes(quantized)
            model = read_tflite(path)
            operator = model.operators[index]
            plain = float_model.operators[pairs[index]]
            if operator.kind not in _CORRECTED or not _can_be_corrected(model, operator):
                continue
            means = _mean_tensors(path, model, samples)
            wanted = _channel_means(float_model, plain, float_means[plain.inputs[0]])
            found = _channel_means(model, operator, means[operator.inputs[0]])
            bias = model.required(operator, 2)
            steps = np.round((wanted - found) / _scales(bias)).astype(np.int64)
            if steps.any():
                quantized = _with_bias(quantized, index, bias, steps)
                changed.append(model.output(operator).label)
    return quantized, tuple(changed)


def _can_be_corrected(model: Model, operator: Operator) -> bool:
    weights, bias = model.input(operator, 1), model.input(operator, 2)
    return (
        weights is not None
        and weights.is_constant
        and weights.quantization is not None
        and bias is not None
        and bias.is_constant
        and bias.quantization is not None
    )


def _with_bias(quantized: bytes, index: int, bias: Tensor, steps: npt.NDArray[np.int64]) -> bytes:
    model = EditableModel(quantized)
    limits = np.iinfo(bias.dtype.numpy.name)
    values = np.clip(bias.array.astype(np.int64) + steps, limits.min, limits.max)
    tensor = model.own_constant(model.operators[index], 2)
    model.set_constant(tensor, values.astype(bias.array.dtype))
    return model.written()


def _mean_tensors(path: Path, model: Model, samples: Dataset) -> dict[int, Floats]:
    """The mean of every activation over `samples`, in real values and in its shape."""
    totals: dict[int, Floats] = {}
    given = reference.match_inputs(model, samples.inputs, samples.input_names)
    for tensor, values in zip(model.input_tensors, given, strict=True):
        real = values.astype(np.float64)
        if not tensor.dtype.is_float:
            real = reference.dequantize_array(reference.quantize_array(values, tensor), tensor)
        totals[tensor.index] = real.sum(axis=0).reshape(tensor.shape)
    answers = reference.operator_values(path, samples.inputs, samples.input_names, runtime=runtime_for(model))
    for outputs in answers:
        for operator, flat in zip(model.operators, outputs, strict=True):
            made = model.made(operator)
            edges = np.cumsum([one.elements for one in made])[:-1]
            for one, part in zip(made, np.split(flat, edges), strict=True):
                if one.dtype.is_float or one.quantization is not None:
                    real = part.astype(np.float64) if one.dtype.is_float else reference.dequantize_array(part, one)
                    totals[one.index] = totals.get(one.index, np.zeros(one.shape)) + real.reshape(one.shape)
    return {tensor: total / len(samples) for tensor, total in totals.items()}


def _channel_means(model: Model, operator: Operator, mean_input: Floats) -> Floats:
    """What a layer computes of its mean input before the activation, bias included, as a mean of each channel."""
    weights = _real(model.required(operator, 1))
    bias = model.input(operator, 2)
    offset = _real(bias) if bias is not None else np.zeros(1)
    if operator.kind == "FULLY_CONNECTED":
        rows = mean_input.reshape(-1, weights.shape[1])
        dense: Floats = (rows @ weights.T).mean(axis=0) + offset
        return dense
    patches = _patches(mean_input[0], weights.shape[1:3], operator)
    if operator.kind == "DEPTHWISE_CONV_2D":
        multiplier = weights.shape[3] // patches.shape[-1]
        repeated = np.repeat(patches, multiplier, axis=-1)
        depthwise: Floats = np.einsum("yxhwc,hwc->yxc", repeated, weights[0]).mean(axis=(0, 1)) + offset
        return depthwise
    groups = patches.shape[-1] // weights.shape[3]
    parts = np.split(patches, groups, axis=-1), np.split(weights, groups, axis=0)
    made = [np.einsum("yxhwc,ohwc->yxo", part, kernel) for part, kernel in zip(*parts, strict=True)]
    means: Floats = np.concatenate(made, axis=-1).mean(axis=(0, 1)) + offset
    return means


def _patches(picture: Floats, kernel: tuple[int, ...], operator: Operator) -> Floats:
    """[rows, columns, kernel height, kernel width, channels]: what the kernel sees at each place, zeros outside."""
    strides = [int(str(operator.option(f"stride_{axis}", 1))) for axis in "hw"]
    dilations = [int(str(operator.option(f"dilation_{axis}_factor", 1))) for axis in "hw"]
    indices = []
    pads = []
    for size, width, stride, dilation in zip(picture.shape[:2], kernel, strides, dilations, strict=True):
        reach = (width - 1) * dilation + 1
        same = operator.option("padding", "VALID") == "SAME"
        count = -(-size // stride) if same else (size - reach) // stride + 1
        lack = max(0, (count - 1) * stride + reach - size) if same else 0
        pads.append((lack // 2, lack - lack // 2))
        indices.append(np.arange(count)[:, None] * stride + np.arange(width)[None, :] * dilation)
    padded = np.pad(picture, (*pads, (0, 0)))
    rows, columns = indices
    found: Floats = padded[rows[:, None, :, None], columns[None, :, None, :]]
    return found


def _real(tensor: Tensor) -> Floats:
    """A constant in real values: float as it is, integers by their scales, or one for each slice."""
    values = tensor.array.astype(np.float64)
    if tensor.quantization is None or tensor.dtype.is_float:
        return values
    shape = [1] * values.ndim
    if tensor.quantization.per_channel:
        shape[tensor.quantization.axis] = -1
    scaled: Floats = values * np.asarray(tensor.quantization.scales).reshape(shape)
    return scaled


def _scales(bias: Tensor) -> Any:
    return np.asarray(bias.quantization.scales if bias.quantization is not None else (1.0,))

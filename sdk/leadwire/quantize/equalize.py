"""Cross-layer equalization: channels of very different size between two layers are brought to one size.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.1. With
f(s x) = s f(x) for s > 0, which RELU satisfies and RELU6 does not, W2 f(W1 x + b1) = (W2 S) f(S^-1 (W1 x + b1)) for
every diagonal S > 0. With s_i = sqrt(r1_i / r2_i), r1_i the largest weight that makes channel i and r2_i the largest
that reads it, both become sqrt(r1_i r2_i). The float model computes the same; its channels share one scale better.

It works on the float .tflite, where batch normalization is folded and RELU fused already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leadwire.model.editing import EditableModel

_ROUNDS: Final = 50
_SETTLED: Final = 1e-3
_LARGEST_SCALE: Final = 2.0**20
_MAKERS: Final = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""Operators with weights, and the axis of the channels that they make."""
_READERS: Final = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 1}
"""The axis of the channels that they read."""
_BETWEEN: Final = frozenset({"MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN", "RELU", "LEAKY_RELU"})
"""Operators that keep the channels, at the last axis, apart, and give s f(x) for s x."""
_SHAPING: Final = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
_HOMOGENEOUS: Final = (0, 1)
"""Fused activations NONE and RELU."""


@dataclass(frozen=True, slots=True)
class _Pair:
    first: Any
    second: Any
    channels: int


def equalize(floating: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The equalized float .tflite, and the pairs of layers 'first > second' whose weights changed by more than 0.1 %.

    A pair is a convolution, depthwise convolution or dense layer without activation or with RELU, and the only such
    layer that reads it, straight or through pooling, RELU, LEAKY_RELU and changes of shape that leave the channels
    together. The bytes are the same for the same file; a model without such a pair comes back unchanged.
    """
    model = EditableModel(floating)
    pairs = _pairs(model)
    total = [np.ones(pair.channels) for pair in pairs]
    for _ in range(_ROUNDS):
        largest = 0.0
        for pair, so_far in zip(pairs, total, strict=True):
            scales = _scales(model, pair)
            so_far *= scales
            largest = max(largest, float(np.abs(scales - 1).max()))
        if largest < _SETTLED:
            break
    changed = tuple(
        f"{_label(model, pair.first)} > {_label(model, pair.second)}"
        for pair, so_far in zip(pairs, total, strict=True)
        if np.abs(so_far - 1).max() > _SETTLED
    )
    return (model.written(), changed) if changed else (floating, ())


def _pairs(model: EditableModel) -> list[_Pair]:
    found = []
    for first in model.operators:
        if model.kind(first) not in _MAKERS or not _has_weights(model, first) or not _is_homogeneous(first):
            continue
        channels = model.constant(int(first.inputs[1])).shape[_MAKERS[model.kind(first)]]
        second = _reader(model, int(first.outputs[0]), channels)
        if second is not None:
            found.append(_Pair(first, second, channels))
    return found


def _reader(model: EditableModel, tensor: int, channels: int) -> Any | None:
    """The layer with weights that alone reads `tensor`, with a whole number of times its channels to read."""
    outputs = {int(index) for index in model.graph.outputs}
    while tensor not in outputs:
        readers = model.readers(tensor)
        if len(readers) != 1 or int(readers[0].inputs[0]) != tensor:
            return None
        (op,) = readers
        kind = model.kind(op)
        if kind in _READERS and _has_weights(model, op):
            read = model.constant(int(op.inputs[1])).shape[_READERS[kind]]
            single = kind != "DEPTHWISE_CONV_2D" or int(op.builtinOptions.depthMultiplier) == 1
            return op if single and (read == channels or (kind == "FULLY_CONNECTED" and read % channels == 0)) else None
        tensor = int(op.outputs[0])
        last = int(model.tensors[tensor].shape[-1])
        keeps = kind in _BETWEEN and last == channels and _is_homogeneous(op)
        if not keeps and not (kind in _SHAPING and last % channels == 0):
            return None
    return None


def _scales(model: EditableModel, pair: _Pair) -> npt.NDArray[np.float64]:
    """Equalize one pair where it stands; the scales by which its channels became smaller."""
    kind, next_kind = model.kind(pair.first), model.kind(pair.second)
    maker, reader = model.own_constant(pair.first, 1), model.own_constant(pair.second, 1)
    weights, following = model.constant(maker), model.constant(reader)
    made = np.moveaxis(weights, _MAKERS[kind], -1)
    axis = _READERS[next_kind]
    read = np.moveaxis(following, axis, -1)
    folded = read.reshape(-1, pair.channels)  # a flattened input holds its channels again and again
    first = np.abs(made.reshape(-1, pair.channels)).max(axis=0).astype(np.float64)
    second = np.abs(folded).max(axis=0).astype(np.float64)
    usable = (first > 0) & (second > 0)
    scales = np.ones(pair.channels)
    scales[usable] = np.sqrt(first[usable] / second[usable])
    scales = np.clip(scales, 1 / _LARGEST_SCALE, _LARGEST_SCALE)
    model.set_constant(maker, _along(made / scales, _MAKERS[kind]))
    model.set_constant(reader, _along((folded * scales).reshape(read.shape), axis))
    if len(pair.first.inputs) > 2 and int(pair.first.inputs[2]) >= 0:
        bias = model.own_constant(pair.first, 2)
        model.set_constant(bias, (model.constant(bias) / scales).astype("<f4"))
    return scales


def _along(values: npt.NDArray[Any], axis: int) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(np.moveaxis(values, -1, axis), dtype="<f4")


def _has_weights(model: EditableModel, op: Any) -> bool:
    """Float weights that are constants, and so is the bias, where there is one."""
    constants = [int(index) for index in op.inputs[1:3] if int(index) >= 0]
    return all(model.is_constant(index) and model.tensors[index].type == 0 for index in constants)


def _is_homogeneous(op: Any) -> bool:
    return getattr(op.builtinOptions, "fusedActivationFunction", 0) in _HOMOGENEOUS


def _label(model: EditableModel, op: Any) -> str:
    first = model.name(int(op.outputs[0])).partition(";")[0]
    return first.partition("/")[2] if first.count("/") > 1 else first

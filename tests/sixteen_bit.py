"""The 16x8 sibling of an int8 .tflite file: int16 activations with zero points 0, int8 weights, int64 biases.

Scales shrink by 2^8, so that values fill the wider range as they filled the narrow one; those that TensorFlow fixes
(SOFTMAX, LOGISTIC) become what it fixes them to for int16. Constants get the low bits that int8 cannot have.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from leadwire.ops import registry
from single_operator import Op, T, write_tflite

WEIGHTED = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
"""Operators with weights as input 1, and which input is the bias."""


def takes_int16(kind: str) -> bool:
    """Whether the first rule of an operator that speaks of types speaks of int16."""
    return "int16" in next(rule.text for rule in registry.operators()[kind].rules if "int8" in rule.text)


INT8_ONLY = {kind for kind in registry.operators() if not takes_int16(kind)}


def sixteen_bit(data: bytes, seed: int = 0, without: Collection[str] = INT8_ONLY) -> bytes:
    """The sibling of `data`, without the operators of the kinds `without` and their inputs and outputs."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    [graph] = model.subgraphs
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    kinds = [names[code.builtinCode] for code in model.operatorCodes]
    kept = [op for op in graph.operators if kinds[op.opcodeIndex] not in without]
    dropped = {int(i) for op in graph.operators if op not in kept for i in (*op.inputs, *op.outputs)}
    for index in dropped - {-1}:
        graph.tensors[index].isVariable = False
    graph.operators = kept
    graph.inputs = [int(i) for i in graph.inputs if i not in dropped]
    graph.outputs = [int(i) for i in graph.outputs if i not in dropped]
    weights = {int(op.inputs[1]) for op in kept if kinds[op.opcodeIndex] in WEIGHTED}
    positions = [(op, WEIGHTED[kinds[op.opcodeIndex]]) for op in kept if kinds[op.opcodeIndex] in WEIGHTED]
    biases = {int(op.inputs[position]) for op, position in positions if len(op.inputs) > position}
    random = np.random.default_rng(seed)
    narrow = {
        int(random.choice([op.inputs[0], op.outputs[0], -1]))
        for op in kept
        if kinds[op.opcodeIndex] == "QUANTIZE" and op.inputs[0] in graph.inputs and op.outputs[0] in graph.outputs
    }  # one side of a QUANTIZE that stands alone may stay int8
    for index, tensor in enumerate(graph.tensors):
        if index in weights | narrow or tensor.quantization is None or tensor.quantization.scale is None:
            continue
        if tensor.type == schema.TensorType.INT8:
            _widen(model, tensor, schema.TensorType.INT16, np.int8, np.int16, random)
        elif index in biases:
            _widen(model, tensor, schema.TensorType.INT64, np.int32, np.int64, random)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def long_sums() -> bytes:
    """Convolutions, one of two groups, and a dense layer of more taps than fit a 32-bit sum, with weights that are
    almost all 127."""
    random = np.random.default_rng(5)

    def weights(*shape: int, axis: int = 0) -> T:
        values = np.where(random.random(shape) < 0.02, -127, 127).astype(np.int8)
        return T(shape=shape, array=values, scale=(2.0**-5,) * shape[axis], axis=axis)

    def activation(*shape: int, scale: float = 2.0**-10) -> T:
        return T(shape=shape, scale=scale, dtype="int16")

    def bias(outputs: int) -> T:
        values = random.integers(-(2**40), 2**40, outputs)
        return T(shape=(outputs,), array=values, scale=2.0**-15)

    tensors = [
        activation(2, 1100), weights(3, 1100), bias(3), activation(2, 3, scale=4.0),
        activation(1, 1, 5, 600), weights(3, 1, 1, 600), bias(3), activation(1, 1, 5, 3, scale=4.0),
        activation(1, 1, 525, 3), weights(1, 1, 520, 3, axis=3), bias(3), activation(1, 1, 6, 3, scale=4.0),
        activation(1, 1, 5, 1200), weights(6, 1, 1, 600), bias(6), activation(1, 1, 5, 6, scale=4.0),
    ]  # fmt: skip
    window: dict[str, Any] = {"padding": 1, "strideH": 1, "strideW": 1}
    operators = [
        Op(kind="FULLY_CONNECTED", inputs=(0, 1, 2), outputs=(3,), options="FullyConnectedOptions"),
        Op(kind="CONV_2D", inputs=(4, 5, 6), outputs=(7,), options="Conv2DOptions", fields=window),
        Op(kind="DEPTHWISE_CONV_2D", inputs=(8, 9, 10), outputs=(11,), options="DepthwiseConv2DOptions",
           fields={**window, "depthMultiplier": 1}),
        Op(kind="CONV_2D", inputs=(12, 13, 14), outputs=(15,), options="Conv2DOptions", fields=window),
    ]  # fmt: skip
    return write_tflite(tensors, operators, [0, 4, 8, 12], [3, 7, 11, 15])


def _widen(model: Any, tensor: Any, kind: int, given: type, wanted: type, random: np.random.Generator) -> None:
    buffer = model.buffers[tensor.buffer]
    if buffer.data is not None:
        values = np.asarray(buffer.data, np.uint8).view(given).astype(np.int64) * 256
        values += random.integers(0, 256, values.shape)
        buffer.data = np.frombuffer(values.astype(wanted).tobytes(), np.uint8)
    fixed = list(tensor.quantization.zeroPoint) == [-128] and list(tensor.quantization.scale) == [1 / 256]
    tensor.quantization.scale = [2.0**-15] if fixed else [float(scale) / 256 for scale in tensor.quantization.scale]
    tensor.quantization.zeroPoint = [0] * len(tensor.quantization.scale)
    tensor.type = kind

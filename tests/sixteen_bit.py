"""The 16x8 sibling of an int8 .tflite file: int16 activations with zero points 0, int8 weights, int64 biases.

Scales shrink by 2^8, so that values fill the wider range as they filled the narrow one; those that TensorFlow fixes
(SOFTMAX, LOGISTIC) become what it fixes them to for int16. Constants get the low bits that int8 cannot have.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
INT8_ONLY = ("HARD_SWISH", "TRANSPOSE_CONV", "RESIZE_BILINEAR", "PRELU", "REDUCE_MAX", "REDUCE_MIN", "BATCH_MATMUL")
"""Operators without a kernel for int16."""


def sixteen_bit(data: bytes, seed: int = 0, without: tuple[str, ...] = INT8_ONLY) -> bytes:
    """The sibling of `data`, without the operators of the kinds `without` and their inputs and outputs."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    [graph] = model.subgraphs
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    kinds = [names[code.builtinCode] for code in model.operatorCodes]
    kept = [op for op in graph.operators if kinds[op.opcodeIndex] not in without]
    dropped = {int(i) for op in graph.operators if op not in kept for i in (*op.inputs, *op.outputs)}
    graph.operators = kept
    graph.inputs = [int(i) for i in graph.inputs if i not in dropped]
    graph.outputs = [int(i) for i in graph.outputs if i not in dropped]
    weights = {int(op.inputs[1]) for op in kept if kinds[op.opcodeIndex] in WEIGHTED}
    biases = {int(op.inputs[2]) for op in kept if kinds[op.opcodeIndex] in WEIGHTED and len(op.inputs) > 2}
    random = np.random.default_rng(seed)
    for index, tensor in enumerate(graph.tensors):
        if index in weights or tensor.quantization is None or tensor.quantization.scale is None:
            continue
        if tensor.type == schema.TensorType.INT8:
            _widen(model, tensor, schema.TensorType.INT16, np.int8, np.int16, random)
        elif index in biases:
            _widen(model, tensor, schema.TensorType.INT64, np.int32, np.int64, random)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


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

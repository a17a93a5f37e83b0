"""A model of many_operators.py whose convolutions and dense layers have weights of 2 to 17 values."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

COUNTS = (1, 2, 2, 3, 4, 5, 15, 16, 17)
"""17 are too many to be packed."""
PACKED = ("CONV_2D", "FULLY_CONNECTED")


def few_levels(data: bytes, seed: int = 0, *, alone: bool = True) -> bytes:
    """`data` with weights drawn from some of the values that each layer has; a channel of zeros stays one. `alone`:
    without the operators that have no kernel for packed weights, but for the PADs before others."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    [graph] = model.subgraphs
    kinds = {code: getattr(schema.BuiltinOperator, code) for code in PACKED}
    packed = [
        op
        for op in graph.operators
        if model.operatorCodes[op.opcodeIndex].builtinCode in kinds.values()
        and graph.tensors[int(op.inputs[0])].shape[-1] == graph.tensors[int(op.inputs[1])].shape[-1]  # one group
    ]
    if alone:
        kept = _with_pads(model, packed)
        dropped = {int(i) for op in graph.operators if op not in kept for i in (*op.inputs, *op.outputs)}
        for index in dropped - {-1}:
            graph.tensors[index].isVariable = False
        graph.operators = kept
        graph.inputs = [int(i) for i in graph.inputs if i not in dropped]
        graph.outputs = [int(i) for i in graph.outputs if i not in dropped]
    random = np.random.default_rng(seed)
    for index in sorted({int(op.inputs[1]) for op in packed}):
        tensor = graph.tensors[index]
        old = np.array(model.buffers[tensor.buffer].data, np.uint8).view(np.int8).reshape(tensor.shape)
        found = np.unique(old)
        levels = random.choice(found, min(len(found), int(random.choice(COUNTS))), replace=False)
        dead = (old == 0).all(axis=tuple(range(1, old.ndim)), keepdims=True)
        made = np.where(dead, 0, random.choice(levels, old.shape)).astype(np.int8)
        model.buffers[tensor.buffer].data = made.reshape(-1).view(np.uint8)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _with_pads(model: Any, operators: list[Any]) -> list[Any]:
    """`operators` and, before them, each PAD whose output they read, as it is or in another shape."""
    [graph] = model.subgraphs
    codes = {schema.BuiltinOperator.PAD, schema.BuiltinOperator.RESHAPE}
    kept, read = list(operators), {int(i) for op in operators for i in op.inputs}
    for op in reversed(graph.operators):
        if model.operatorCodes[op.opcodeIndex].builtinCode in codes and int(op.outputs[0]) in read:
            kept.append(op)
            read |= {int(i) for i in op.inputs}
    return [op for op in graph.operators if op in kept]

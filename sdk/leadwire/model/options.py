"""Builtin options of TFLite operators under the schema's names in snake case, enums as their names.

The schema itself comes from `ai_edge_litert` (generated accessor classes, no interpreter, no TensorFlow), so that an
operator added to `leadwire.ops` finds its options here without an edit.
"""

from __future__ import annotations

import inspect
import math
import re
import struct
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, Final

from leadwire.errors import ModelFileError, UnsupportedModelError

from .flatbuffer import Table
from .graph import Option

_MAX_LIST: Final = 1024
_ENUMS: Final = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "quantized_bias_type": "TensorType",
    "in_data_type": "TensorType",
    "out_data_type": "TensorType",
    "output_type": "TensorType",
    "out_type": "TensorType",
    "mode": "MirrorPadMode",
    "kernel_type": "LSTMKernelType",
    "combiner": "CombinerType",
}
_OPTIONS_OF: Final = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "SOFTMAX": "SoftmaxOptions",
    "CONCATENATION": "ConcatenationOptions",
    "ADD": "AddOptions",
    "SUB": "SubOptions",
    "MUL": "MulOptions",
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "PACK": "PackOptions",
    "UNPACK": "UnpackOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
}
"""Operators that mean nothing without their options: the interpreter would run them with zeros (stride 0)."""


@cache
def _schema() -> ModuleType:
    from ai_edge_litert import schema_py_generated

    module: ModuleType = schema_py_generated
    return module


@cache
def _names(enum: str) -> Mapping[int, str]:
    return {value: name for name, value in vars(getattr(_schema(), enum)).items() if isinstance(value, int)}


def operator_name(code: int) -> str | None:
    """TFLite's name of a builtin operator, None for a code outside the schema."""
    return _names("BuiltinOperator").get(code)


@cache
def _fields(kind: str) -> tuple[tuple[str, str, bool], ...]:
    """(accessor, snake-case name, is a vector of numbers) of an options class; nested tables are left out."""
    members = vars(getattr(_schema(), kind))
    found = []
    for accessor, member in members.items():
        if not inspect.isfunction(member) or accessor == "Init" or accessor.endswith(("AsNumpy", "Length", "IsNone")):
            continue
        vector = f"{accessor}AsNumpy" in members
        if vector or list(inspect.signature(member).parameters) == ["self"]:
            snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", accessor).lower()
            found.append((accessor, snake, vector))
    return tuple(found)


def read_options(kind: str, union_type: int, table: Table | None, where: str) -> Mapping[str, Option]:
    """Options of one operator; ModelFileError (2) where their type does not belong to the operator or a value is not
    one the schema knows."""
    union = _names("BuiltinOptions").get(union_type)
    name = table.buffer.name if table else where
    expected = _OPTIONS_OF.get(kind)
    if union is None or (expected and (union != expected or table is None)):
        found = union or union_type
        raise ModelFileError(name, f"{where}: options of type {found} where {expected or 'its own'} belong")
    if table is None or union == "NONE":
        return MappingProxyType({})
    accessor: Any = getattr(_schema(), union)()
    accessor.Init(table.buffer.data, table.position)
    try:
        options = {snake: _value(accessor, field, vector) for field, snake, vector in _fields(union)}
    except (struct.error, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ModelFileError(name, f"{where}: its options lie outside the file: truncated or corrupted") from error
    return MappingProxyType(
        {snake: _checked(snake, value, name, where) for snake, value in options.items() if value is not None}
    )


def _value(accessor: Any, field: str, vector: bool) -> Option | None:
    if vector:
        length = getattr(accessor, f"{field}Length")()
        if length > _MAX_LIST:
            raise ValueError(f"{field} has {length} elements")
        return tuple(getattr(accessor, f"{field}AsNumpy")().tolist()) if length else ()
    value = getattr(accessor, field)()
    if isinstance(value, bytes):
        return value[:_MAX_LIST].decode("utf-8", errors="replace")
    return value if isinstance(value, bool | int | float) else None


def _checked(snake: str, value: Option, name: str, where: str) -> Option:
    if isinstance(value, float) and not math.isfinite(value):
        raise ModelFileError(name, f"{where}: option {snake} is {value}")
    enum = _ENUMS.get(snake)
    if enum is None:
        return value
    known = _names(enum).get(int(value)) if isinstance(value, int) else None
    if known is None:
        raise UnsupportedModelError(
            where,
            f"option {snake} has value {value}, which is not in the schema",
            hint="convert the model again with TensorFlow 2.21",
        )
    return known

"""Reader of .tflite files into the frozen `Model`: no TensorFlow, no interpreter, nothing trusted.

Format: TensorFlow Lite schema version 3 (file identifier 'TFL3'). Slot numbers below are the schema's field order.
What is read is checked: a `Model` that comes out of here has indices in range, sizes that match, finite positive scales
and operators in an order in which every tensor is written once, before it is read.

Graph inputs and outputs take the names that the file's signature gives them ('beat' rather than
'serving_default_beat:0'); their order is the file's, which need not be the order in Keras.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from leadwire.artifacts import sha256_hex
from leadwire.errors import FileMissingError, ModelFileError, UnsupportedModelError

from .flatbuffer import FlatBuffer, Table
from .graph import Model, Operator
from .options import operator_name, read_options
from .tensor import Quantization, Tensor, TensorType

MAX_FILE_BYTES: Final = 256 * 1024 * 1024
_MAX_TENSOR_BYTES: Final = 2**31 - 1
_MAX_RANK: Final = 8
_TYPES: Final = {
    0: TensorType.FLOAT32, 1: TensorType.FLOAT16, 2: TensorType.INT32, 3: TensorType.UINT8, 4: TensorType.INT64,
    6: TensorType.BOOL, 7: TensorType.INT16, 9: TensorType.INT8,
}  # fmt: skip
_LAST_TYPE: Final = 31
_ZERO_POINTS: Final = {
    TensorType.INT8: (-128, 127), TensorType.UINT8: (0, 255), TensorType.INT16: (-32768, 32767),
    TensorType.INT32: (0, 0), TensorType.INT64: (0, 0),
}  # fmt: skip
_CONTROL_FLOW: Final = ("WHILE", "IF", "CALL", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE")
_STATEFUL: Final = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)
_STATIC_HINT: Final = "fix the batch to 1 and give every dimension a number before converting"


def read_tflite(path: Path, labels: Sequence[str] = ()) -> Model:
    """The model of a file, named by the file's stem.

    FileMissingError, ModelFileError (2): not a sound .tflite file. UnsupportedModelError (3): sound, but of a kind that
    no static firmware can be made from (control flow, state, dynamic shapes).
    """
    if not path.is_file():
        raise FileMissingError(path, role="model")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ModelFileError(path, f"it has {path.stat().st_size} bytes, more than {MAX_FILE_BYTES}")
    return parse_tflite(path.read_bytes(), path.stem, labels, source=str(path))


def parse_tflite(data: bytes, name: str, labels: Sequence[str] = (), *, source: str = "") -> Model:
    """As `read_tflite`, from the bytes of a file; `source` is how errors call it, by default `name`."""
    buffer = FlatBuffer(data, source or name)
    if len(data) < 8:
        raise buffer.fail(f"it has {len(data)} bytes, too few for a .tflite file")
    if data[4:8] != b"TFL3":
        raise buffer.fail(f"its identifier is {data[4:8]!r}, a .tflite file has b'TFL3'")
    root = buffer.root()
    if (version := root.integer(0, "I")) != 3:
        raise buffer.fail(f"schema version {version}, only 3 is known")
    graph = next(root.tables(2, "subgraph"), None)
    if graph is None:
        raise buffer.fail("it holds no graph")
    contents = _buffers(buffer, root)
    codes = tuple(_operator_kinds(root))
    signature_names = _signature_names(root)
    tensors = tuple(
        _tensor(index, table, contents, signature_names) for index, table in enumerate(graph.tables(0, "tensor"))
    )
    inputs, outputs = graph.integers(1, "<i4", "inputs"), graph.integers(2, "<i4", "outputs")
    operators = tuple(
        _operator(index, table, codes, len(tensors)) for index, table in enumerate(graph.tables(3, "operator"))
    )
    model = Model(
        name=name,
        digest=sha256_hex(data),
        size_bytes=len(data),
        description=root.text(3, "description"),
        tensors=tensors,
        operators=operators,
        inputs=inputs,
        outputs=outputs,
        labels=tuple(labels),
    )
    _check_graph(buffer, model)
    return model


def _buffers(buffer: FlatBuffer, root: Table) -> tuple[bytes, ...]:
    contents = []
    for table in root.tables(4, "buffer"):
        offset, size = table.integer(1, "Q"), table.integer(2, "Q")
        if offset > 1:  # data beyond the flatbuffer proper, as in files above 2 GB
            start = buffer.span(offset, size, table.what)
            contents.append(buffer.data[start : start + size])
        else:
            contents.append(table.raw(0, "data"))
    return tuple(contents)


def _operator_kinds(root: Table) -> Iterator[str]:
    for table in root.tables(1, "operator code"):
        code = max(table.integer(0, "b"), table.integer(3, "i"))
        known = operator_name(code)
        if known is None or known == "CUSTOM":
            yield f"CUSTOM:{table.text(1, 'custom code') or code}"
        else:
            yield known


def _signature_names(root: Table) -> dict[int, str]:
    """Tensor index to name from the file's signature; empty where it has none or several."""
    if root.count(7, "signatures") != 1:
        return {}
    signature = next(root.tables(7, "signature"))
    if signature.integer(4, "I") != 0:
        return {}
    return {
        entry.integer(1, "I"): name
        for slot, what in ((1, "signature output"), (0, "signature input"))
        for entry in signature.tables(slot, what)
        if (name := entry.text(0, "name"))
    }


def _tensor(index: int, table: Table, contents: tuple[bytes, ...], signature_names: dict[int, str]) -> Tensor:
    name = signature_names.get(index) or table.text(3, "name")
    where = f"tensor {index} '{name}'"
    fail = table.buffer.fail
    code = table.integer(1, "b")
    if not 0 <= code <= _LAST_TYPE:
        raise fail(f"{where} has type {code}, which is not in the schema")
    dtype = _TYPES.get(code, TensorType.OTHER)
    shape = table.integers(0, "<i4", "shape")
    if len(shape) > _MAX_RANK:
        raise fail(f"{where} has {len(shape)} dimensions, more than {_MAX_RANK}")
    if any(size == -1 for size in shape):
        raise UnsupportedModelError(where, f"its shape {list(shape)} is not fixed", hint=_STATIC_HINT)
    if any(size < 0 for size in shape):
        raise fail(f"{where} has shape {list(shape)}")
    if math.prod(shape) * dtype.item_bytes > _MAX_TENSOR_BYTES:
        raise fail(f"{where} of shape {list(shape)} has more than {_MAX_TENSOR_BYTES} bytes")
    if table.table(6, "sparsity") is not None:
        raise UnsupportedModelError(where, "its weights are stored sparse", hint="convert without sparsity")
    content = table.integer(2, "I")
    if content >= len(contents):
        raise fail(f"{where} names buffer {content} of {len(contents)}")
    data = contents[content] or None
    if data is not None and dtype is not TensorType.OTHER and len(data) != math.prod(shape) * dtype.item_bytes:
        raise fail(f"{where} of shape {list(shape)} and type {dtype} holds {len(data)} bytes")
    return Tensor(
        index=index,
        name=name,
        shape=shape,
        dtype=dtype,
        quantization=_quantization(table.table(4, "quantization"), dtype, shape, where),
        data=data,
        variable=bool(table.integer(5, "?")),
    )


def _quantization(table: Table | None, dtype: TensorType, shape: tuple[int, ...], where: str) -> Quantization | None:
    if table is None or (scales := table.numbers(2, "<f4", "scales")) is None or not scales.size:
        return None
    fail = table.buffer.fail
    if table.integer(4, "B"):
        raise UnsupportedModelError(where, "it has custom or blockwise quantization", hint="quantize to plain INT8")
    zero_points = table.integers(3, "<i8", "zero points")
    if len(zero_points) != scales.size:
        raise fail(f"{where} has {scales.size} scales and {len(zero_points)} zero points")
    with np.errstate(invalid="ignore"):  # a signalling NaN is refused below
        values = scales.astype(np.float64)
    if not np.all(np.isfinite(values)) or np.any(values <= 0):
        raise fail(f"{where} has a scale that is not a positive number: {_first_bad(values)}")
    low, high = _ZERO_POINTS.get(dtype, (0, 0))
    if any(not low <= point <= high for point in zero_points):
        raise fail(f"{where} of type {dtype} has a zero point outside {low}..{high}")
    axis = table.integer(6, "i")
    if scales.size > 1 and (not 0 <= axis < len(shape) or shape[axis] != scales.size):
        raise fail(f"{where} of shape {list(shape)} has {scales.size} scales along axis {axis}")
    return Quantization(
        scales=tuple(values.tolist()), zero_points=zero_points, axis=axis if 0 <= axis < max(1, len(shape)) else 0
    )


def _first_bad(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(values[~(np.isfinite(values) & (values > 0))][0])


def _operator(index: int, table: Table, codes: tuple[str, ...], tensor_count: int) -> Operator:
    fail = table.buffer.fail
    code = table.integer(0, "I")
    if code >= len(codes):
        raise fail(f"operator {index} names operator code {code} of {len(codes)}")
    kind = codes[code]
    where = f"op {index} {kind}"
    inputs, outputs = table.integers(1, "<i4", "inputs"), table.integers(2, "<i4", "outputs")
    if any(not -1 <= tensor < tensor_count for tensor in inputs):
        raise fail(f"{where} reads a tensor that does not exist (inputs {list(inputs[:8])}, {tensor_count} tensors)")
    if not outputs or any(not 0 <= tensor < tensor_count for tensor in outputs):
        raise fail(f"{where} writes a tensor that does not exist (outputs {list(outputs[:8])}, {tensor_count} tensors)")
    if kind in _CONTROL_FLOW:
        raise UnsupportedModelError(
            where,
            "control flow cannot become static firmware",
            hint="recurrent layers: convert with unroll=True, or use convolutions",
        )
    options = read_options(kind, table.integer(3, "B"), table.table(4, "options"), where)
    return Operator(index=index, kind=kind, inputs=inputs, outputs=outputs, options=options)


def _check_variables(buffer: FlatBuffer, model: Model) -> None:
    """State is that of a fused LSTM, which starts anew with every sequence."""
    for tensor in (tensor for tensor in model.tensors if tensor.variable):
        readers = [op for op in model.operators if tensor.index in op.inputs]
        written = tensor.index in (*model.inputs, *(index for op in model.operators for index in op.outputs))
        if written or tensor.is_constant or len(readers) != 1 or readers[0].kind not in _STATEFUL:
            raise UnsupportedModelError(
                f"tensor {tensor.index} '{tensor.name}'",
                "it keeps state from one inference to the next",
                hint="use layers without state (stateful=False, unrolled)",
            )


def _check_graph(buffer: FlatBuffer, model: Model) -> None:
    """Inputs, outputs and execution order are sound: each activation is written once, before it is read."""
    count = len(model.tensors)
    for role, indices in (("input", model.inputs), ("output", model.outputs)):
        if not indices:
            raise buffer.fail(f"the graph has no {role}s")
        if len(set(indices)) != len(indices) or any(not 0 <= index < count for index in indices):
            raise buffer.fail(f"the graph's {role}s {list(indices[:8])} are not distinct tensors of {count}")
    if not model.operators:
        raise UnsupportedModelError(f"model '{model.name}'", "it computes nothing: no operators")
    _check_variables(buffer, model)
    written = set(model.inputs)
    if any(model.tensors[index].is_constant for index in written):
        raise buffer.fail("a graph input is a constant")
    for operator in model.operators:
        where = f"op {operator.index} {operator.kind}"
        for index in operator.inputs:
            tensor = model.tensors[index] if index >= 0 else None
            if tensor is not None and not tensor.is_constant and not tensor.variable and index not in written:
                raise buffer.fail(f"{where} reads tensor {index} '{model.tensors[index].name}' before it is written")
        for index in operator.outputs:
            if model.tensors[index].is_constant or index in written:
                raise buffer.fail(f"{where} writes tensor {index} '{model.tensors[index].name}' a second time")
            written.add(index)
    for index in (*model.inputs, *model.outputs):
        if index not in written:
            raise buffer.fail(f"output tensor {index} '{model.tensors[index].name}' is written by no operator")
    for index in written:
        if not model.tensors[index].elements:
            raise buffer.fail(
                f"tensor {index} '{model.tensors[index].name}' has shape "
                f"{list(model.tensors[index].shape)}: nothing in it"
            )

"""A .tflite file as objects that can be changed and written again: the schema's own generated classes.

`parse_tflite` is for reading what nobody vouches for; here come only files that it has accepted. Constants are written
on multiples of 16 bytes from the start of the file, as the schema asks: interpreters on microcontrollers read them
where they lie.
"""

from __future__ import annotations

from typing import Any, Final

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

ALIGNMENT: Final = 16
CODES: Final[dict[str, int]] = {k: v for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
"""TFLite's operator names in capitals and their numbers."""
TYPES: Final[dict[str, int]] = {k: v for k, v in vars(schema.TensorType).items() if not k.startswith("_")}
_NAMES: Final = {number: name for name, number in CODES.items()}
_NUMPY: Final = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8"}
_DTYPES: Final = {TYPES[name]: np.dtype(text) for name, text in _NUMPY.items()}


class EditableModel:
    """One file with one graph. `tensors` and `operators` are the schema's objects; lists may be changed in place."""

    def __init__(self, data: bytes) -> None:
        self.root: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        self.graph: Any = self.root.subgraphs[0]

    @property
    def tensors(self) -> list[Any]:
        tensors: list[Any] = self.graph.tensors
        return tensors

    @property
    def operators(self) -> list[Any]:
        operators: list[Any] = self.graph.operators
        return operators

    def kind(self, operator: Any) -> str:
        """TFLite's name of an operator in capitals."""
        code = self.root.operatorCodes[operator.opcodeIndex]
        return _NAMES.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")

    def code(self, kind: str, version: int = 1) -> int:
        """Index of an operator code, which is added where the file has none."""
        number = CODES[kind]
        for index, code in enumerate(self.root.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version >= version:
                return index
        made = schema.OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode, made.version = number, min(number, 127), version
        self.root.operatorCodes.append(made)
        return len(self.root.operatorCodes) - 1

    def name(self, tensor: int) -> str:
        raw = self.tensors[tensor].name
        return raw.decode() if isinstance(raw, bytes) else str(raw or "")

    def is_constant(self, tensor: int) -> bool:
        data = self.root.buffers[self.tensors[tensor].buffer].data
        return data is not None and len(data) > 0

    def constant(self, tensor: int) -> npt.NDArray[Any]:
        """A copy of a constant's values in its shape."""
        one = self.tensors[tensor]
        raw = np.asarray(self.root.buffers[one.buffer].data, dtype=np.uint8).tobytes()
        shape = [] if one.shape is None else [int(size) for size in one.shape]
        return np.frombuffer(raw, dtype=_DTYPES[one.type]).reshape(shape).copy()

    def set_constant(self, tensor: int, values: npt.NDArray[Any]) -> None:
        """New values of the same or of another type, in a buffer of their own: others may share the old one."""
        one = self.tensors[tensor]
        kinds = {dtype: number for number, dtype in _DTYPES.items()}
        one.type = kinds[values.dtype.newbyteorder("<")] if values.dtype.itemsize > 1 else kinds[values.dtype]
        one.buffer = self.add_buffer(values.tobytes())

    def own_constant(self, operator: Any, position: int) -> int:
        """The constant at an operator's input, as a tensor that no other input is."""
        tensor = int(operator.inputs[position])
        uses = sum(int(index) == tensor for op in self.operators for index in op.inputs)
        if uses > 1:
            tensor = self.add_tensor(copy_tensor(self.tensors[tensor]))
            inputs = [int(index) for index in operator.inputs]
            inputs[position] = tensor
            operator.inputs = inputs
        return tensor

    def add_tensor(self, tensor: Any) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add_buffer(self, data: bytes) -> int:
        made = schema.BufferT()
        made.data = np.frombuffer(data, dtype=np.uint8)
        self.root.buffers.append(made)
        return len(self.root.buffers) - 1

    def readers(self, tensor: int) -> list[Any]:
        return [op for op in self.operators if any(int(index) == tensor for index in op.inputs)]

    def written(self) -> bytes:
        """The file; unused buffers are left out, so that what was replaced does not stay in it."""
        self._drop_unused_buffers()
        builder = flatbuffers.Builder(1 << 16)
        for index, buffer in enumerate(self.root.buffers):
            self.root.buffers[index] = _Aligned(buffer)
        builder.Finish(self.root.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _drop_unused_buffers(self) -> None:
        users = [*self.tensors, *(self.root.metadata or [])]
        kept = sorted({0, *(int(user.buffer) for user in users)})
        places = {old: new for new, old in enumerate(kept)}
        self.root.buffers = [self.root.buffers[old] for old in kept]
        for user in users:
            user.buffer = places[int(user.buffer)]


class _Aligned(schema.BufferT):  # type: ignore[misc]
    """A buffer that packs its bytes on a multiple of 16, which the generated class does not."""

    def __init__(self, buffer: Any) -> None:
        self.data, self.offset, self.size = buffer.data, buffer.offset, buffer.size

    def Pack(self, builder: Any) -> Any:  # noqa: N802 (the schema's name)
        place = None
        if self.data is not None and len(self.data):
            raw = np.asarray(self.data, dtype=np.uint8).tobytes()
            builder.StartVector(1, len(raw), ALIGNMENT)
            builder.head = builder.Head() - len(raw)
            builder.Bytes[builder.Head() : builder.Head() + len(raw)] = raw
            place = builder.EndVector()
        schema.BufferStart(builder)
        if place is not None:
            schema.BufferAddData(builder, place)
        schema.BufferAddOffset(builder, self.offset)
        schema.BufferAddSize(builder, self.size)
        return schema.BufferEnd(builder)


def copy_tensor(tensor: Any) -> Any:
    """Another tensor of the same kind, its quantization shared."""
    made = schema.TensorT()
    for name, value in vars(tensor).items():
        setattr(made, name, value)
    return made


def quantization(scales: npt.NDArray[np.float32], zero_points: npt.NDArray[np.int64], axis: int = 0) -> Any:
    """The schema's object for one scale and zero point, or one for each slice along `axis`."""
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint, made.quantizedDimension = scales.astype(np.float32), zero_points, axis
    return made


def operator(code: int, inputs: list[int], outputs: list[int]) -> Any:
    """An operator without options."""
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
    return made


def copy_operator(original: Any) -> Any:
    """Another operator with the same options."""
    made = schema.OperatorT()
    for name, value in vars(original).items():
        setattr(made, name, value)
    return made

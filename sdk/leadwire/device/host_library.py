"""A generated model as a shared library in this process: the C of the device, compiled for the host.

The library exports `const lw_model *lw_host_model(void)` and `lw_run_batch`, with kernels for this processor also
`const char *lw_host_instructions(void)`; structures as in runtime/leadwire.h.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leadwire.errors import DeviceError, DeviceRefusedError, FileMissingError, PortError

_STATUS = {
    1: "not initialized",
    2: "the arena is too small",
    3: "an operator failed",
    4: "the golden self-test gave other bytes",
    5: "operator index out of range",
    6: "the model's schema version is not the one that TensorFlow Lite Micro reads",
    7: "an operator of the model is missing",
    8: "an input or output is not what the generated header says",
    9: "not supported by this build",
}
_Function = ctypes.CFUNCTYPE(ctypes.c_int)
_StepFunction = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint16)
_MAX_RANK = 5


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_uint32),
        ("dims", ctypes.c_int32 * _MAX_RANK),
        ("rank", ctypes.c_uint8),
        ("item_bytes", ctypes.c_uint8),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
    )


class _OperatorOutput(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("bytes", ctypes.c_uint32))


class _Operator(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_char_p),
        ("outputs", ctypes.POINTER(_OperatorOutput)),
        ("output_count", ctypes.c_uint16),
    )


class _ArenaUse(ctypes.Structure):
    _fields_ = (("used_bytes", ctypes.c_uint32), ("needed_bytes", ctypes.c_uint32))


class _Model(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("generator", ctypes.c_char_p),
        ("digest", ctypes.c_uint8 * 32),
        ("arena_bytes", ctypes.c_uint32),
        ("input_count", ctypes.c_uint16),
        ("output_count", ctypes.c_uint16),
        ("operator_count", ctypes.c_uint16),
        ("label_count", ctypes.c_uint16),
        ("inputs", ctypes.POINTER(_Tensor)),
        ("outputs", ctypes.POINTER(_Tensor)),
        ("operators", ctypes.POINTER(_Operator)),
        ("labels", ctypes.POINTER(ctypes.c_char_p)),
        ("init", _Function),
        ("infer", _Function),
        ("step", _StepFunction),
        ("self_test", _Function),
        ("last_error", _Function),
        ("arena_use", ctypes.POINTER(_ArenaUse)),
    )


class HostLibrary:
    """The model in a shared library. Not reentrant: the model's buffers are static, one instance per library file.

    FileMissingError (2) where there is no such file, PortError (6) where it is no such library, DeviceRefusedError (6)
    where the model answers with an error.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileMissingError(path, role="host library")
        self._name = str(path)
        try:
            library = ctypes.CDLL(str(path.resolve()))
            entry: Any = library.lw_host_model
        except (OSError, AttributeError) as error:
            raise PortError(
                self._name, f"is not a leadwire host library ({error})", hint="build the project for board 'host' again"
            ) from error
        entry.restype = ctypes.POINTER(_Model)
        self._run_batch: Any = getattr(library, "lw_run_batch", None)
        if self._run_batch is not None:
            self._run_batch.restype = ctypes.c_int
            self._run_batch.argtypes = (ctypes.POINTER(_Model), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
        instructions: Any = getattr(library, "lw_host_instructions", None)
        if instructions is not None:
            instructions.restype = ctypes.c_char_p
        self.instructions = "" if instructions is None else str(instructions().decode("ascii"))
        """What kernels for this processor are compiled for ("AVX2"); empty where the library has portable ones."""
        self._model: Any = entry().contents
        self._inputs: list[Any] = self._model.inputs[: self._model.input_count]
        self._outputs: list[Any] = self._model.outputs[: self._model.output_count]
        self._require("init", self._model.init)

    @property
    def model_name(self) -> str:
        return str(self._model.name.decode("utf-8", errors="replace"))

    @property
    def model_digest(self) -> str:
        """SHA-256 of the .tflite file, lower-case hex."""
        return bytes(self._model.digest).hex()

    @property
    def arena_bytes(self) -> int:
        return int(self._model.arena_bytes)

    @property
    def arena_used_bytes(self) -> int:
        return int(self._model.arena_use.contents.used_bytes) if self._model.arena_use else self.arena_bytes

    @property
    def arena_needed_bytes(self) -> int:
        return int(self._model.arena_use.contents.needed_bytes) if self._model.arena_use else self.arena_bytes

    @property
    def input_bytes(self) -> int:
        return sum(int(tensor.bytes) for tensor in self._inputs)

    @property
    def output_bytes(self) -> int:
        return sum(int(tensor.bytes) for tensor in self._outputs)

    @property
    def operator_count(self) -> int:
        return int(self._model.operator_count)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self._model.labels[i].decode("utf-8", errors="replace") for i in range(self._model.label_count))

    def write_input(self, data: bytes) -> None:
        """Set all inputs, in graph order; int8 bytes, already quantized. DeviceError (6) where the length differs."""
        if len(data) != self.input_bytes:
            raise DeviceError(f"'{self._name}' takes {self.input_bytes} input bytes, given {len(data)}")
        offset = 0
        for tensor in self._inputs:
            ctypes.memmove(tensor.data, data[offset : offset + tensor.bytes], tensor.bytes)
            offset += tensor.bytes

    def read_output(self) -> bytes:
        """All outputs, in graph order."""
        return b"".join(ctypes.string_at(tensor.data, tensor.bytes) for tensor in self._outputs)

    def infer(self, data: bytes) -> bytes:
        """One inference: the bytes of all inputs to the bytes of all outputs."""
        self.write_input(data)
        self._require("infer", self._model.infer)
        return self.read_output()

    def infer_into(self, rows: npt.NDArray[np.int8], answers: npt.NDArray[np.int8]) -> None:
        """One inference for each row of all inputs' bytes into a row of all outputs' bytes, in one call that leaves the
        interpreter's lock to others. DeviceError (6) for arrays that are not int8 [n, bytes] without gaps, PortError
        (6) where the library was made without batches.
        """
        if self._run_batch is None:
            raise PortError(self._name, "runs no batches", hint="build the project for board 'host' again")
        for what, array, size in (("rows", rows, self.input_bytes), ("answers", answers, self.output_bytes)):
            if array.dtype != np.int8 or array.shape != (len(rows), size) or not array.flags.c_contiguous:
                raise DeviceError(
                    f"'{self._name}': {what} must be int8 [{len(rows)}, {size}] in C order, "
                    f"found {array.dtype} {list(array.shape)}"
                )
        self._require(
            "infer",
            lambda: self._run_batch(ctypes.byref(self._model), rows.ctypes.data, answers.ctypes.data, len(rows)),
        )

    def step(self, index: int) -> None:
        """Run one operator; in order from 0 after `write_input`."""
        self._require(f"step {index}", lambda: self._model.step(index))

    def tensor(self, index: int) -> bytes:
        """The outputs of operator `index` one after the other, valid right after its step."""
        if not self._model.operators:
            raise DeviceRefusedError(self._name, "tensor", "built without LW_WITH_OPERATOR_TABLE")
        if not 0 <= index < self.operator_count:
            raise DeviceRefusedError(self._name, f"tensor {index}", _STATUS[5])
        operator = self._model.operators[index]
        found = (operator.outputs[position] for position in range(operator.output_count))
        return b"".join(ctypes.string_at(one.data, one.bytes) for one in found)

    def kind(self, index: int) -> str:
        """TFLite's name of operator `index`."""
        if not self._model.operators or not 0 <= index < self.operator_count:
            raise DeviceRefusedError(self._name, f"kind {index}", _STATUS[5])
        return str(self._model.operators[index].kind.decode("ascii", errors="replace"))

    def self_test(self) -> None:
        """Run the golden self-test; DeviceRefusedError (6) where it fails."""
        self._require("self-test", self._model.self_test)

    def _require(self, what: str, call: Callable[[], int]) -> None:
        status = int(call())
        if status:
            raise DeviceRefusedError(self._name, what, _STATUS.get(status, f"status {status}"))

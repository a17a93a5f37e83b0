"""The one door to host interpreters: what a model answers on this machine, byte by byte.

Three runtimes. 'tflm' is TensorFlow Lite Micro's own interpreter (PyPI `tflite-micro`): its arithmetic is the law for
the device. 'tflite' is LiteRT, TensorFlow Lite for desktops, with its reference kernels or with XNNPACK. 'float' is the
Keras model before quantization (see `tensorflow_process`), or LiteRT for a float .tflite.

The state of a fused LSTM is reset before every row, in all of them: each row is a sequence of its own.

Where the two INT8 runtimes differ, with TF 2.21, LiteRT 2.3 and tflite-micro 0.dev20261023: only in FULLY_CONNECTED,
per-tensor and per-channel alike, because TFLM requantizes with two roundings (SaturatingRoundingDoublingHighMul, then
RoundingDivideByPOT) and LiteRT with one. One layer moves by at most 1 LSB, on about 1 in 100 to 500 values (per-channel
5 of 1,280; ad_fcae 8 of 5,120); a chain of ten such layers by up to 14. All other operators of the models measured gave
equal bytes. XNNPACK differs further.

Rows: int8 [n, input_bytes] holds the bytes of all inputs of a sample one after the other in the model's order, as
`infer` takes them over the link; answers are int8 [n, output_bytes]. Of int16 tensors the bytes are little-endian.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from leadwire import tensorflow_process
from leadwire.errors import BadInputError, DatasetError, UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tensor import Tensor, TensorType, values_of
from leadwire.model.tflite import read_tflite
from leadwire.ops.arithmetic import is_wide, limits_of
from leadwire.ops.edges import integer_interface
from leadwire.ops.rules import is_index, is_quantized

Rows = npt.NDArray[np.int8]
Runtime = Literal["tflm", "tflite"]
Progress = Callable[[int, int], None]

_ARENA_FLOOR: Final = 8 << 20
_RECORD_TIMEOUT_S: Final = 120
_RECORD_ARENA: Final = """
import sys
from pathlib import Path
from tflite_micro.python.tflite_micro import runtime
data = Path(sys.argv[1]).read_bytes()
runtime.Interpreter.from_bytes(data, arena_size=16 * (len(data) + (1 << 20))).print_allocations()
"""


def quantize_array(values: npt.NDArray[np.floating[Any]], tensor: Tensor) -> npt.NDArray[np.signedinteger[Any]]:
    """`values` in the int8 or int16 of `tensor`: clamp(round(value / scale) + zero_point), halves away from zero, in
    float32.

    This is TFLite's QUANTIZE (AffineQuantize, kernels/internal/reference/quantize.h: TfLiteRound of the float32
    quotient). Any shape; DatasetError for NaN or infinity.
    """
    if tensor.quantization is None or tensor.dtype not in (TensorType.INT8, TensorType.INT16):
        raise UnsupportedModelError(
            f"tensor '{tensor.name}'",
            f"is {tensor.dtype}, not int8 or int16 with a scale",
            hint="quantize the model first: leadwire quantize",
        )
    if not np.isfinite(values).all():
        raise DatasetError(tensor.name, "values hold NaN or infinity", hint="clean the recordings they come from")
    with np.errstate(over="ignore"):  # infinity is beyond the range like any large value
        quotient = np.abs(values.astype(np.float32) / np.float32(tensor.quantization.scale))
    low, high = limits_of(tensor)
    quotient = np.minimum(quotient, np.float32(high - low + 1))  # every value beyond stands at an end
    whole = np.floor(quotient)
    rounded = np.copysign(whole + (quotient - whole >= np.float32(0.5)), values)
    clamped: npt.NDArray[np.signedinteger[Any]] = np.clip(rounded + tensor.quantization.zero_point, low, high).astype(
        np.int16 if is_wide(tensor) else np.int8
    )
    return clamped


def dequantize_array(raw: npt.NDArray[np.signedinteger[Any]], tensor: Tensor) -> npt.NDArray[np.float64]:
    """real = scale * (quantized - zero_point), in float64 from the file's float32 scale; the shape stays. An index is
    the number it is."""
    if is_index(tensor):
        return raw.astype(np.float64)
    if tensor.quantization is None:
        raise UnsupportedModelError(f"tensor '{tensor.name}'", "has no scale")
    difference = raw.astype(np.float64) - tensor.quantization.zero_point
    return tensor.quantization.scale * difference


def match_inputs(
    model: Model, inputs: Sequence[npt.NDArray[np.float32]], names: Sequence[str]
) -> tuple[npt.NDArray[np.float32], ...]:
    """`inputs` in the model's order: by name, or the only one for the only one. BadInputError where none fits.

    The order in a .tflite file need not be the order of the Keras model.
    """
    tensors = model.input_tensors
    given = dict(zip(names, inputs, strict=True))
    if len(tensors) == 1 and len(given) == 1:
        given = {tensors[0].name: next(iter(given.values()))}
    if {tensor.name for tensor in tensors} != set(given):
        wanted = ", ".join(f"'{tensor.name}'" for tensor in tensors)
        raise BadInputError(
            f"model '{model.name}' has inputs {wanted}, the dataset {', '.join(map(repr, given))}",
            hint="name the model's inputs as the dataset's",
        )
    ordered = tuple(given[tensor.name] for tensor in tensors)
    for tensor, values in zip(tensors, ordered, strict=True):
        if values[0].size != tensor.elements:
            raise BadInputError(
                f"input '{tensor.name}' of model '{model.name}' has shape {list(tensor.shape)}, "
                f"a sample of the dataset {list(values.shape[1:])}",
                hint="use the front end the model was trained with",
            )
    return ordered


def quantize_inputs(model: Model, inputs: Sequence[npt.NDArray[np.float32]], names: Sequence[str]) -> Rows:
    """Float inputs [n, ...] of a dataset as rows, int8 [n, input_bytes]."""
    ordered = match_inputs(model, inputs, names)
    parts = [
        quantize_array(values, tensor).reshape(len(values), -1).view(np.int8)
        for values, tensor in zip(ordered, model.input_tensors, strict=True)
    ]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def dequantize_outputs(model: Model, raw: Rows) -> npt.NDArray[np.float64]:
    """Output rows int8 [n, output_bytes] as real values [n, values]."""
    edges = np.cumsum([tensor.elements for tensor in model.output_tensors])[:-1]
    parts = np.split(values_of(model.output_tensors, raw), edges, axis=1)
    return np.concatenate(
        [dequantize_array(part, tensor) for part, tensor in zip(parts, model.output_tensors, strict=True)], axis=1
    )


def has_tflm() -> bool:
    """Whether TFLite Micro's interpreter is installed (PyPI has it for Linux on x86-64 alone)."""
    return find_spec("tflite_micro") is not None


def run_tflm(path: Path, rows: Rows, *, progress: Progress | None = None) -> Rows:
    """Answers of TFLite Micro, the arithmetic of the device. UnsupportedModelError where it has no such operator."""
    return _run(_Tflm(path), rows, progress)


def run_tflite(
    path: Path, rows: Rows, *, kernels: Literal["reference", "xnnpack"] = "reference", progress: Progress | None = None
) -> Rows:
    """Answers of desktop TFLite (LiteRT), with its reference kernels or with XNNPACK."""
    return _run(_LiteRt(path, kernels=kernels), rows, progress)


def run_float(
    source: Path, inputs: Sequence[npt.NDArray[np.float32]], names: Sequence[str], *, timeout_s: float = 900.0
) -> npt.NDArray[np.float64]:
    """Outputs [n, classes] of the float model: .keras, .h5, a SavedModel folder or a float .tflite."""
    if source.suffix != ".tflite":
        return tensorflow_process.predict(source, dict(zip(names, inputs, strict=True)), timeout_s=timeout_s)
    runtime = _LiteRt(source)
    ordered = match_inputs(runtime.model, inputs, names)
    outputs = [np.concatenate([out.ravel() for out in runtime.invoke(sample)]) for sample in zip(*ordered, strict=True)]
    return np.asarray(outputs, dtype=np.float64)


def run_values(
    path: Path, inputs: Sequence[npt.NDArray[np.float32]], names: Sequence[str], *, runtime: Runtime = "tflite"
) -> npt.NDArray[np.float64]:
    """Real outputs [n, values] of a .tflite whose inputs and outputs are integers with a scale, floats, or some of
    each: inputs are quantized where the model's are, outputs dequantized."""
    engine: _Tflm | _LiteRt = _Tflm(path) if runtime == "tflm" else _LiteRt(path)
    return np.asarray([
        np.concatenate([_real(out, one).ravel() for out, one in zip(engine.invoke(sample), engine.model.output_tensors,
                                                                    strict=True)])
        for sample in _encoded(engine.model, inputs, names)
    ])  # fmt: skip


def tensors_of(path: Path, row: Rows, *, runtime: Runtime = "tflm") -> tuple[bytes, ...]:
    """The bytes of every operator's outputs, in execution order, for one row: where two runtimes part."""
    return next(iter(operator_outputs(path, row.reshape(1, -1), runtime=runtime)))[1]


def operator_outputs(path: Path, rows: Rows, *, runtime: Runtime = "tflm") -> Iterator[tuple[Rows, tuple[bytes, ...]]]:
    """(output row, bytes of every operator's outputs, one after the other) for each row."""
    engine: _Tflm | _LiteRt = _Tflm(path, keep_all=True) if runtime == "tflm" else _LiteRt(path, keep_all=True)
    _check_rows(engine.model, rows)
    for row in rows:
        outputs = engine.invoke(_split(engine.model, row))
        yield (
            _join(outputs),
            tuple(b"".join(engine.tensor(one).tobytes() for one in op.outputs) for op in engine.model.operators),
        )


def operator_values(
    path: Path, inputs: Sequence[npt.NDArray[np.float32]], names: Sequence[str], *, runtime: Runtime = "tflite"
) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Every operator's outputs, flat, one after the other and of the file's types, for each sample of a dataset; inputs
    as `run_values` gives them."""
    engine: _Tflm | _LiteRt = _Tflm(path, keep_all=True) if runtime == "tflm" else _LiteRt(path, keep_all=True)
    for sample in _encoded(engine.model, inputs, names):
        engine.invoke(sample)
        yield tuple(np.concatenate([engine.tensor(one).ravel() for one in op.outputs]) for op in engine.model.operators)


def float_operator_outputs(
    path: Path, inputs: Sequence[npt.NDArray[np.float32]], names: Sequence[str]
) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
    """Every operator's outputs of a float .tflite, flat, one after the other, for each sample of a dataset."""
    engine = _LiteRt(path, keep_all=True)
    for sample in zip(*match_inputs(engine.model, inputs, names), strict=True):
        engine.invoke(sample)
        yield tuple(
            np.concatenate([engine.tensor(one).astype(np.float32).ravel() for one in op.outputs])
            for op in engine.model.operators
        )


def tflm_arena_bytes(path: Path) -> int | None:
    """What TFLite Micro's interpreter records of its arena on this machine, None where it cannot be had.

    It prints the record to the process's standard error, so it runs in a process of its own.
    """
    if not has_tflm():
        return None
    try:
        found = subprocess.run(
            [sys.executable, "-P", "-c", _RECORD_ARENA, str(path)],
            capture_output=True, text=True, check=False, timeout=_RECORD_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    recorded = re.search(r"Arena allocation total (\d+) bytes", found.stderr)
    return int(recorded[1]) if found.returncode == 0 and recorded is not None else None


def _encoded(
    model: Model, inputs: Sequence[npt.NDArray[np.float32]], names: Sequence[str]
) -> Iterator[list[npt.NDArray[Any]]]:
    """Each sample in the types of the model's inputs."""
    ordered = [
        values.astype(np.float32) if tensor.dtype.is_float else quantize_array(values, tensor)
        for values, tensor in zip(match_inputs(model, inputs, names), model.input_tensors, strict=True)
    ]
    for sample in zip(*ordered, strict=True):
        yield list(sample)


def _real(values: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[np.float64]:
    if tensor.dtype.is_float:
        return values.astype(np.float64)
    return dequantize_array(values, tensor)


# ---------------------------------------------------------------------------------------------- runtimes


class _LiteRt:
    """A model in LiteRT's interpreter, one thread."""

    def __init__(self, path: Path, *, kernels: str = "reference", keep_all: bool = False) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self.model = read_tflite(path)
        resolver = OpResolverType.BUILTIN_REF if kernels == "reference" else OpResolverType.BUILTIN
        try:
            self._interpreter = Interpreter(
                model_content=path.read_bytes(), experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=keep_all, num_threads=1,
            )  # fmt: skip
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise _refused(self.model, "TFLite", error) from error

    def invoke(self, inputs: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        for index, values in zip(self.model.inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, values.reshape(self.model.tensors[index].shape))
        if self.model.has_state:
            self._interpreter.reset_all_variables()
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self.model.outputs]

    def tensor(self, index: int) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = self._interpreter.get_tensor(index)
        return values


class _Tflm:
    """A model in TFLite Micro's interpreter, in an arena that is large for any model: with one that is too small for
    hundreds of operators, those of an unrolled LSTM, it does not refuse but crashes."""

    def __init__(self, path: Path, *, keep_all: bool = False) -> None:
        try:
            from tflite_micro.python.tflite_micro import runtime
        except ImportError as error:
            raise BadInputError(
                "the package 'tflite-micro' is not installed: there is no witness for the device's bytes",
                hint="use a platform it has wheels for (Linux x86-64 with CPython 3.10 to 3.13)",
            ) from error
        self.model = read_tflite(path)
        config = runtime.InterpreterConfig
        activations = sum(t.size_bytes for t in self.model.tensors if not t.is_constant)
        try:
            self._interpreter = runtime.Interpreter.from_bytes(
                path.read_bytes(), arena_size=_ARENA_FLOOR + 4 * (path.stat().st_size + activations),
                intrepreter_config=config.kPreserveAllTensors if keep_all else config.kAllocationRecording,
            )  # fmt: skip
        except RuntimeError as error:
            raise _refused(self.model, "TFLite Micro", error) from error

    def invoke(self, inputs: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        for position, (index, values) in enumerate(zip(self.model.inputs, inputs, strict=True)):
            self._interpreter.set_input(values.reshape(self.model.tensors[index].shape), position)
        if self.model.has_state:
            self._interpreter.reset()
        self._interpreter.invoke()
        return [self._interpreter.get_output(position) for position in range(len(self.model.outputs))]

    def tensor(self, index: int) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = self._interpreter.GetTensor(index, 0)["tensor_data"]
        return values


def _refused(model: Model, runtime: str, error: Exception) -> UnsupportedModelError:
    reason = " ".join(str(error).split())[:300]
    return UnsupportedModelError(
        f"model '{model.name}'", f"{runtime} cannot prepare it: {reason}", hint="see docs/SUPPORTED_OPS.md"
    )


def _run(engine: _LiteRt | _Tflm, rows: Rows, progress: Progress | None) -> Rows:
    """Rows are those of the integer body: float inputs and outputs around it are converted here, without loss."""
    outside, body = engine.model, integer_interface(engine.model)
    _check_rows(body, rows)
    answers = np.empty((len(rows), body.output_bytes), dtype=np.int8)
    for index, row in enumerate(rows):
        inputs = [
            dequantize_array(part, inner).astype(np.float32) if outer.dtype.is_float else part
            for part, inner, outer in zip(_split(body, row), body.input_tensors, outside.input_tensors, strict=True)
        ]
        outputs = [
            quantize_array(np.asarray(out), inner) if outer.dtype.is_float else out
            for out, inner, outer in zip(
                engine.invoke(inputs), body.output_tensors, outside.output_tensors, strict=True
            )
        ]
        answers[index] = _join(outputs)
        if progress is not None:
            progress(index + 1, len(rows))
    return answers


def _check_rows(model: Model, rows: Rows) -> None:
    wrong = [t for t in model.input_tensors if not is_quantized(t)]
    wrong += [t for t in model.output_tensors if not is_quantized(t) and not is_index(t)]
    if wrong:
        raise UnsupportedModelError(
            f"tensor '{wrong[0].name}' of '{model.name}'",
            f"is {wrong[0].dtype}, not int8 or int16 with a scale",
            hint="quantize the model first: leadwire quantize",
        )
    if rows.dtype != np.int8 or rows.ndim != 2 or rows.shape[1] != model.input_bytes:
        raise BadInputError(
            f"rows for model '{model.name}' must be int8 [n, {model.input_bytes}], "
            f"found {rows.dtype} {list(rows.shape)}"
        )


def _split(model: Model, row: Rows) -> list[npt.NDArray[Any]]:
    """The values of each input."""
    parts = np.split(row, np.cumsum([tensor.size_bytes for tensor in model.input_tensors])[:-1])
    return [
        np.ascontiguousarray(part).view(tensor.dtype.numpy)
        for part, tensor in zip(parts, model.input_tensors, strict=True)
    ]


def _join(outputs: Sequence[npt.NDArray[Any]]) -> Rows:
    return np.concatenate([np.ascontiguousarray(out).ravel().view(np.int8) for out in outputs])

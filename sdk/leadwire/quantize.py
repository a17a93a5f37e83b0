"""Stage quantize: a trained float model to a full-integer .tflite, int8 or int16x8, with its calibration set.

The calibration set is drawn by a stated policy and recorded, because it decides the result: calibrated on 20 normal
beats of one record, a classifier kept its accuracy and lost 10.8 points of sensitivity to supraventricular beats. Its
patients are never test patients. The result is proved full integer by reading it back, and each operator's quantization
error is measured against the float model on the same inputs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from leadwire import reference, tensorflow_process
from leadwire.artifacts import CalibrationSet, LayerError, QuantizationMode, QuantizedModel, sha256_hex
from leadwire.datasets import Dataset, take
from leadwire.errors import BadInputError, DatasetError, FileMissingError, LeakError, UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tensor import Tensor
from leadwire.model.tflite import parse_tflite, read_tflite
from leadwire.ops import registry
from leadwire.ops.arithmetic import is_wide, limits_of
from leadwire.ops.edges import integer_interface
from leadwire.ops.rules import is_index, is_quantized
from leadwire.workspace import file_digest, write_atomically

Stratify = Literal["class", "patient", "class+patient"]
SOURCES: Final = (".keras", ".h5", ".hdf5", ".tflite")
_MEASURED_SAMPLES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPolicy:
    """Draw `count` samples with `seed`, as evenly over the strata as their sizes allow; in 'class+patient' first over
    the classes, then over the patients of each class."""

    count: int = 200
    seed: int = 1
    stratify: Stratify = "class+patient"

    @property
    def text(self) -> str:
        return f"{self.count} samples, evenly by {self.stratify.replace('+', ' then ')}, PCG64 seed {self.seed}"


def quantize_model(
    source: Path,
    dataset: Dataset,
    policy: CalibrationPolicy,
    out: Path,
    *,
    test_patients: Iterable[str] = (),
    mode: QuantizationMode = "int8",
    per_tensor_dense: bool = False,
    timeout_s: float = 900.0,
) -> QuantizedModel:
    """Write the full-integer form of `source` (.keras, .h5, SavedModel folder, float .tflite) to the file `out`, and
    the float .tflite of the same graph beside it (`float_twin`).

    `dataset` is the split to calibrate on; LeakError (2) if one of `test_patients` is in it. `per_tensor_dense` gives
    each Dense layer one scale, for runtimes that know no per-channel FULLY_CONNECTED. A `source` that is full integer
    already, with or without float inputs and outputs around it, is taken as it is, without calibration; BadInputError
    (2) where its mode is another. Same inputs,
    same bytes; `pinned` of the result says what was held fixed. FileMissingError, BadInputError, DatasetError (2);
    UnsupportedModelError (3) names layers and remedies; BuildError (5) when TensorFlow cannot run or takes longer than
    `timeout_s` seconds.
    """
    _check_source(source)
    if out.is_dir():
        raise BadInputError(f"'{out}' is a folder", hint="name the .tflite file to write")
    shared = sorted(set(dataset.patients) & set(test_patients))
    if shared:
        raise LeakError(shared, "calibration", "test")
    if source.suffix == ".tflite":
        model = integer_interface(read_tflite(source))
        if all(is_quantized(tensor) or is_index(tensor) for tensor in (*model.input_tensors, *model.output_tensors)):
            _check_mode(model, mode)
            return _adopt(source, model, out)
        _check_float(model)
        if mode != "int8":
            raise BadInputError(
                f"a float .tflite file cannot become {mode}: TensorFlow makes that of a Keras file or a SavedModel",
                hint="give the Keras file, or quantize to int8",
            )
        reference.match_inputs(model, dataset.inputs, dataset.input_names)
    calibration, indices = draw_calibration(dataset, policy)
    drawn = take(dataset, indices)
    integer, floating = tensorflow_process.convert(
        source, dict(zip(drawn.input_names, drawn.inputs, strict=True)),
        mode=mode, per_tensor_dense=per_tensor_dense, timeout_s=timeout_s,
    )  # fmt: skip
    registry.check(parse_tflite(integer, out.stem))
    write_atomically(out, integer)
    write_atomically(float_twin(out), floating)
    return QuantizedModel(
        path=out,
        digest=sha256_hex(integer),
        size_bytes=len(integer),
        source_digest=file_digest(source),
        calibration=calibration,
        layer_errors=measure_layers(out, floating, take(drawn, _evenly(len(drawn), _MEASURED_SAMPLES))),
        pinned=(
            *tensorflow_process.pinned(),
            ("mode", mode),
            ("batch", "1"),
            ("dense", "per-tensor" if per_tensor_dense else "per-channel"),
            ("calibration order", "ascending index"),
        ),
    )


def float_twin(int8: Path) -> Path:
    """Where the float .tflite of the same graph lies, whose operators have the same names: beside the INT8 file."""
    return int8.with_name(f"{int8.stem}.float.tflite")


def _check_source(source: Path) -> None:
    if not source.is_file() and not source.is_dir():
        raise FileMissingError(source, role="model")
    if source.is_dir() and not (source / "saved_model.pb").is_file():
        raise BadInputError(
            f"model '{source}' is a folder without saved_model.pb",
            hint="give a SavedModel folder (model.export), or a .keras file",
        )
    if source.is_file() and source.suffix not in SOURCES:
        raise BadInputError(
            f"model '{source}' is of no known kind", hint=f"give one of {', '.join(SOURCES)}, or a SavedModel folder"
        )


def _check_float(model: Model) -> None:
    """UnsupportedModelError for a quantized model whose inputs and outputs, without float edges, are not integers."""
    if any(tensor.quantization is not None for tensor in model.tensors):
        edges = (*model.input_tensors, *model.output_tensors)
        wrong = next(tensor for tensor in edges if not is_quantized(tensor))
        raise UnsupportedModelError(
            f"model '{model.name}'",
            f"is quantized already, but its input or output '{wrong.name}' is {wrong.dtype}, not int8 or int16",
            hint="give the float model, or convert with inference_input_type = inference_output_type = tf.int8",
        )


def _check_mode(model: Model, mode: QuantizationMode) -> None:
    found = "int16x8" if any(is_wide(tensor) for tensor in model.input_tensors) else "int8"
    if found != mode:
        raise BadInputError(
            f"model '{model.name}' is quantized already, as {found} and not as {mode}",
            hint=f"ask for {found}, or give the float model",
        )


def _adopt(source: Path, model: Model, out: Path) -> QuantizedModel:
    """A model that somebody else quantized: proved full integer, copied byte by byte, its calibration unknown."""
    registry.check(model)
    content = source.read_bytes()
    write_atomically(out, content)
    unknown = CalibrationSet(
        dataset="",
        policy="none: the file came quantized",
        seed=0,
        count=0,
        per_class=(),
        patients=(),
        indices=(),
        digest=sha256_hex(b""),
    )
    return QuantizedModel(
        path=out,
        digest=model.digest,
        size_bytes=len(content),
        source_digest=model.digest,
        calibration=unknown,
        layer_errors=(),
        pinned=(),
    )


# ---------------------------------------------------------------------------------------------- calibration


def draw_calibration(dataset: Dataset, policy: CalibrationPolicy) -> tuple[CalibrationSet, tuple[int, ...]]:
    """The samples that set the ranges, in ascending index, and the record of them.

    DatasetError where the data set holds fewer samples than asked for, or NaN.
    """
    size = len(dataset.labels)
    if not 1 <= policy.count <= size:
        raise DatasetError(
            dataset.name,
            f"calibration asks for {policy.count} of {size} samples",
            hint=f"set calibration.count to 1..{size}",
        )
    generator = np.random.Generator(np.random.PCG64(policy.seed))
    chosen = sorted(_draw(generator, range(size), policy.count, _keys(dataset, policy.stratify)))
    drawn = take(dataset, chosen)
    for name, values in zip(drawn.input_names, drawn.inputs, strict=True):
        if not np.isfinite(values).all():
            raise DatasetError(dataset.name, f"input '{name}' of the calibration set holds NaN or infinity")
    counts = np.bincount(drawn.labels, minlength=len(dataset.label_names)).tolist()
    digest = hashlib.sha256()
    for values in drawn.inputs:
        digest.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    return CalibrationSet(
        dataset=dataset.name,
        policy=policy.text,
        seed=policy.seed,
        count=len(chosen),
        per_class=tuple(zip(dataset.label_names, counts, strict=True)),
        patients=tuple(sorted(set(drawn.patients))),
        indices=tuple(chosen),
        digest=digest.hexdigest(),
    ), tuple(chosen)


def _keys(dataset: Dataset, stratify: Stratify) -> tuple[Sequence[str], ...]:
    """What to stratify by, outermost first: for each level one text per sample."""
    classes = [dataset.label_names[label] for label in dataset.labels]
    return {"class": (classes,), "patient": (dataset.patients,), "class+patient": (classes, dataset.patients)}[stratify]


def _draw(
    generator: np.random.Generator, members: Iterable[int], count: int, keys: tuple[Sequence[str], ...]
) -> list[int]:
    """`count` of `members` without replacement, spread evenly over the strata of the first key, then of the next."""
    if not keys:
        return [int(member) for member in generator.permutation(list(members))[:count]]
    strata: dict[str, list[int]] = {}
    for member in members:
        strata.setdefault(keys[0][member], []).append(member)
    names = sorted(strata)
    shares = spread(count, [len(strata[name]) for name in names])
    return [
        member
        for name, share in zip(names, shares, strict=True)
        for member in _draw(generator, strata[name], share, keys[1:])
    ]


def spread(count: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """`count` spread over strata of `sizes` as evenly as they allow; the smallest are filled first, a remainder goes to
    the larger ones. The sum is min(count, sum(sizes))."""
    shares = [0] * len(sizes)
    left = count
    for rank, index in enumerate(sorted(range(len(sizes)), key=lambda i: (sizes[i], i))):
        shares[index] = min(sizes[index], left // (len(sizes) - rank))
        left -= shares[index]
    return tuple(shares)


# ---------------------------------------------------------------------------------------------- error of each layer


def measure_layers(quantized: Path, floating: bytes, samples: Dataset) -> tuple[LayerError, ...]:
    """SQNR and saturation of each operator's output: TFLite Micro (desktop TFLite where that is not installed) in
    integers against the float model, same inputs.

    The two files come from one graph; an operator's float counterpart is the one whose output has the same name. A
    QUANTIZE that only changes the scale has the counterpart of what it reads. Operators without one are left out.
    """
    with TemporaryDirectory(prefix="leadwire-") as folder:
        float_file = Path(folder) / "float.tflite"
        float_file.write_bytes(floating)
        model, float_model = read_tflite(quantized), read_tflite(float_file)
        pairs = counterparts(model, float_model)
        rows = reference.quantize_inputs(model, samples.inputs, samples.input_names)
        signal, noise = np.zeros(len(model.operators)), np.zeros(len(model.operators))
        saturated = np.zeros(len(model.operators))
        answers = reference.operator_outputs(quantized, rows, runtime="tflm" if reference.has_tflm() else "tflite")
        floats = reference.float_operator_outputs(float_file, samples.inputs, samples.input_names)
        for (_, outputs), wanted in zip(answers, floats, strict=True):
            for index, counterpart in pairs.items():
                tensor = model.output(model.operators[index])
                raw = np.frombuffer(outputs[index], dtype=tensor.dtype.numpy)
                real = wanted[counterpart].astype(np.float64)
                error = reference.dequantize_array(raw, tensor) - real
                signal[index] += np.square(real).sum()
                noise[index] += np.square(error).sum()
                saturated[index] += _saturated(raw, error, tensor) / (raw.size * len(rows))
    return tuple(
        LayerError(
            operator_index=index,
            kind=model.operators[index].kind,
            tensor=model.output(model.operators[index]).label,
            sqnr_db=_decibels(signal[index], noise[index]),
            saturated_fraction=float(saturated[index]),
        )
        for index in sorted(pairs)
    )


def counterparts(model: Model, float_model: Model) -> dict[int, int]:
    """INT8 operator to the float operator whose output has the same name."""
    by_name = {
        (float_model.output(operator).name, float_model.output(operator).elements): operator.index
        for operator in float_model.operators
    }
    found: dict[int, int] = {}
    writers: dict[int, int] = {}
    for operator in model.operators:
        output = model.output(operator)
        counterpart = by_name.get((output.name, output.elements))
        if operator.kind == "QUANTIZE" and counterpart is None:
            counterpart = found.get(writers.get(operator.inputs[0], -1))
        if counterpart is not None and all(map(is_quantized, model.made(operator))):
            found[operator.index] = counterpart
        writers[operator.outputs[0]] = operator.index
    return found


def _saturated(raw: npt.NDArray[np.generic], error: npt.NDArray[np.float64], tensor: Tensor) -> int:
    """How many values stand at an end of the range for a real value more than half a step beyond it; the zeros of a
    RELU stand at -128 too, but for a real zero."""
    step = tensor.quantization.scale if tensor.quantization else math.inf
    low, high = limits_of(tensor)
    return int(np.count_nonzero(((raw == high) & (error < -step / 2)) | ((raw == low) & (error > step / 2))))


def _decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise); infinite where there is no error."""
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _evenly(size: int, count: int) -> npt.NDArray[np.int64]:
    """At most `count` indices, evenly over 0..size-1."""
    return np.unique(np.linspace(0, size - 1, min(size, count)).round().astype(np.int64))

"""Stage quantize: a trained float model to a .tflite in one of five modes, with its calibration set.

The calibration set is drawn by a stated policy and recorded, because it decides the result: calibrated on 20 normal
beats of one record, a classifier kept its accuracy and lost 10.8 points of sensitivity to supraventricular beats. Its
patients are never test patients. A mode for the device is proved full integer by reading it back, each operator's
quantization error is measured against the float model on the same inputs, and what the mode costs on held-out samples.

int8 and int16x8 by the lowest and the highest value are TensorFlow's own conversion from end to end (`convert`). All
else starts from the float .tflite of the same graph (`modes`): equalized weights (`equalize`), ranges by another
calibrator (`ranges`), corrected biases (`bias`), operators of several forms (`islands`), weights alone (`weights`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from leadwire import reference, tensorflow_process
from leadwire.artifacts import (
    CalibrationSet,
    ComparedMode,
    ModeComparison,
    QuantizationMode,
    QuantizationRecipe,
    QuantizedModel,
    SensitivityResult,
    sha256_hex,
)
from leadwire.datasets import Dataset, take
from leadwire.errors import BadInputError, DatasetError, FileMissingError, LeakError, UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tensor import TensorType
from leadwire.model.tflite import parse_tflite, read_tflite
from leadwire.ops import registry
from leadwire.ops.edges import integer_interface
from leadwire.ops.rules import is_index, is_quantized
from leadwire.workspace import file_digest, write_atomically

from .draw import CalibrationPolicy, Stratify, draw_calibration, draw_held_out, spread
from .effect import effect_of, outputs_of
from .found import mode_of
from .layer_errors import counterparts, evenly, measure_layers
from .modes import COMPARED, Made, Maker, check_recipe, is_for_device
from .sensitivity import Progress, rank_layers

__all__ = [
    "SOURCES",
    "CalibrationPolicy",
    "Stratify",
    "compare_modes",
    "counterparts",
    "draw_calibration",
    "float_twin",
    "measure_layers",
    "measure_sensitivity",
    "quantize_model",
    "spread",
]

SOURCES: Final = (".keras", ".h5", ".hdf5", ".tflite")
_MEASURED_SAMPLES: Final = 64
_NO_RANGES: Final = CalibrationSet(
    dataset="", policy="", seed=0, count=0, per_class=(), patients=(), indices=(), digest=sha256_hex(b"")
)


def quantize_model(
    source: Path,
    dataset: Dataset,
    policy: CalibrationPolicy,
    out: Path,
    *,
    test_patients: Iterable[str] = (),
    mode: QuantizationMode = "int8",
    recipe: QuantizationRecipe | None = None,
    per_tensor_dense: bool = False,
    timeout_s: float = 900.0,
) -> QuantizedModel:
    """Write `source` (.keras, .h5, SavedModel folder, float .tflite) in a mode to the file `out`, and the float .tflite
    of the same graph beside it (`float_twin`).

    `dataset` is the split to calibrate on, and to measure on what calibration left; LeakError (2) if one of
    `test_patients` is in it. `recipe` None is the plain one. `per_tensor_dense` gives each Dense layer one scale, for
    runtimes that know no per-channel FULLY_CONNECTED. A `source` that is full integer already, with or without float
    inputs and outputs around it, is taken as it is, without calibration; BadInputError (2) where its mode is another,
    or where a recipe is asked for. Same inputs, same bytes; `pinned` of the result says what was held fixed.
    FileMissingError, BadInputError, DatasetError (2); UnsupportedModelError (3) names layers and remedies; BuildError
    (5) when TensorFlow cannot run or takes longer than `timeout_s` seconds.
    """
    recipe = recipe or QuantizationRecipe()
    check_recipe(mode, recipe)
    _check_source(source)
    if out.is_dir():
        raise BadInputError(f"'{out}' is a folder", hint="name the .tflite file to write")
    _check_patients(dataset, test_patients)
    if source.suffix == ".tflite" and (model := _integer_model(source, dataset)) is not None:
        _check_mode(model, mode, recipe)
        return _adopt(source, model, out, mode)
    calibration, indices = _draw(dataset, policy, mode)
    drawn, held_out = take(dataset, indices or (0,)), draw_held_out(dataset, policy, indices)
    maker = Maker(source, drawn, per_tensor_dense=per_tensor_dense, timeout_s=timeout_s)
    made = maker.make(mode, recipe, held_out)
    if is_for_device(mode, recipe):
        registry.check(parse_tflite(made.content, out.stem))
    write_atomically(out, made.content)
    write_atomically(float_twin(out), made.floating)
    measured = take(drawn, evenly(len(drawn), _MEASURED_SAMPLES))
    return QuantizedModel(
        path=out,
        digest=sha256_hex(made.content),
        size_bytes=len(made.content),
        source_digest=file_digest(source),
        calibration=calibration,
        layer_errors=measure_layers(out, made.floating, measured) if indices else (),
        pinned=_pinned(mode, recipe, per_tensor_dense),
        mode=mode,
        recipe=recipe,
        equalized=made.equalized,
        corrected=made.corrected,
        kept=made.kept,
        effect=None
        if held_out is None
        else effect_of(outputs_of(made.floating, held_out), outputs_of(made.content, held_out), held_out),
    )  # fmt: skip


def measure_sensitivity(
    source: Path,
    dataset: Dataset,
    policy: CalibrationPolicy,
    *,
    test_patients: Iterable[str] = (),
    recipe: QuantizationRecipe | None = None,
    per_tensor_dense: bool = False,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
) -> SensitivityResult:
    """What each layer of a float model costs on held-out samples when it alone is int8. Errors as `quantize_model`;
    DatasetError where calibration leaves no sample to measure on."""
    recipe = recipe or QuantizationRecipe()
    check_recipe("int8", recipe)
    maker, calibration, held_out = _prepared(source, dataset, policy, test_patients, per_tensor_dense, timeout_s)
    forms = maker.forms(("int8",), recipe)
    floats = outputs_of(forms["float"], held_out)
    return SensitivityResult(
        source_digest=file_digest(source),
        calibration=calibration,
        calibrator=recipe.calibrator,
        all_int8=effect_of(floats, outputs_of(forms["int8"], held_out), held_out),
        layers=rank_layers(forms, held_out, progress),
    )


def compare_modes(
    source: Path,
    dataset: Dataset,
    policy: CalibrationPolicy,
    *,
    test_patients: Iterable[str] = (),
    per_tensor_dense: bool = False,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
) -> ModeComparison:
    """Every mode, calibrator and repair on the same calibration set and the same held-out samples. Errors as
    `measure_sensitivity`."""
    maker, calibration, held_out = _prepared(source, dataset, policy, test_patients, per_tensor_dense, timeout_s)
    found = []
    floats = outputs_of(maker.floating, held_out)
    maker.make_ready(COMPARED)
    for done, (mode, recipe) in enumerate(COMPARED, start=1):
        made: Made = maker.make(mode, recipe, held_out)
        found.append(
            ComparedMode(
                mode=mode,
                recipe=recipe,
                size_bytes=len(made.content),
                kept=made.kept,
                effect=effect_of(floats, outputs_of(made.content, held_out), held_out),
            )
        )
        if progress is not None:
            progress(done, len(COMPARED))
    return ModeComparison(source_digest=file_digest(source), calibration=calibration, modes=tuple(found))


def float_twin(quantized: Path) -> Path:
    """Where the float .tflite of the same graph lies, whose operators have the same names: beside the quantized one."""
    return quantized.with_name(f"{quantized.stem}.float.tflite")


def _prepared(
    source: Path,
    dataset: Dataset,
    policy: CalibrationPolicy,
    test_patients: Iterable[str],
    per_tensor_dense: bool,
    timeout_s: float,
) -> tuple[Maker, CalibrationSet, Dataset]:
    _check_source(source)
    _check_patients(dataset, test_patients)
    if source.suffix == ".tflite" and (model := _integer_model(source, dataset)) is not None:
        raise BadInputError(
            f"model '{model.name}' is quantized already: there is nothing to compare it with",
            hint="give the float model it was made from",
        )
    calibration, indices = draw_calibration(dataset, policy)
    held_out = draw_held_out(dataset, policy, indices)
    if held_out is None:
        raise DatasetError(
            dataset.name,
            f"calibration takes all {len(dataset)} samples, none is left to measure on",
            hint="set a smaller calibration.count",
        )
    maker = Maker(source, take(dataset, indices), per_tensor_dense=per_tensor_dense, timeout_s=timeout_s)
    return maker, calibration, held_out


def _draw(
    dataset: Dataset, policy: CalibrationPolicy, mode: QuantizationMode
) -> tuple[CalibrationSet, tuple[int, ...]]:
    if mode not in ("dynamic", "fp16"):
        return draw_calibration(dataset, policy)
    return replace(_NO_RANGES, policy=f"none: mode {mode} has no activation ranges"), ()


def _pinned(mode: QuantizationMode, recipe: QuantizationRecipe, per_tensor_dense: bool) -> tuple[tuple[str, str], ...]:
    given = (
        ("calibrator", f"percentile {recipe.percentile:g}" if recipe.calibrator == "percentile" else recipe.calibrator),
        ("cross-layer equalization", "yes" if recipe.equalize else ""),
        ("bias correction", "yes" if recipe.bias_correction else ""),
        ("kept as", recipe.keep_as if mode == "mixed" else ""),
    )
    return (
        *tensorflow_process.pinned(),
        ("mode", mode),
        ("batch", "1"),
        ("dense", "per-tensor" if per_tensor_dense else "per-channel"),
        ("calibration order", "ascending index"),
        *((name, value) for name, value in given if value),
    )


# ---------------------------------------------------------------------------------------------- what came in


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


def _check_patients(dataset: Dataset, test_patients: Iterable[str]) -> None:
    shared = sorted(set(dataset.patients) & set(test_patients))
    if shared:
        raise LeakError(shared, "calibration", "test")


def _integer_model(source: Path, dataset: Dataset) -> Model | None:
    """The model of a .tflite that is quantized already, None of a float one, which must fit the dataset."""
    model = integer_interface(read_tflite(source))
    if all(is_quantized(tensor) or is_index(tensor) for tensor in (*model.input_tensors, *model.output_tensors)):
        return model
    _check_float(model)
    reference.match_inputs(model, dataset.inputs, dataset.input_names)
    return None


def _check_float(model: Model) -> None:
    """UnsupportedModelError for a quantized model whose inputs and outputs, without float edges, are not integers."""
    if any(tensor.quantization is not None or tensor.dtype is TensorType.FLOAT16 for tensor in model.tensors):
        edges = (*model.input_tensors, *model.output_tensors)
        wrong = next((tensor for tensor in edges if not is_quantized(tensor)), edges[0])
        found = mode_of(model)
        if found is not None and found not in ("int8", "int16x8"):
            raise UnsupportedModelError(
                f"model '{model.name}'", f"is quantized already, in mode {found}", hint="give the float model"
            )
        raise UnsupportedModelError(
            f"model '{model.name}'",
            f"is quantized already, but its input or output '{wrong.name}' is {wrong.dtype}, not int8 or int16",
            hint="give the float model, or convert with inference_input_type = inference_output_type = tf.int8",
        )


def _check_mode(model: Model, mode: QuantizationMode, recipe: QuantizationRecipe) -> None:
    found = mode_of(model)
    if found != mode:
        raise BadInputError(
            f"model '{model.name}' is quantized already, as {found} and not as {mode}",
            hint=f"ask for {found}, or give the float model",
        )
    if recipe != QuantizationRecipe():
        raise BadInputError(
            f"model '{model.name}' is quantized already: calibrator and repairs come too late",
            hint="leave them out, or give the float model",
        )


def _adopt(source: Path, model: Model, out: Path, mode: QuantizationMode) -> QuantizedModel:
    """A model that somebody else quantized: proved full integer, copied byte by byte, its calibration unknown."""
    registry.check(model)
    content = source.read_bytes()
    write_atomically(out, content)
    return QuantizedModel(
        path=out,
        digest=model.digest,
        size_bytes=len(content),
        source_digest=model.digest,
        calibration=replace(_NO_RANGES, policy="none: the file came quantized"),
        layer_errors=(),
        pinned=(),
        mode=mode,
    )

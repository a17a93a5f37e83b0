"""The worker: the only code of leadwire that imports TensorFlow. `python -m leadwire.tensorflow_process FOLDER`.

Standard input at its end means that the parent is gone: the process ends at once.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from leadwire.model.tflite import parse_tflite
from leadwire.tensorflow_process.worker import end_with_parent

Arrays = Mapping[str, npt.NDArray[np.float32]]
_PREDICT_BATCH: Final = 512
_ATTEMPTS: Final = 8
_SPLITTING: Final = ("SPLIT", "SPLIT_V", "UNPACK")
_RECURRENT: Final = ("LSTM", "GRU", "SimpleRNN")


class _Worker:
    """One request. `stage` is written before each step, so that the parent can say where a crash happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
        self.task, self.source = str(request["task"]), Path(request["source"])
        self.per_tensor_dense = bool(request.get("per_tensor_dense", False))
        self.wide = request.get("mode") == "int16x8"
        self.float_only = bool(request.get("float_only", False))
        self.wanted: Mapping[str, Any] = request.get("wanted", {})
        self.learnt_ranges = False
        with np.load(folder / "inputs.npz", allow_pickle=False) as stored:
            self.arrays: Arrays = {name.removeprefix("input:"): stored[name] for name in stored.files}

    def answer(self, **content: Any) -> None:
        (self.folder / "answer.json").write_text(json.dumps(content), encoding="utf-8")

    def refuse(self, where: str, reason: str, hint: str) -> NoReturn:
        self.answer(refusal={"where": where, "reason": reason, "hint": hint})
        raise SystemExit(0)

    def reject(self, reason: str, hint: str) -> NoReturn:
        self.answer(bad_input={"reason": reason, "hint": hint})
        raise SystemExit(0)

    def run(self) -> None:
        import tensorflow as tf

        self.tf = tf
        self.answer(stage="load")
        if self.task == "quantize":
            self._quantize_by_ranges(self.source.read_bytes())
        elif self.source.suffix == ".tflite":
            self._quantize_tflite(self.source.read_bytes())
        elif self.source.is_dir():
            self._saved_model()
        else:
            self._keras_model()

    # ------------------------------------------------------------------------------------------ sources

    def _keras_model(self) -> None:
        import keras

        from leadwire.tensorflow_process import fake_quant

        model = keras.models.load_model(self.source, compile=False, safe_mode=True)
        if not getattr(model, "inputs", None):
            self.refuse(
                f"model '{self.source.name}'",
                "it has no fixed inputs",
                "build it with keras.Input (functional or Sequential), or export it as SavedModel",
            )
        names = keras.tree.map_structure(lambda tensor: tensor.name, model.input)
        self._match(keras.tree.flatten(names))
        if self.task == "predict":
            self._predict(lambda batch: keras.tree.flatten(model(
                keras.tree.map_structure(batch.__getitem__, names), training=False
            )))  # fmt: skip
            return
        for layer in model.layers:
            if type(layer).__name__ in _RECURRENT and not layer.unroll:
                self.refuse(
                    f"layer '{layer.name}' ({type(layer).__name__})",
                    "a loop cannot become INT8 firmware",
                    "build the layer with unroll=True",
                )
        self._check_shapes({tensor.name: tuple(tensor.shape) for tensor in model.inputs})
        self.learnt_ranges = any(isinstance(layer, fake_quant.FakeQuant) for layer in model.layers)
        if self.learnt_ranges and self.float_only:
            self.reject(
                "the ranges of the model were learnt in training: no calibrator, no repair and no other mode than int8",
                "leave them out, or give the model from before quantization-aware training",
            )
        if self.learnt_ranges and self.wide:
            self.reject(
                f"model '{self.source.name}' carries ranges learnt for int8 activations",
                "quantize it to int8, or the model as it was before quantization-aware training to int16x8",
            )
        fixed = keras.tree.map_structure(
            lambda tensor: keras.Input(tensor.shape[1:], batch_size=1, name=tensor.name, dtype=tensor.dtype),
            model.input,
        )
        single = keras.models.clone_model(model, input_tensors=fixed, clone_function=_as_device_can)
        single.set_weights(model.get_weights())
        self._convert(lambda: self.tf.lite.TFLiteConverter.from_keras_model(single))

    def _saved_model(self) -> None:
        loaded = self.tf.saved_model.load(str(self.source))
        signature = loaded.signatures.get("serving_default")
        if signature is None:
            self.refuse(
                f"model '{self.source.name}'",
                "the SavedModel has no signature 'serving_default'",
                "export it with model.export(...)",
            )
        specs = signature.structured_input_signature[1]
        self._match(list(specs))
        if self.task == "predict":
            self._predict(lambda batch: list(signature(**batch).values()))
            return
        self._check_shapes({name: tuple(spec.shape) for name, spec in specs.items()})
        single = self.tf.function(lambda **inputs: signature(**inputs)).get_concrete_function(
            **{name: self.tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name) for name, spec in specs.items()}
        )
        folder = str(self.folder / "single")
        self.tf.saved_model.save(loaded, folder, signatures=single)
        self._convert(lambda: self.tf.lite.TFLiteConverter.from_saved_model(folder))

    def _check_shapes(self, shapes: Mapping[str, tuple[int | None, ...]]) -> None:
        for name, shape in shapes.items():
            if any(size is None for size in shape[1:]):
                self.refuse(
                    f"input '{name}'", f"its shape {shape} is open", "give every dimension but the batch a size"
                )
            found = self.arrays[name].shape
            if found[1:] != shape[1:]:
                self.reject(
                    f"input '{name}' of the model has shape {shape}, the dataset's {found}",
                    "use the front end the model was trained with",
                )

    def _match(self, names: list[str]) -> None:
        """Bring the arrays under the model's input names: by name, or the only one to the only one."""
        if len(names) == 1 and len(self.arrays) == 1:
            self.arrays = {names[0]: next(iter(self.arrays.values()))}
        if set(names) != set(self.arrays):
            self.reject(
                f"the dataset has inputs {sorted(self.arrays)}, the model has {sorted(names)}",
                "name the model's inputs as the dataset's",
            )
        self.arrays = {name: self.arrays[name] for name in names}

    # ------------------------------------------------------------------------------------------ tasks

    def _samples(self) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
        for index in range(len(next(iter(self.arrays.values())))):
            yield {name: array[index : index + 1] for name, array in self.arrays.items()}

    def _convert(self, converter_of: Callable[[], Any]) -> None:
        lite = self.tf.lite
        self.answer(stage="convert")
        self._store("float.tflite", converter_of().convert())
        if self.float_only:
            return
        converter = converter_of()
        converter.optimizations = [lite.Optimize.DEFAULT]
        if not self.learnt_ranges:  # else the converter finds a range behind every operator
            converter.representative_dataset = self._samples
            wide = lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            converter.target_spec.supported_ops = [wide if self.wide else lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = self._activation_type()
        converter._experimental_disable_per_channel_quantization_for_dense_layers = self.per_tensor_dense
        self._store("integer.tflite", _integers(converter.convert))

    def _activation_type(self) -> Any:
        return self.tf.int16 if self.wide else self.tf.int8

    def _quantize_tflite(self, blob: bytes) -> None:
        """The converter's own second half (calibrate, quantize), which is public only for its first half's output."""
        self._store("float.tflite", blob)
        calibrated = self._calibrated(blob)
        if not self.float_only:
            self._store("integer.tflite", self._int16x8(calibrated) if self.wide else self._int8(calibrated))

    def _quantize_by_ranges(self, blob: bytes) -> None:
        """Each form asked for, with the ranges asked for instead of the lowest and the highest value seen."""
        from leadwire.model.editing import EditableModel

        calibrated = self._calibrated(blob)
        for place, one in enumerate(self.wanted.values()):
            model, ranges = EditableModel(calibrated), one["ranges"]
            for tensor, (low, high) in ranges.items():
                found = model.tensors[int(tensor)].quantization
                if found is not None and found.min is not None:
                    found.min, found.max = [low], [high]
            quantizer = self._int16x8 if one["form"] == "int16x8" else self._int8
            self._store(f"made-{place}.tflite", quantizer(model.written() if ranges else calibrated))

    def _calibrated(self, blob: bytes) -> bytes:
        """The float file with the lowest and the highest value of each tensor over the samples."""
        from ai_edge_litert.interpreter import Interpreter
        from tensorflow.lite.python.optimize import calibrator

        signatures = Interpreter(model_content=blob).get_signature_list()
        if len(signatures) != 1:
            self.refuse(
                f"model '{self.source.name}'",
                f"the file has {len(signatures)} signatures, one is needed",
                "convert from the Keras model instead",
            )
        self._match(sorted(next(iter(signatures.values()))["inputs"]))
        self.answer(stage="convert")
        found: bytes = calibrator.Calibrator(calibrator.add_intermediate_tensors(blob)).calibrate(self._samples)
        return found

    def _int8(self, calibrated: bytes) -> bytes:
        from tensorflow.lite.python.convert import mlir_quantize

        return _integers(lambda: bytes(mlir_quantize(
            calibrated, input_data_type=self.tf.int8, output_data_type=self.tf.int8,
            disable_per_channel_for_dense_layers=self.per_tensor_dense,
        )))  # fmt: skip

    def _int16x8(self, calibrated: bytes) -> bytes:
        """TensorFlow's quantizer for 16x8 is an older one, which collects ranges itself: given none of its own, it
        takes those that stand in the file."""
        from tensorflow.lite.python.optimize import calibrator

        wide, bias = np.dtype(np.int16).num, np.dtype(np.int64).num
        found: bytes = calibrator.Calibrator(calibrated)._calibrator.QuantizeModel(
            wide, wide, False, wide, bias, False, self.per_tensor_dense
        )
        return found

    def _predict(self, outputs_of: Callable[[Arrays], list[Any]]) -> None:
        self.answer(stage="predict")
        parts = []
        for start in range(0, len(next(iter(self.arrays.values()))), _PREDICT_BATCH):
            batch = {name: array[start : start + _PREDICT_BATCH] for name, array in self.arrays.items()}
            outputs = outputs_of({name: self.tf.constant(array) for name, array in batch.items()})
            if len(outputs) != 1:
                self.refuse(
                    f"model '{self.source.name}'",
                    f"it has {len(outputs)} outputs, a classifier has one",
                    "cut the model at its class scores",
                )
            parts.append(np.asarray(outputs[0], dtype=np.float64).reshape(len(outputs[0]), -1))
        np.save(self.folder / "outputs.npy", np.concatenate(parts))

    def _store(self, name: str, blob: bytes) -> None:
        (self.folder / name).write_bytes(blob)


def _integers(convert: Callable[[], bytes]) -> bytes:
    """What the converter makes, tried again while operators that split a tensor are left in float.

    For an unrolled LSTM it leaves them so in about one conversion of six, in another way each time, and in all others
    gives the same full-integer bytes (TensorFlow 2.21; with addresses, hashes and processor held fixed too).
    """
    for _ in range(_ATTEMPTS):
        made = convert()
        model = parse_tflite(made, "integer")
        tensors = model.tensors
        if not any(
            tensors[index].dtype.is_float
            for operator in model.operators
            if operator.kind in _SPLITTING
            for index in (*operator.inputs, *operator.outputs)
            if index >= 0
        ):
            break
    return made


def _as_device_can(layer: Any) -> Any:
    """A copy of a Keras layer. Keras repeats values by a TILE, which TensorFlow Lite Micro does not have: an upsampling
    layer becomes one that resizes to the nearest, which gives the same."""
    kind, config = type(layer).__name__, layer.get_config()
    if kind == "UpSampling1D":
        return _repeat(1, int(config["size"]), config["name"])
    if kind == "UpSampling2D" and config["interpolation"] == "nearest" and config["data_format"] == "channels_last":
        rows, columns = config["size"]
        return _repeat(int(rows), int(columns), config["name"])
    return type(layer).from_config(config)


def _repeat(rows: int, columns: int, name: str) -> Any:
    import keras
    import tensorflow as tf

    class Repeat(keras.layers.Layer):  # type: ignore[misc]
        """[batch, steps, channels] or [batch, rows, columns, channels], each value as often as the factors say."""

        def call(self, x: Any) -> Any:
            picture = x if len(x.shape) == 4 else tf.expand_dims(x, 1)
            size = picture.shape[1] * rows, picture.shape[2] * columns
            resized = tf.image.resize(picture, size, method="nearest")
            return resized if len(x.shape) == 4 else tf.squeeze(resized, 1)

        def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
            if len(shape) == 4:
                return shape[0], shape[1] * rows, shape[2] * columns, shape[3]
            return shape[0], shape[1] * columns, shape[2]

    return Repeat(name=name)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    _Worker(Path(sys.argv[1])).run()

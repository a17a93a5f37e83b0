"""Real conversions through TensorFlow: kinds of sources, same bytes, proof of full INT8, refusals. About a minute."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leadwire import HostModel, reference
from leadwire.artifacts import QuantizationMode, QuantizedModel, sha256_hex
from leadwire.datasets import Dataset
from leadwire.errors import BadInputError, ModelFileError, UnsupportedModelError
from leadwire.model.tensor import TensorType
from leadwire.model.tflite import read_tflite
from leadwire.quantize import CalibrationPolicy, quantize_model

MAKE_MODELS = """
import os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras
import tensorflow as tf
layers = keras.layers
keras.utils.set_random_seed(1)
beat, features = keras.Input((40, 1), name="beat"), keras.Input((6,), name="features")
x = layers.Conv1D(4, 5, strides=2, padding="same", activation="relu", name="conv")(beat)
x = layers.DepthwiseConv1D(3, padding="same", name="depthwise")(x)
x = layers.GlobalAveragePooling1D(name="pool")(x)
x = layers.Dense(8, activation="relu", name="hidden")(layers.Concatenate(name="join")([x, features]))
net = keras.Model([beat, features], layers.Dense(3, activation="softmax", name="scores")(x), name="net")
net.save("net.keras")
net.save("net.h5")
net.export("net_saved", verbose=False)
with open("net_float.tflite", "wb") as file:
    file.write(tf.lite.TFLiteConverter.from_keras_model(net).convert())
half = tf.lite.TFLiteConverter.from_keras_model(net)
half.optimizations = [tf.lite.Optimize.DEFAULT]
half.representative_dataset = lambda: [{"beat": tf.zeros((1, 40, 1)).numpy(), "features": tf.ones((1, 6)).numpy()}]
with open("net_float_edges.tflite", "wb") as file:
    file.write(half.convert())
half.inference_input_type = tf.uint8
with open("net_uint8.tflite", "wb") as file:
    file.write(half.convert())
one = keras.Input((12, 2), name="beat")
keras.Model(one, layers.Dense(3)(layers.GRU(4, name="loop")(one)), name="recurrent").save("recurrent.keras")
for layer in (layers.LSTM, layers.GRU, layers.SimpleRNN):
    steps = keras.Input((5, 2), name="beat")
    loop = layer(4, unroll=True, name="loop")(steps)
    name = layer.__name__.lower()
    keras.Model(steps, layers.Dense(3, activation="softmax", name="scores")(loop), name=name).save(f"{name}.keras")
elu = layers.Conv1D(2, 3, activation="elu", name="squash")(one)
keras.Model(one, layers.Dense(3)(layers.GlobalAveragePooling1D()(elu)), name="curved").save("curved.keras")
"""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", MAKE_MODELS], cwd=folder, check=True, capture_output=True, timeout=250)
    return folder


def beats(shapes: dict[str, tuple[int, ...]], count: int = 60) -> Dataset:
    generator = np.random.default_rng(7)
    patients = tuple(f"p{i % 5}" for i in range(count))
    return Dataset(
        name="noise", split="train", input_names=tuple(shapes), labels=np.arange(count, dtype=np.int64) % 3,
        inputs=tuple(generator.normal(size=(count, *shape)).astype(np.float32) for shape in shapes.values()),
        label_names=("N", "S", "V"), patients=patients, records=patients, times_s=np.arange(count, dtype=np.float64),
        basis="synthetic", licence="ours",
    )  # fmt: skip


TWO = {"beat": (40, 1), "features": (6,)}
POLICY = CalibrationPolicy(count=30, seed=2)


@pytest.fixture(scope="module")
def quantized(models: Path) -> QuantizedModel:
    return quantize_model(models / "net.keras", beats(TWO), POLICY, models / "out" / "net.tflite", test_patients=("q",))


@pytest.mark.requirement("LW-QNT-001")
def test_the_result_is_full_int8_and_says_how_it_was_made(quantized: QuantizedModel, models: Path) -> None:
    model = read_tflite(quantized.path)
    assert quantized.digest == model.digest == sha256_hex(quantized.path.read_bytes())
    assert quantized.source_digest == sha256_hex((models / "net.keras").read_bytes())
    assert {t.dtype for t in (*model.input_tensors, *model.output_tensors)} == {TensorType.INT8}
    assert not any(tensor.dtype.is_float for tensor in model.tensors)
    assert {tensor.name for tensor in model.input_tensors} == {"beat", "features"}
    dense = [model.required(o, 1).quantization for o in model.operators if o.kind == "FULLY_CONNECTED"]
    assert all(weights is not None and weights.per_channel for weights in dense)
    assert dict(quantized.pinned)["batch"] == "1"
    assert dict(quantized.pinned)["tensorflow"].startswith("2.21")
    assert quantized.calibration.count == 30


@pytest.mark.requirement("LW-QNT-003")
def test_another_process_and_another_kind_of_file_give_the_same_bytes(quantized: QuantizedModel, models: Path) -> None:
    """.h5 holds the same layers under the same names: converting it is at once the second run."""
    again = quantize_model(models / "net.h5", beats(TWO), POLICY, models / "again.tflite")
    assert again.path.read_bytes() == quantized.path.read_bytes()
    assert again.calibration == quantized.calibration


def test_each_layer_has_its_error(quantized: QuantizedModel) -> None:
    model = read_tflite(quantized.path)
    assert [error.operator_index for error in quantized.layer_errors] == [o.index for o in model.operators]
    assert all(15 < error.sqnr_db < 80 for error in quantized.layer_errors)
    assert all(0 <= error.saturated_fraction < 0.2 for error in quantized.layer_errors)


def test_the_table_of_layers_agrees_with_the_outputs(quantized: QuantizedModel, models: Path) -> None:
    """Second witness of the last line: Keras in its own process against TFLite Micro, over the same samples."""
    data = beats(TWO)
    indices = list(quantized.calibration.indices)
    inputs = tuple(values[indices] for values in data.inputs)
    model = read_tflite(quantized.path)
    rows = reference.quantize_inputs(model, inputs, data.input_names)
    real = reference.run_float(models / "net.keras", inputs, data.input_names)
    got = reference.dequantize_outputs(model, reference.run_tflm(quantized.path, rows))
    assert np.allclose(real.sum(axis=1), 1, atol=1e-5)
    sqnr = 10 * math.log10(np.square(real).sum() / np.square(got - real).sum())
    assert quantized.layer_errors[-1].sqnr_db == pytest.approx(sqnr, abs=0.01)


def test_saved_model_and_per_tensor_dense(quantized: QuantizedModel, models: Path) -> None:
    found = quantize_model(models / "net_saved", beats(TWO), POLICY, models / "saved.tflite", per_tensor_dense=True)
    model = read_tflite(found.path)
    dense = [model.required(o, 1).quantization for o in model.operators if o.kind == "FULLY_CONNECTED"]
    assert all(weights is not None and not weights.per_channel for weights in dense)
    assert dict(found.pinned)["dense"] == "per-tensor"
    assert [o.kind for o in model.operators] == [o.kind for o in read_tflite(quantized.path).operators]


def test_an_int8_file_is_taken_as_it_is(quantized: QuantizedModel, tmp_path: Path) -> None:
    adopted = quantize_model(quantized.path, beats(TWO), POLICY, tmp_path / "copy.tflite")
    assert adopted.path.read_bytes() == quantized.path.read_bytes()
    assert adopted.calibration.count == 0
    assert "came quantized" in adopted.calibration.policy


def test_a_float_tflite_is_quantized_too(models: Path) -> None:
    found = quantize_model(models / "net_float.tflite", beats(TWO), POLICY, models / "from_float.tflite")
    assert read_tflite(found.path).output_tensors[0].dtype is TensorType.INT8
    assert found.layer_errors[-1].sqnr_db > 15


def test_float_edges_around_an_int8_body_are_taken_as_they_are(models: Path, tmp_path: Path) -> None:
    adopted = quantize_model(models / "net_float_edges.tflite", beats(TWO), POLICY, tmp_path / "copy.tflite")
    assert adopted.path.read_bytes() == (models / "net_float_edges.tflite").read_bytes()
    assert adopted.calibration.count == 0


@pytest.mark.requirement("LW-QNT-001")
def test_a_file_with_edges_of_another_type_is_refused(models: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"quantized already, but its input .* is UINT8"):
        quantize_model(models / "net_uint8.tflite", beats(TWO), POLICY, models / "no.tflite")
    assert not (models / "no.tflite").exists()


def test_a_float_tflite_with_other_inputs_is_refused(models: Path) -> None:
    with pytest.raises(BadInputError, match="'beat'"):
        quantize_model(models / "net_float.tflite", beats({"beat": (40, 1)}), POLICY, models / "no.tflite")


def test_a_recurrent_layer_is_refused_by_name(models: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"layer 'loop' \(GRU\)") as caught:
        quantize_model(models / "recurrent.keras", beats({"beat": (12, 2)}), POLICY, models / "no.tflite")
    assert "unroll=True" in caught.value.hint
    assert not (models / "no.tflite").exists()


@pytest.mark.requirement("LW-QNT-001")
def test_an_operator_without_kernel_is_refused_by_layer(models: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"ELU .*squash"):
        quantize_model(models / "curved.keras", beats({"beat": (12, 2)}), POLICY, models / "no.tflite")
    assert not (models / "no.tflite").exists()


def test_inputs_that_do_not_match_and_files_that_are_damaged(models: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"has inputs \['ecg', 'features'\]"):
        quantize_model(models / "net.keras", beats({"ecg": (40, 1), "features": (6,)}), POLICY, tmp_path / "o.tflite")
    damaged = tmp_path / "damaged.keras"
    damaged.write_bytes((models / "net.keras").read_bytes()[:3000])
    with pytest.raises(ModelFileError, match=r"damaged\.keras"):
        quantize_model(damaged, beats(TWO), POLICY, tmp_path / "o.tflite")


def test_int16x8(quantized: QuantizedModel, models: Path, tmp_path: Path) -> None:
    """16-bit activations, 64-bit biases and less error in each layer; the generated C gives TFLite Micro's values."""
    found = quantize_model(models / "net.keras", beats(TWO), POLICY, tmp_path / "wide.tflite", mode="int16x8")
    model = read_tflite(found.path)
    assert {t.dtype for t in (*model.input_tensors, *model.output_tensors)} == {TensorType.INT16}
    biases = [model.input(op, 2) for op in model.operators if op.kind == "CONV_2D"]
    assert all(bias is not None and bias.dtype is TensorType.INT64 for bias in biases)
    assert dict(found.pinned)["mode"] == "int16x8"
    assert dict(quantized.pinned)["mode"] == "int8"
    wide, narrow = (
        {error.kind: error.sqnr_db for error in one.layer_errors if error.kind in ("CONV_2D", "FULLY_CONNECTED")}
        for one in (found, quantized)
    )
    assert all(wide[kind] > narrow[kind] for kind in narrow)
    assert found.layer_errors[-1].saturated_fraction == 0
    rows = reference.quantize_inputs(model, beats(TWO).inputs, tuple(TWO))
    expected = reference.run_tflm(found.path, rows)
    host = HostModel.from_tflite(found.path)
    values = beats(TWO).inputs if model.input_tensors[0].name == "beat" else beats(TWO).inputs[::-1]
    raw = host.predict_quantized(values)
    assert raw.dtype == np.int16
    assert np.array_equal(raw, expected.view("<i2"))
    assert np.array_equal(host.predict(values), raw / 32768)
    with pytest.raises(BadInputError, match="as int16x8 and not as int8"):
        quantize_model(found.path, beats(TWO), POLICY, tmp_path / "other.tflite")


@pytest.mark.parametrize(("layer", "mode"), [("lstm", "int8"), ("gru", "int16x8"), ("simplernn", "int8")])
def test_an_unrolled_recurrent_layer(layer: str, mode: QuantizationMode, models: Path, tmp_path: Path) -> None:
    data = beats({"beat": (5, 2)})
    found = quantize_model(models / f"{layer}.keras", data, POLICY, tmp_path / "loop.tflite", mode=mode)
    model = read_tflite(found.path)
    assert "UNPACK" in {operator.kind for operator in model.operators}
    rows = reference.quantize_inputs(model, data.inputs, data.input_names)
    raw = HostModel.from_tflite(found.path).predict_quantized(data.inputs)
    assert np.array_equal(np.ascontiguousarray(raw).view(np.int8), reference.run_tflm(found.path, rows))
    real = reference.run_float(models / f"{layer}.keras", data.inputs, data.input_names)
    assert np.abs(reference.dequantize_outputs(model, reference.run_tflm(found.path, rows)) - real).max() < 0.05

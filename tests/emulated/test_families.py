"""Keras models with what the zoo does not have (tests/emulated/test_zoo.py), one for each kind of network: quantized as
a project does, each is accepted, and on the emulated board it gives the bytes of TensorFlow Lite Micro in a number of
instructions that no input changes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leadwire import reference
from leadwire.datasets import Dataset
from leadwire.device.client import DeviceClient
from leadwire.flash import flash_image
from leadwire.model.tflite import read_tflite
from leadwire.pipeline.alone import build_model, choose
from leadwire.quantize import CalibrationPolicy, quantize_model

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")
pytestmark = pytest.mark.timeout(400)

MAKE = """
import os
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras
from keras import ops
from keras.layers import *
keras.utils.set_random_seed(1)

def save(name, x, y):
    model = keras.Model(x, y, name=name)
    for weights in model.weights:
        if "alpha" in weights.path:
            weights.assign(keras.random.uniform(weights.shape, 0.0, 0.4, seed=1))
    model.save(name + ".keras")

def top(x):
    return Dense(3, activation="softmax")(GlobalAveragePooling1D()(x))

x = Input((48, 2), name="ecg")
y = PReLU(shared_axes=[1])(BatchNormalization()(Conv1D(6, 5, padding="same")(x)))
y = SeparableConv1D(8, 3, strides=2, padding="same", activation="swish")(y)
y = ReLU()(Add()([Conv1D(8, 3, padding="same")(y), y]))
a = Conv1D(4, 1, activation="relu6")(y)
b = Conv1D(4, 9, padding="same", activation="relu")(Conv1D(4, 1)(y))
c = Conv1D(4, 1, activation="relu")(MaxPooling1D(3, strides=1, padding="same")(y))
y = LeakyReLU()(Concatenate()([a, b, c]))
s = Dense(4, activation="relu")(GlobalAveragePooling1D(keepdims=True)(y))
y = Multiply()([y, Dense(12, activation="sigmoid")(s)])
m = Concatenate()([ops.mean(y, axis=-1, keepdims=True), ops.max(y, axis=-1, keepdims=True)])
y = AveragePooling1D(2)(y * Conv1D(1, 7, padding="same", activation="sigmoid")(m))
save("residual_inception_squeeze_excite", x, top(y))

x = Input((12, 10, 1), name="ecg")
y = MaxPooling2D()(Conv2D(6, 3, padding="same", activation="relu")(x))
y = ReLU(6.0)(BatchNormalization()(DepthwiseConv2D(3, padding="same")(y)))
save("cnn_2d", x, Dense(3, activation="softmax")(GlobalMaxPooling2D()(Conv2D(8, 3, strides=2)(ZeroPadding2D(1)(y)))))

x = Input((48, 4), name="ecg")
y, skips = x, []
for dilation in (1, 2, 4):
    gates = [Conv1D(4, 2, dilation_rate=dilation, padding="causal", activation=f)(y) for f in ("tanh", "sigmoid")]
    skips.append(Conv1D(4, 1)(Multiply()(gates)))
    y = Add()([y, skips[-1]])
save("tcn", x, Dense(3, activation="softmax")(ReLU()(Add()(skips))[:, -1, :]))

x = Input((8, 16, 1), name="ecg")
a = Conv2D(4, 3, padding="same", activation="relu")(x)
b = Conv2D(8, 3, padding="same", activation="relu")(MaxPooling2D()(a))
c = Conv2D(8, 3, padding="same", activation="relu")(MaxPooling2D()(b))
u = Concatenate()([UpSampling2D(2, interpolation="bilinear")(c), UpSampling2D(2)(c), b])
u = ReLU()(BatchNormalization()(Conv2DTranspose(4, 3, strides=2, padding="same")(u)))
save("unet_2d", x, Conv2D(1, 1, activation="sigmoid")(Cropping2D(1)(Concatenate()([u, a]))))

x = Input((24, 8), name="ecg")
a, b = ops.split(x, 2, axis=-1)
y = Concatenate()([Conv1D(4, 3, padding="same")(a), b])
y = ops.max(ops.stack([y, Conv1D(8, 1)(x)], axis=1), axis=1)
w = Softmax()(Dot(axes=(2, 2))([y, Conv1D(8, 1)(y)]))
save("attention", x, top(Dot(axes=(2, 1))([w, y])))
"""
FAMILIES = {
    "residual_inception_squeeze_excite": {
        "CONV_2D", "DEPTHWISE_CONV_2D", "PRELU", "ADD", "MAX_POOL_2D", "CONCATENATION", "LEAKY_RELU", "MEAN",
        "FULLY_CONNECTED", "LOGISTIC", "MUL", "REDUCE_MAX", "AVERAGE_POOL_2D", "SOFTMAX",
    },
    "cnn_2d": {"CONV_2D", "DEPTHWISE_CONV_2D", "PAD", "REDUCE_MAX", "SOFTMAX"},
    "tcn": {"CONV_2D", "TANH", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "STRIDED_SLICE"},
    "unet_2d": {"CONV_2D", "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR", "TRANSPOSE_CONV", "STRIDED_SLICE"},
    "attention": {"SPLIT", "PACK", "REDUCE_MAX", "BATCH_MATMUL", "SOFTMAX"},
}  # fmt: skip
"""Operators that the TensorFlow converter writes for each, among others."""


class Quiet:
    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    done = subprocess.run([sys.executable, "-c", MAKE], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def noise(shape: tuple[int, ...], count: int = 24) -> Dataset:
    patients = tuple(f"p{index % 4}" for index in range(count))
    values = np.random.default_rng(5).normal(size=(count, *shape)).astype(np.float32)
    return Dataset(
        name="noise", split="train", input_names=("ecg",), labels=np.arange(count, dtype=np.int64) % 3,
        inputs=(values,), label_names=("N", "S", "V"), patients=patients, records=patients,
        times_s=np.arange(count, dtype=np.float64), basis="synthetic", licence="ours",
    )  # fmt: skip


SHAPES = {
    "residual_inception_squeeze_excite": (48, 2),
    "cnn_2d": (12, 10, 1),
    "unet_2d": (8, 16, 1),
    "attention": (24, 8),
}


@pytest.mark.requirement("LW-TIM-001")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_from_keras_to_the_board(made: Path, family: str, tmp_path: Path) -> None:
    quantized = quantize_model(
        made / f"{family}.keras",
        noise(SHAPES.get(family, (48, 4))),
        CalibrationPolicy(count=12, seed=2),
        tmp_path / f"{family}.tflite",
    )
    model = read_tflite(quantized.path)
    assert FAMILIES[family] <= {operator.kind for operator in model.operators}
    rows = np.random.default_rng(3).integers(-128, 128, (3, model.input_bytes)).astype(np.int8)
    rows[1:] = [[-128], [127]]
    expected = reference.run_tflm(quantized.path, rows)
    options = choose("virtual-stm32f405", "aot", "zig")
    built = build_model(quantized.path, options, tmp_path / "firmware", Quiet())
    assert built.image is not None
    with flash_image(built.image, options.target) as running, DeviceClient(running.port) as client:
        cycles = set()
        for number, (row, wanted) in enumerate(zip(rows, expected, strict=True)):
            result = client.infer(number, row.tobytes())
            assert result.output == wanted.tobytes()
            cycles.add(result.cycles)
        assert len(cycles) == 1
        held = rows[0].tobytes()
        tensors = reference.tensors_of(quantized.path, rows[0])
        for operator in model.operators:
            if len(operator.outputs) > 1:
                assert client.tensor(operator.index, held) == tensors[operator.index]

"""A small float network as a .tflite file, written without TensorFlow: two convolutions with a depthwise one between,
pooling, a dense layer over the flattened picture, softmax.

`spread` scales the channels between the layers by factors up to that size and takes it back in the next layer: the
network computes the same, but its channels no longer share a scale well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leadwire.datasets import Dataset
from leadwire.model.editing import EditableModel, schema
from single_operator import Op, T, write_tflite

STEPS, CLASSES = 32, 3


def float_network(*, spread: float = 1.0, activation: int = 1) -> bytes:
    """`activation` of the convolutions as the schema numbers it: 0 none, 1 RELU, 3 RELU6."""
    draw = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return (draw.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def factors(count: int) -> np.ndarray:
        return (spread ** draw.uniform(-1, 1, count)).astype(np.float32)

    first, second, third = weights(6, 1, 5, 1), weights(1, 1, 3, 6) * 4, weights(8, 1, 3, 6)
    dense = weights(CLASSES, 64) * 3
    biases = [draw.normal(size=count).astype(np.float32) / 4 for count in (6, 6, 8, CLASSES)]
    a, b, c = factors(6), factors(6), factors(8)
    first, biases[0] = first * a[:, None, None, None], biases[0] * a
    second, biases[1] = second * (b / a), biases[1] * b
    third, biases[2] = third / b * c[:, None, None, None], biases[2] * c
    dense = dense / np.tile(c, 8)

    def real(array: np.ndarray) -> T:
        return T(shape=array.shape, array=np.asarray(array, dtype=np.float32), quantized=False)

    def made(*shape: int) -> T:
        return T(shape=shape, dtype="float32", quantized=False)

    def sizes(*shape: int) -> T:
        return T(shape=(len(shape),), array=np.array(shape, np.int32), quantized=False)

    tensors = [
        made(1, STEPS, 1), sizes(1, 1, STEPS, 1), made(1, 1, STEPS, 1),
        real(first), real(biases[0]), made(1, 1, STEPS, 6),
        real(second), real(biases[1]), made(1, 1, STEPS, 6),
        made(1, 1, 16, 6),
        real(third), real(biases[2]), made(1, 1, 8, 8),
        sizes(1, 64), made(1, 64),
        real(dense), real(biases[3]), made(1, CLASSES), made(1, CLASSES),
    ]  # fmt: skip
    names = (
        "ecg", "row_shape", "row", "w1", "b1", "conv1", "w2", "b2", "depthwise", "pool", "w3", "b3", "conv2",
        "flat_shape", "flat", "w4", "b4", "dense", "scores",
    )  # fmt: skip
    layer: dict[str, Any] = {"fusedActivationFunction": activation, "strideH": 1, "padding": 0}
    operators = [
        Op(kind="RESHAPE", inputs=(0, 1), outputs=(2,), options="ReshapeOptions"),
        Op(kind="CONV_2D", inputs=(2, 3, 4), outputs=(5,), options="Conv2DOptions", fields={**layer, "strideW": 1}),
        Op(kind="DEPTHWISE_CONV_2D", inputs=(5, 6, 7), outputs=(8,), options="DepthwiseConv2DOptions",
           fields={**layer, "strideW": 1, "depthMultiplier": 1}),
        Op(kind="MAX_POOL_2D", inputs=(8,), outputs=(9,), options="Pool2DOptions",
           fields={"padding": 1, "strideH": 1, "strideW": 2, "filterHeight": 1, "filterWidth": 2}),
        Op(kind="CONV_2D", inputs=(9, 10, 11), outputs=(12,), options="Conv2DOptions", fields={**layer, "strideW": 2}),
        Op(kind="RESHAPE", inputs=(12, 13), outputs=(14,), options="ReshapeOptions"),
        Op(kind="FULLY_CONNECTED", inputs=(14, 15, 16), outputs=(17,), options="FullyConnectedOptions"),
        Op(kind="SOFTMAX", inputs=(17,), outputs=(18,), options="SoftmaxOptions", fields={"beta": 1.0}),
    ]  # fmt: skip
    return _signed(write_tflite(tensors, operators, [0], [18], list(names)))


def _signed(data: bytes) -> bytes:
    """With a signature, which TensorFlow's calibrator asks for."""
    model = EditableModel(data)
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = [schema.TensorMapT()], [schema.TensorMapT()]
    signature.inputs[0].name, signature.inputs[0].tensorIndex = "ecg", 0
    signature.outputs[0].name, signature.outputs[0].tensorIndex = "scores", 18
    model.root.signatureDefs = [signature]
    return model.written()


def waves(count: int = 90) -> Dataset:
    """Waves of three frequencies in noise."""
    draw = np.random.default_rng(11)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    time = np.arange(STEPS) / STEPS
    signal = np.sin(2 * np.pi * (1 + 2 * labels[:, None]) * (time + draw.uniform(size=(count, 1))))
    inputs = (signal + draw.normal(scale=0.3, size=signal.shape)).astype(np.float32)[..., None]
    patients = tuple(f"p{i % 6}" for i in range(count))
    return Dataset(
        name="waves", split="train", input_names=("ecg",), labels=labels, inputs=(inputs,), label_names=("N", "S", "V"),
        patients=patients, records=patients, times_s=np.arange(count, dtype=np.float64), basis="synthetic",
        licence="ours",
    )  # fmt: skip

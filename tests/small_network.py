"""A quantized network of the shape of the ECG classifiers that fits into 8 KiB of RAM beside the bench firmware.

Its weights are drawn, not trained: what the ports are compared by are bytes and instructions, not decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from single_operator import Op, T, write_tflite

INPUT_BYTES = 128
CLASSES = 5


def small_network() -> bytes:
    """Two convolutions, a depthwise one, max pooling, mean, dense layer and softmax: 128 samples to 5 classes."""
    draw = np.random.default_rng(7)

    def weights(*shape: int) -> np.ndarray:
        return draw.integers(-127, 128, shape, dtype=np.int8)

    def shape(*sizes: int) -> T:
        return T(shape=(len(sizes),), array=np.array(sizes, np.int32), quantized=False)

    def bias(count: int, scale: float) -> T:
        return T(shape=(count,), array=draw.integers(-900, 900, count, dtype=np.int32), scale=scale)

    tensors = [
        T(shape=(1, INPUT_BYTES, 1), scale=0.03, zero_point=-9),
        shape(1, 1, INPUT_BYTES, 1),
        T(shape=(1, 1, INPUT_BYTES, 1), scale=0.03, zero_point=-9),
        T(shape=(8, 1, 7, 1), array=weights(8, 1, 7, 1), scale=0.01),
        bias(8, 0.0003),
        T(shape=(1, 1, 61, 8), scale=0.09, zero_point=-128),
        T(shape=(1, 1, 5, 8), array=weights(1, 1, 5, 8), scale=0.01),
        bias(8, 0.0009),
        T(shape=(1, 1, 61, 8), scale=0.1, zero_point=-128),
        T(shape=(1, 1, 30, 8), scale=0.1, zero_point=-128),
        T(shape=(16, 1, 3, 8), array=weights(16, 1, 3, 8), scale=0.01),
        bias(16, 0.001),
        T(shape=(1, 1, 30, 16), scale=0.12, zero_point=-128),
        shape(1, 2),
        T(shape=(1, 16), scale=0.08, zero_point=-128),
        T(shape=(CLASSES, 16), array=weights(CLASSES, 16), scale=0.001),
        bias(CLASSES, 0.00008),
        T(shape=(1, CLASSES), scale=0.06, zero_point=3),
        T(shape=(1, CLASSES), scale=1 / 256, zero_point=-128),
    ]
    names = (
        "ecg", "row_shape", "row", "w1", "b1", "conv1", "w2", "b2", "depthwise", "pool", "w3", "b3", "conv2", "axes",
        "mean", "w4", "b4", "dense", "probability",
    )  # fmt: skip
    relu: dict[str, Any] = {"fusedActivationFunction": 1, "strideH": 1}
    valid, same = {"padding": 1}, {"padding": 0}
    operators = [
        Op(kind="RESHAPE", inputs=(0, 1), outputs=(2,), options="ReshapeOptions"),
        Op(kind="CONV_2D", inputs=(2, 3, 4), outputs=(5,), options="Conv2DOptions",
           fields={**relu, **valid, "strideW": 2}),
        Op(kind="DEPTHWISE_CONV_2D", inputs=(5, 6, 7), outputs=(8,), options="DepthwiseConv2DOptions",
           fields={**relu, **same, "strideW": 1, "depthMultiplier": 1}),
        Op(kind="MAX_POOL_2D", inputs=(8,), outputs=(9,), options="Pool2DOptions",
           fields={**valid, "strideH": 1, "strideW": 2, "filterHeight": 1, "filterWidth": 2}),
        Op(kind="CONV_2D", inputs=(9, 10, 11), outputs=(12,), options="Conv2DOptions",
           fields={**relu, **same, "strideW": 1}),
        Op(kind="MEAN", inputs=(12, 13), outputs=(14,), options="ReducerOptions"),
        Op(kind="FULLY_CONNECTED", inputs=(14, 15, 16), outputs=(17,), options="FullyConnectedOptions"),
        Op(kind="SOFTMAX", inputs=(17,), outputs=(18,), options="SoftmaxOptions", fields={"beta": 1.0}),
    ]  # fmt: skip
    return write_tflite(tensors, operators, [0], [18], list(names))

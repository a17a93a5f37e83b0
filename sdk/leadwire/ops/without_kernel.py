"""Operators that Keras layers become and that have no kernel: why, and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NOT_IN_TFLM = "is not in TensorFlow Lite Micro either, or not in integers"

WITHOUT_KERNEL: Final[Mapping[str, tuple[str, str]]] = {
    "GELU": (_NOT_IN_TFLM, "use ReLU, hard_swish or leaky_relu as the activation, and train again"),
    "TILE": (_NOT_IN_TFLM, "repeat by UpSampling, by Concatenate, or by the broadcasting of Add and Multiply"),
    "EXP": (_NOT_IN_TFLM, "use sigmoid, tanh or softmax"),
    "SQRT": (_NOT_IN_TFLM, "leave it to a layer that is folded, such as BatchNormalization"),
    "RSQRT": (_NOT_IN_TFLM, "use BatchNormalization, which is folded, instead of LayerNormalization"),
    "SQUARED_DIFFERENCE": ("has no kernel", "use BatchNormalization, which is folded, instead of LayerNormalization"),
}

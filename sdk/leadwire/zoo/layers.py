"""What several families are made of, as Keras layers with names of their own. Every convolution is followed by a batch
normalization, which the converter folds into it; an activation is fused into what comes before it.

Tensors are [batch, samples, channels] of Keras, without annotation: Keras has no types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leadwire.errors import BadInputError

from .family import DenseHead, Shape


def widened(width: int, level: int, multiple: int = 4) -> int:
    """Channels after `level` halvings: half of `width` more with each, raised to a multiple that kernels like."""
    return -(-width * (2 + level) // (2 * multiple)) * multiple


def activate(x: Any, name: str, activation: str) -> Any:
    """`activation` is 'relu', 'relu6' or '' for none."""
    from keras import layers

    if not activation:
        return x
    return layers.ReLU(6.0 if activation == "relu6" else None, name=f"{name}_{activation}")(x)


def convolve(
    x: Any, name: str, channels: int, kernel: int = 1, *, stride: int = 1, dilation: int = 1, groups: int = 1,
    padding: str = "same", activation: str = "relu",
) -> Any:  # fmt: skip
    from keras import layers

    x = layers.Conv1D(
        channels, kernel, strides=stride, dilation_rate=dilation, groups=groups, padding=padding, use_bias=False,
        name=f"{name}_conv",
    )(x)  # fmt: skip
    return activate(layers.BatchNormalization(name=f"{name}_norm")(x), name, activation)


def convolve_depthwise(x: Any, name: str, kernel: int, *, stride: int = 1, activation: str = "relu") -> Any:
    from keras import layers

    x = layers.DepthwiseConv1D(kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    return activate(layers.BatchNormalization(name=f"{name}_norm")(x), name, activation)


def add(name: str, values: Sequence[Any], activation: str = "relu") -> Any:
    from keras import layers

    return activate(layers.Add(name=f"{name}_add")(list(values)), name, activation)


def inputs(shape: Shape) -> tuple[Any, Any]:
    """The window and the features, None where there are none."""
    import keras

    window = keras.Input((shape.samples, shape.channels), name=shape.names[0])
    return window, keras.Input((shape.features,), name=shape.names[1]) if shape.features else None


def pooled(x: Any, positions: int) -> Any:
    """[batch, at most `positions` * channels]."""
    from keras import layers

    if positions == 1:
        return layers.GlobalAveragePooling1D(name="pool")(x)
    if positions > x.shape[1]:
        raise BadInputError(
            f"positions is {positions}, but the blocks leave {x.shape[1]} of the window",
            hint=f"set positions to 1..{x.shape[1]}, or halve the window less often",
        )
    width = -(-x.shape[1] // positions)
    if width > 1:
        x = layers.AveragePooling1D(width, padding="same", name="pool")(x)
    return layers.Flatten(name="flatten")(x)


def classify(family: str, window: Any, features: Any, x: Any, settings: DenseHead, shape: Shape) -> Any:
    """The network from its inputs to class probabilities, where `x` [batch, values] is what the window became."""
    import keras
    from keras import layers

    def connect(x: Any, name: str) -> Any:
        return layers.Dense(settings.dense, activation="relu", name=name)(x) if settings.dense else x

    x = connect(layers.Dropout(settings.dropout, name="shape_dropout")(x), "shape")
    if features is not None:
        x = layers.Concatenate(name="join")([x, connect(features, "rhythm")])
        x = connect(layers.Dropout(settings.dropout, name="join_dropout")(x), "decide")
    x = layers.Dense(shape.outputs, name="classes")(x)
    x = layers.Activation("softmax", name="probabilities")(x)
    return keras.Model([window] if features is None else [window, features], x, name=family)

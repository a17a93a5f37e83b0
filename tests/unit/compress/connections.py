"""Small networks, one for each way in which layers are connected, and what becomes of them without half their channels.

Run as a program, in a process that has Keras: it prints what test_channels.py judges.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from leadwire.compress.channels.choice import Costs, Limits, choose_channels, dimensions_of
from leadwire.compress.channels.coupling import Coupling, couple_channels
from leadwire.compress.channels.rebuild import without_channels
from leadwire.model.keras_graph import count_macs

WINDOW = (12, 2)


def norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def conv(x: Any, name: str, channels: int = 8, kernel: int = 3, **options: Any) -> Any:
    return layers.Conv1D(channels, kernel, padding=options.pop("padding", "same"), name=name, **options)(x)


def stem(x: Any) -> Any:
    return layers.ReLU(name="stem_relu")(norm(conv(x, "stem", use_bias=False), "stem"))


def residual(x: Any) -> Any:
    x = stem(x)
    y = layers.ReLU(name="first_relu")(norm(conv(x, "first", 6), "first"))
    return layers.Add(name="add")([x, conv(y, "second")])


def residual_with_projection(x: Any) -> Any:
    x = stem(x)
    y = conv(conv(x, "first", 6, strides=2, activation="relu"), "second", 4)
    return layers.ReLU(6.0, name="relu6")(layers.Add(name="add")([conv(x, "shortcut", 4, 1, strides=2), y]))


def functions_of_keras_ops(x: Any) -> Any:
    x = stem(x)
    return keras.ops.relu(x + conv(x, "second"))


def squeeze_and_excite(x: Any) -> Any:
    x = stem(x)
    w = layers.GlobalAveragePooling1D(name="squeeze")(x)
    w = layers.Dense(3, activation="relu", name="reduce")(w)
    w = layers.Dense(8, activation="sigmoid", name="excite")(w)
    return layers.Multiply(name="weigh")([x, layers.Reshape((1, 8), name="weights")(w)])


def one_gate_for_all(x: Any) -> Any:
    x = stem(x)
    return layers.Multiply(name="weigh")([x, conv(x, "gate", 1, activation="sigmoid")])


def depthwise(x: Any) -> Any:
    y = layers.DepthwiseConv1D(3, padding="same", depth_multiplier=2, name="depthwise")(stem(x))
    return conv(norm(y, "depthwise"), "pointwise", 6, 1)


def separable(x: Any) -> Any:
    return layers.SeparableConv1D(6, 3, padding="same", depth_multiplier=2, name="separable")(stem(x))


def concatenation(x: Any) -> Any:
    x = stem(x)
    x = layers.Concatenate(name="join")([conv(x, "one", 5), x, conv(x, "other", 3)])
    return conv(norm(x, "join"), "after", 6)


def concatenation_in_time(x: Any) -> Any:
    x = stem(x)
    return conv(layers.Concatenate(axis=1, name="join")([x, conv(x, "second")]), "after", 6)


def flatten(x: Any) -> Any:
    x = layers.Flatten(name="flatten")(layers.AveragePooling1D(3, name="pool")(stem(x)))
    x = layers.Dropout(0.2, name="dropout")(layers.Dense(6, activation="relu", name="hidden")(x))
    return layers.Reshape((1, 6), name="position")(x)


def folded_in_time(x: Any) -> Any:
    return conv(layers.Reshape((6, 16), name="fold")(stem(x)), "after", 6)


def spread_in_time(x: Any) -> Any:
    return conv(layers.Reshape((24, 4), name="spread")(stem(x)), "after", 6)


def channel_shuffle(x: Any) -> Any:
    x = conv(stem(x), "in", 8, 1, groups=2)
    x = layers.Reshape((12, 2, 4), name="groups")(x)
    x = layers.Permute((1, 3, 2), name="shuffle")(x)
    x = layers.Reshape((12, 8), name="channels")(x)
    return conv(layers.DepthwiseConv1D(3, padding="same", name="time")(x), "out", 8, 1, groups=2)


def up_and_down(x: Any) -> Any:
    x = stem(x)
    y = layers.UpSampling1D(2, name="up")(conv(layers.MaxPooling1D(2, name="down")(x), "bottom", 6))
    y = layers.Concatenate(name="join")([y, x])
    z = layers.Conv1DTranspose(6, 2, strides=2, name="transposed")(layers.MaxPooling1D(2, name="pool")(y))
    return layers.Cropping1D(1, name="crop")(layers.ZeroPadding1D(1, name="pad")(z))


def prelu(x: Any) -> Any:
    x = layers.PReLU(alpha_initializer="glorot_uniform", name="prelu")(conv(x, "stem"))
    return layers.PReLU(alpha_initializer="glorot_uniform", shared_axes=[1], name="shared")(conv(x, "second", 6))


def layer_called_twice(x: Any) -> Any:
    x = stem(x)
    twice = layers.Conv1D(8, 3, padding="same", activation="relu", name="twice")
    return twice(layers.MaxPooling1D(2, name="pool")(twice(x)))


def two_dimensions(x: Any) -> Any:
    x = layers.Reshape((12, 2, 1), name="image")(x)
    x = layers.Conv2D(6, (3, 2), padding="same", name="stem")(x)
    x = layers.DepthwiseConv2D((3, 1), padding="same", name="depthwise")(x)
    x = layers.Conv2D(5, 1, name="pointwise")(x)
    return layers.Reshape((6, 10), name="rows")(layers.MaxPooling2D((2, 1), name="pool")(layers.ReLU(name="relu")(x)))


def recurrent(x: Any) -> Any:
    x = layers.Bidirectional(layers.GRU(3, return_sequences=True, name="gru"), name="both")(stem(x))
    return layers.LSTM(4, return_sequences=True, name="lstm")(conv(x, "between", 6))


CONNECTIONS: tuple[Callable[[Any], Any], ...] = (
    residual, residual_with_projection, functions_of_keras_ops, squeeze_and_excite, one_gate_for_all, depthwise,
    separable, concatenation, concatenation_in_time, flatten, folded_in_time, spread_in_time, channel_shuffle,
    up_and_down, prelu, layer_called_twice, two_dimensions, recurrent,
)  # fmt: skip


def network(middle: Callable[[Any], Any]) -> Any:
    """Window to three probabilities, with random weights also where Keras starts from zeros and ones."""
    keras.utils.set_random_seed(7)
    window = keras.Input(WINDOW, name="beat")
    x = layers.GlobalAveragePooling1D(name="mean")(middle(window))
    x = layers.Dense(3, activation="softmax", name="classes")(x)
    model = keras.Model(window, x, name="net")
    random = np.random.default_rng(1)
    for layer in model.layers:
        layer.set_weights([one + random.uniform(0.01, 0.3, one.shape) for one in layer.get_weights()])
    return model


def silence(model: Any, coupling: Coupling, kept: Any) -> None:
    """The channels that are to go put out zero, wherever they come from."""
    for name, own in coupling.producers.items():
        layer, gone = model.get_layer(name), ~kept[own]
        weights = layer.get_weights()
        transposed = "Transpose" in type(layer).__name__
        for one, value in zip(layer.weights, weights, strict=True):
            if one.name == "bias" or (one.name in ("kernel", "pointwise_kernel") and not transposed):
                value[..., gone] = 0
            elif one.name == "kernel":
                value[..., gone, :] = 0
        layer.set_weights(weights)
    for site in coupling.sites:
        gone = ~kept[coupling.along_last(site.after)]
        if site.call.kind == "BatchNormalization":
            gamma, beta, mean, variance = site.call.layer.get_weights()
            gamma[gone] = beta[gone] = mean[gone] = 0
            site.call.layer.set_weights([gamma, beta, mean, variance])
        if site.call.kind.startswith("DepthwiseConv"):
            kernel, bias = site.call.layer.get_weights()
            bias[gone] = 0
            site.call.layer.set_weights([kernel, bias])


def nested(x: Any) -> Any:
    inside = keras.Input((12, 8))
    return keras.Model(inside, conv(inside, "hidden"), name="nested")(stem(x))


def dot_products(x: Any) -> Any:
    x = stem(x)
    return layers.Dot((2, 1), name="mix")([layers.Dot((2, 2), name="scores")([conv(x, "query"), x]), conv(x, "value")])


def normalized_by_layer(x: Any) -> Any:
    return layers.LayerNormalization(name="layer_norm")(stem(x))


OPAQUE = (nested, dot_products, normalized_by_layer)


def sequential() -> Any:
    model = keras.Sequential(name="row")
    for one in (
        keras.Input(WINDOW, name="beat"),
        layers.Conv1D(8, 3, activation="relu", name="stem"),
        layers.Flatten(name="flatten"),
        layers.Dense(3, name="classes"),
    ):
        model.add(one)
    return model


def pruned(model: Any) -> dict[str, Any]:
    """Half of its channels silenced, and taken out."""
    coupling = couple_channels(model)
    dimensions = dimensions_of(coupling, list(coupling.producers))
    random = np.random.default_rng(3)
    importance = {one: float(random.uniform()) for dimension in dimensions for one in dimension.classes}
    half = {name: len(own) / 2 for name, own in coupling.producers.items()}
    kept = choose_channels(coupling, dimensions, importance, Limits(multiple=1, at_least=1), channels=half)
    silence(model, coupling, kept)
    smaller = without_channels(model, coupling, kept)
    beats = random.normal(size=(5, *WINDOW)).astype(np.float32)
    one, other = np.asarray(model(beats)), np.asarray(smaller(beats))
    return {
        "apart": float(np.abs(one - other).max()),
        "spread": float(np.abs(one - one.mean(axis=0)).max()),
        "parameters": [model.count_params(), smaller.count_params()],
        "same names": [one.name for one in smaller.layers][-len(model.layers) :] == [one.name for one in model.layers],
        "macs": [Costs(coupling).all, Costs(coupling).of(kept), sum(count for _, count in count_macs(smaller))],
        "channels": {name: [len(own), int(kept[own].sum())] for name, own in coupling.producers.items()},
        "told": {name: len(own) for name, own in couple_channels(smaller).producers.items()},
        "reasons": {name: coupling.reason(int(own[0])) for name, own in coupling.producers.items()},
    }


def all_that_multiplies() -> Any:
    """One layer of each kind whose multiply-accumulates are counted (recurrent layers convert to many operators)."""
    window = keras.Input(WINDOW, name="beat")
    x = conv(window, "conv", 8, strides=2)
    x = layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same", name="depthwise")(x)
    x = conv(layers.SeparableConv1D(6, 3, name="separable")(x), "grouped", 4, groups=2)
    x = layers.Conv1DTranspose(6, 2, strides=2, name="transposed")(x)
    x = layers.Dense(4, name="dense")(x)
    x = layers.Dot((2, 1), name="mix")([layers.Dot((2, 2), name="scores")([x, x]), x])
    x = layers.Conv2D(3, (3, 2), padding="same", name="image")(layers.Reshape((4, 4, 2), name="rows")(x))
    return keras.Model(window, layers.Dense(3, name="classes")(layers.Flatten(name="flatten")(x)), name="macs")


def main() -> None:
    found = {one.__name__: pruned(network(one)) for one in (*CONNECTIONS, *OPAQUE)} | {"row": pruned(sequential())}
    model = all_that_multiplies()
    model.save(sys.argv[1])
    print("\n" + json.dumps(found | {"macs": dict(count_macs(model))}))


if __name__ == "__main__":
    main()

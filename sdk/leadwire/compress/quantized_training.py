"""The network that is trained as if it were quantized: normalization folded, ranges where the device has integers.

Imported where Keras runs. Which tensors carry a range follows TFLite's quantization specification: the result of a
convolution, a dense layer or an addition after the activation that is fused into it; none after operators that keep the
scale of their input (pooling, reshaping), nor after those with a fixed one (softmax, sigmoid, tanh). Inputs of a
concatenation have the scale of its result, so that the range is behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from leadwire.errors import BadInputError
from leadwire.tensorflow_process.fake_quant import FakeQuant

from .work import Keras

_WEIGHTED: Final = (
    "Conv1D",
    "Conv2D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Dense",
)
_MERGED: Final = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average")
_KEEPS_SCALE: Final = (
    "AveragePooling1D", "AveragePooling2D", "MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "Flatten", "Reshape", "Permute", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "ZeroPadding1D",
    "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D", "RepeatVector",
)  # fmt: skip
_RANGED: Final = ("InputLayer", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "LeakyReLU", "PReLU", "Concatenate")
_FUSED: Final = ("linear", "relu", "relu6")
_FIXED_SCALE: Final = ("softmax", "sigmoid", "tanh")
_MERGING_OPERATIONS: Final = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
_ACTIVATION_OPERATIONS: Final = ("Relu", "Relu6", "Softmax", "Sigmoid", "Tanh")


def prepared(model: Keras) -> Keras:
    """The network with batch normalization folded and a FakeQuant wherever the device has a range of its own.

    Weights are the model's; the ranges are still empty. BadInputError names the layers that have no such form.
    """
    plan = _Plan(keras.Model(model.inputs, model.outputs, name=model.name))
    made = keras.models.clone_model(plan.model, clone_function=plan.clone, call_function=plan.call)
    for layer in plan.model.layers:
        if layer.weights and layer.name not in plan.folded:
            made.get_layer(layer.name).set_weights(plan.weights(layer))
    return made


def kernels_of(model: Keras) -> list[tuple[Any, tuple[int, ...]]]:
    """Each kernel with the axes over which the converter takes one scale: all but those of the output channels."""
    found = []
    for layer in model.layers:
        if type(layer).__name__ in _WEIGHTED:
            rank, channels = len(layer.kernel.shape), channel_axes(layer)
            found.append((layer.kernel, tuple(axis for axis in range(rank) if axis - rank not in channels)))
    return found


def channel_axes(layer: Any) -> tuple[int, ...]:
    """The axes of a layer's kernel along which its output channels lie, counted from the end; () where it has none."""
    kind = type(layer).__name__
    if kind not in _WEIGHTED:
        return ()
    if kind.startswith("Depthwise"):
        return (-2, -1)
    return (-2,) if kind.endswith("Transpose") else (-1,)


def rounded(kernel: Any, axes: tuple[int, ...], levels: int = 127) -> Any:
    """`kernel` on the grid of a symmetric scale for each channel, the gradient passing straight through."""
    kernel = tf.convert_to_tensor(kernel)
    scale = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True), 1e-12) / levels
    return kernel + tf.stop_gradient(tf.round(kernel / scale) * scale - kernel)


def call_rounded(model: Keras, inputs: Any) -> Any:
    """The model's answer while training, with its kernels rounded."""
    return call_with(model, inputs, [(kernel, rounded(kernel, axes)) for kernel, axes in kernels_of(model)])


def call_with(model: Keras, inputs: Any, kernels: Sequence[tuple[Any, Any]]) -> Any:
    """The model's answer while training, with other values for some of its variables; what its layers keep (moving
    averages) is updated, and gradients flow through the values."""
    with keras.StatelessScope(state_mapping=list(kernels)) as scope:
        answer = model(inputs, training=True)
    for variable in model.non_trainable_variables:
        value = scope.get_current_value(variable)
        if value is not None:
            variable.assign(value)
    return answer


def ranges_of(model: Keras) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, FakeQuant)]


def has_ranges(model: Keras) -> bool:
    return bool(ranges_of(model))


class _Plan:
    """What becomes of each layer, and of each operation of keras.ops, known before the first is built."""

    def __init__(self, model: Keras) -> None:
        self.model = model
        self._inputs: dict[str, Any] = {}
        self._layers = {layer.name: layer for layer in model.operations}
        self._consumers: dict[str, list[Any]] = {name: [] for name in self._layers}
        self._producers: dict[str, list[Any]] = {name: [] for name in self._layers}
        for layer in model.operations:
            for node in layer._inbound_nodes:
                for parent in node.parent_nodes:
                    if parent.operation.name in self._layers:
                        self._consumers[parent.operation.name].append(layer)
                        self._producers[layer.name].append(parent.operation)
        norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
        self.folded = {layer.name: self._producers[layer.name][0] for layer in norms}
        self._check()

    def _check(self) -> None:
        wrong = []
        for layer in self.model.operations:
            kind, activation = type(layer).__name__, _activation(layer)
            if not isinstance(layer, keras.Layer):
                wrong += self._wrong_operation(layer)
            elif kind == "BatchNormalization":
                before = self.folded[layer.name]
                if (
                    type(before).__name__ not in _WEIGHTED
                    or _activation(before) != "linear"
                    or len(self._consumers[before.name]) > 1
                ):
                    wrong.append(
                        f"layer '{layer.name}' (BatchNormalization) does not follow a convolution without activation"
                    )
            elif len(layer._inbound_nodes) > 1:
                wrong.append(f"layer '{layer.name}' is used more than once")
            elif kind not in (*_WEIGHTED, *_MERGED, *_KEEPS_SCALE, *_RANGED, "Activation", "ReLU", "Softmax"):
                wrong.append(f"layer '{layer.name}' ({kind}) has no quantization-aware form")
            elif activation not in (*_FUSED, *_FIXED_SCALE):
                wrong.append(f"layer '{layer.name}' has activation {activation}, which has no quantization-aware form")
        if wrong:
            listed = "".join(f"\n  {line}" for line in wrong[:12])
            raise BadInputError(
                f"network '{self.model.name}' cannot be trained quantization-aware:{listed}",
                hint=f"layers that can: {', '.join((*_WEIGHTED, *_MERGED, *_RANGED, *_KEEPS_SCALE))}",
            )

    def _wrong_operation(self, operation: Any) -> list[str]:
        """What is the matter with an operation of keras.ops: one such as `x + y` has the form of its layer."""
        kind = type(operation).__name__
        if kind in _MERGING_OPERATIONS and len(self._producers[operation.name]) != 2:
            kind += " with a constant"
        elif kind == "Softmax" and operation.axis != -1:
            kind += f" over axis {operation.axis}"
        elif kind in (*_MERGING_OPERATIONS, *_ACTIVATION_OPERATIONS):
            return []
        return [f"operation '{operation.name}' ({kind}) has no quantization-aware form"]

    def clone(self, layer: Any) -> Any:
        config = layer.get_config()
        if type(layer).__name__ in _WEIGHTED:
            if any(before is layer for before in self.folded.values()):
                config["use_bias"] = True
            if _activation(layer) in _FIXED_SCALE:
                config["activation"] = "linear"
        return type(layer).from_config(config)

    def call(self, layer: Any, *arguments: Any, **named: Any) -> Any:
        given = self._layers[layer.name]
        arguments = keras.tree.map_structure(self._input_ranged, arguments)
        if layer.name in self.folded:
            return self._ranged(given, arguments[0])
        answer = layer(*arguments, **named)
        if type(given).__name__ in _WEIGHTED and _activation(given) in _FIXED_SCALE:
            answer = FakeQuant(name=f"{layer.name}_range")(answer)
            return keras.layers.Activation(_activation(given), name=f"{layer.name}_activation")(answer)
        return self._ranged(given, answer)

    def _input_ranged(self, tensor: Any) -> Any:
        """An input of the network with its range behind it; any other tensor as it is."""
        before = tensor._keras_history.operation
        if type(before).__name__ != "InputLayer" or not self._has_range(self._layers[before.name]):
            return tensor
        if before.name not in self._inputs:
            self._inputs[before.name] = FakeQuant(name=f"{before.name}_range")(tensor)
        return self._inputs[before.name]

    def _ranged(self, layer: Any, answer: Any) -> Any:
        if not self._has_range(layer):
            return answer
        return FakeQuant(name=f"{layer.name}_range")(answer)

    def _has_range(self, layer: Any) -> bool:
        kind, activation = type(layer).__name__, _activation(layer)
        if kind in _KEEPS_SCALE or activation in _FIXED_SCALE:
            return False
        consumers = self._consumers[layer.name]
        if len(consumers) == 1 and activation == "linear" and kind in (*_WEIGHTED, *_MERGED, "BatchNormalization"):
            after = consumers[0]
            if type(after).__name__ == "BatchNormalization" or (
                type(after).__name__ in ("Activation", "ReLU", "Relu", "Relu6")
                and _activation(after) in ("relu", "relu6")
            ):
                return False
        return not self._only_into_concatenation(layer)

    def _only_into_concatenation(self, layer: Any) -> bool:
        consumers = self._consumers[layer.name]
        if len(consumers) != 1:
            return False
        kind = type(consumers[0]).__name__
        return kind == "Concatenate" or (kind in _KEEPS_SCALE and self._only_into_concatenation(consumers[0]))

    def weights(self, layer: Any) -> Iterable[Any]:
        """A layer's weights, with those of the batch normalization behind it folded in."""
        norm = next((self._layers[name] for name, before in self.folded.items() if before is layer), None)
        given: list[Any] = layer.get_weights()
        if norm is None:
            return given
        kernel, bias = given[0], given[1] if len(given) > 1 else 0.0
        mean, variance = np.array(norm.moving_mean), np.array(norm.moving_variance)
        factor = (np.array(norm.gamma) if norm.scale else 1.0) / np.sqrt(variance + norm.epsilon)
        shift = np.array(norm.beta) if norm.center else 0.0
        shape = [1] * kernel.ndim
        depthwise = type(layer).__name__.startswith("Depthwise")
        transposed = type(layer).__name__.endswith("Transpose")
        if depthwise:
            spread = np.reshape(factor, kernel.shape[-2:])
            return [kernel * spread, (bias - mean) * factor + shift]
        shape[-2 if transposed else -1] = -1
        return [kernel * np.reshape(factor, shape), (bias - mean) * factor + shift]


def _activation(layer: Any) -> str:
    kind = type(layer).__name__
    if kind in _ACTIVATION_OPERATIONS:  # Softmax is a layer's name as well
        return kind.lower()
    if kind == "ReLU":
        plain = not layer.negative_slope and not layer.threshold
        if plain and layer.max_value in (None, 6):
            return "relu" if layer.max_value is None else "relu6"
        return f"ReLU(max_value={layer.max_value}, negative_slope={layer.negative_slope})"
    activation = getattr(layer, "activation", None)
    return "linear" if activation is None else str(getattr(activation, "__name__", activation))

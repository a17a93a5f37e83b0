"""A Keras model as a list of calls, and its multiply-accumulates counted before anything is converted.

Keras is not imported: a caller has it loaded already, and hands over a built model. The counts are those that
`leadwire analyze` gives for the converted model (batch 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leadwire.errors import UnsupportedModelError

Keras = Any
Shape = tuple[int, ...]

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
TRANSPOSED = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
RECURRENT = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
"""Layer type and its gates."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a layer (or of a function of keras.ops): `inputs` and `outputs` are Keras tensors."""

    layer: Keras
    inputs: tuple[Keras, ...]
    outputs: tuple[Keras, ...]

    @property
    def kind(self) -> str:
        return type(self.layer).__name__

    @property
    def name(self) -> str:
        return str(self.layer.name)


def calls_of(model: Keras) -> tuple[Call, ...]:
    """The calls of a functional model in the order of execution; inputs of the model are calls without inputs.

    UnsupportedModelError (3) for a subclassed model, whose graph nobody can see, and for axes of unknown length.
    """
    nodes = getattr(model, "_nodes_by_depth", None) or getattr(
        getattr(model, "_functional", None), "_nodes_by_depth", None
    )
    if not nodes:
        raise UnsupportedModelError(
            f"model '{model.name}'",
            "it is a subclass of keras.Model, whose layers are joined by code and not by a graph",
            hint="build it with the functional API: keras.Model(inputs, outputs)",
        )
    found = [
        Call(node.operation, tuple(node.input_tensors), tuple(node.output_tensors))
        for depth in sorted(nodes, reverse=True)
        for node in nodes[depth]
    ]
    for call in found:
        if any(size is None for tensor in call.outputs for size in tensor.shape[1:]):
            raise UnsupportedModelError(
                f"layer '{call.name}'",
                f"its output has shape {tuple(call.outputs[0].shape)}, an axis of unknown length",
                hint="build the model for a fixed window",
            )
    return tuple(found)


def shape_of(tensor: Keras) -> Shape:
    """Without the batch."""
    return tuple(int(size) for size in tensor.shape[1:])


def macs_of(layer: Keras, inputs: Sequence[Shape], output: Shape) -> int:
    """Multiply-accumulates of one call of `layer`, from shapes without the batch (channels last); 0 for a layer that
    has none or is not known. Taps that fall on padding count."""
    kind = type(layer).__name__
    taps = math.prod(int(size) for size in getattr(layer, "kernel_size", ()))
    if kind in CONVOLUTIONS:
        return math.prod(output) * taps * (inputs[0][-1] // int(layer.groups))
    if kind in DEPTHWISE:
        return math.prod(output) * taps
    if kind in SEPARABLE:
        return math.prod(output[:-1]) * inputs[0][-1] * int(layer.depth_multiplier) * (taps + output[-1])
    if kind in TRANSPOSED:
        return math.prod(inputs[0]) * taps * output[-1]
    if kind == "Dense":
        return math.prod(output) * inputs[0][-1]
    if kind == "Dot":
        axis = layer.axes if isinstance(layer.axes, int) else layer.axes[0]
        return math.prod(output) * inputs[0][axis - 1 if axis > 0 else axis]
    if kind in RECURRENT:
        units = int(layer.units)
        return inputs[0][0] * RECURRENT[kind] * units * (inputs[0][1] + units)
    if kind == "Bidirectional":
        return sum(macs_of(one, inputs, output) for one in (layer.forward_layer, layer.backward_layer))
    return 0


def count_macs(model: Keras) -> tuple[tuple[str, int], ...]:
    """(layer, multiply-accumulates of one inference) for the layers that have any, in the order of execution."""
    counts = (
        (call.name, macs_of(call.layer, [shape_of(one) for one in call.inputs], shape_of(call.outputs[0])))
        for call in calls_of(model)
        if call.inputs
    )
    return tuple((name, count) for name, count in counts if count)

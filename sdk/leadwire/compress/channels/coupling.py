"""Which channels of a network can only go together, found by sending the channels' names through its graph.

Every output channel of a layer with weights gets a name, a number. A tensor of the graph is described by an array of
its own shape that holds, for each value, the channel that it belongs to: flattening, reshaping, permuting and
concatenating are what NumPy does to these arrays, with every offset and factor. Where values meet (Add, Multiply, a
layer called twice) their channels become one class. Some layers need channels to stay a whole axis; then those of the
other axes are coupled too, which is how grouped convolutions and a channel shuffle lose the same share of every group.

What a layer does that is not known here may mix its channels: they stay, and the layer is named as the reason.
Classes as in Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leadwire.model.keras_graph import (
    CONVOLUTIONS,
    DEPTHWISE,
    RECURRENT,
    SEPARABLE,
    TRANSPOSED,
    Call,
    calls_of,
    shape_of,
)

Keras = Any
Names = npt.NDArray[np.int64]
"""An array of channel names."""
Kept = npt.NDArray[np.bool_]
"""[channel names]: which channels stay."""

PRODUCERS: Final = (*CONVOLUTIONS, *SEPARABLE, *TRANSPOSED, "Dense")
_ELEMENTWISE: Final = (
    "ReLU", "LeakyReLU", "PReLU", "ELU", "Activation", "Dropout", "SpatialDropout1D", "SpatialDropout2D",
    "GaussianNoise", "GaussianDropout", "ActivityRegularization", "Identity", "Relu", "Relu6",
)  # fmt: skip
_PER_CHANNEL: Final = (
    "BatchNormalization", *DEPTHWISE,
    "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "UpSampling1D", "UpSampling2D",
    "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
)  # fmt: skip
_MEETING: Final = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
_SHAPING: Final = ("Flatten", "Reshape")


@dataclass(frozen=True, slots=True)
class Site:
    """A call and the channels of its first input and its output: `before` and `after` have the tensors' shapes."""

    call: Call
    before: Names
    after: Names


@dataclass(slots=True)
class Coupling:
    """`sites` in the order of execution; `producers` the names of the output channels [channels] by layer."""

    sites: list[Site] = field(default_factory=list)
    producers: dict[str, Names] = field(default_factory=dict)
    _parents: Names = field(default_factory=lambda: np.zeros(0, np.int64))
    _reasons: dict[int, str] = field(default_factory=dict)

    def new(self, count: int) -> Names:
        start = len(self._parents)
        found = np.arange(start, start + count)
        self._parents = np.concatenate([self._parents, found])
        return found

    def roots(self, names: Names) -> Names:
        """The class of each channel, as the name of one of its members."""
        found = self._parents[names]
        while not np.array_equal(found, next_found := self._parents[found]):
            found = next_found
        return found

    def couple(self, one: Names, other: Names) -> None:
        """Element by element, broadcast."""
        pairs = np.unique(np.stack(np.broadcast_arrays(one, other)).reshape(2, -1), axis=1)
        for a, b in pairs.T:
            first, second = sorted(int(self.roots(np.array([name]))[0]) for name in (a, b))
            if first != second:
                self._parents[second] = first
                if second in self._reasons:
                    self._reasons.setdefault(first, self._reasons[second])

    def keep(self, names: Names, reason: str) -> None:
        """These channels stay, and so do their classes."""
        for root in np.unique(self.roots(np.unique(names))):
            self._reasons.setdefault(int(root), reason)

    def reason(self, name: int) -> str:
        """Why a channel stays; "" for one that may go."""
        return self._reasons.get(int(self.roots(np.array([name]))[0]), "")

    @property
    def count(self) -> int:
        return len(self._parents)

    def along_last(self, names: Names) -> Names:
        """[channels] of a tensor whose last axis is the channels': what lies at other places of it is coupled."""
        flat = names.reshape(-1, names.shape[-1])
        if len(flat) > 1 and (flat != flat[0]).any():
            self.couple(flat[:1], flat)
        first: Names = flat[0]
        return first


def couple_channels(model: Keras) -> Coupling:
    """The coupling of a functional or sequential Keras model; UnsupportedModelError (3) for another."""
    coupling = Coupling()
    known: dict[int, Names] = {}
    seen: dict[str, Site] = {}
    for call in calls_of(model):
        inputs = [known[id(tensor)] for tensor in call.inputs]
        outputs = _outputs(coupling, call, inputs, seen.get(call.name))
        for tensor, names in zip(call.outputs, outputs, strict=True):
            known[id(tensor)] = names
        site = Site(call, inputs[0] if inputs else outputs[0], outputs[0])
        coupling.sites.append(site)
        seen.setdefault(call.name, site)
    for tensor in model.outputs:
        coupling.keep(known[id(tensor)], "they are the model's output")
    return coupling


def _outputs(coupling: Coupling, call: Call, inputs: list[Names], before: Site | None) -> list[Names]:
    """The channels of what a call puts out. A layer called a second time has the channels it had before."""
    shapes = [shape_of(tensor) for tensor in call.outputs]
    if not inputs:
        found = [coupling.new(shape[-1] if shape else 1) for shape in shapes]
        for names in found:
            coupling.keep(names, "they are the model's input")
        return [np.broadcast_to(names, shape) for names, shape in zip(found, shapes, strict=True)]
    rule = _rule(call)
    if rule is None or len(shapes) != 1:
        for names in inputs:
            coupling.keep(names, f"layer '{call.name}' ({call.kind}) may mix them")
        found = [coupling.new(1) for _ in shapes]
        for names in found:
            coupling.keep(names, f"they come from layer '{call.name}' ({call.kind})")
        return [np.broadcast_to(names, shape) for names, shape in zip(found, shapes, strict=True)]
    if before is not None and getattr(call.layer, "weights", None):
        coupling.couple(coupling.along_last(before.before), coupling.along_last(inputs[0]))
    after = rule(coupling, call, inputs)
    return [after]


Rule = Callable[[Coupling, Call, list[Names]], Names]


def _rule(call: Call) -> Rule | None:
    """None for a call that nothing is known of."""
    layer, kind = call.layer, call.kind
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return None
    if kind == "BatchNormalization" and layer.axis not in (-1, len(call.inputs[0].shape) - 1):
        return None
    if kind in ("Activation", "Softmax") and _mixes(layer):
        return None
    rules: list[tuple[Iterable[str], Rule]] = [
        (PRODUCERS, _produced),
        (_ELEMENTWISE, lambda coupling, call, inputs: inputs[0]),
        (_PER_CHANNEL, _followed),
        (_MEETING, _met),
        (_SHAPING, _shaped),
        (("Concatenate",), _joined),
        (("Permute",), lambda coupling, call, inputs: inputs[0].transpose([axis - 1 for axis in layer.dims])),
        ((*RECURRENT, "Bidirectional"), _ran),
    ]
    if (kind in _MEETING and len(call.inputs) < 2) or (kind == "Reshape" and not hasattr(layer, "target_shape")):
        return None  # functions of keras.ops: with a constant, with a shape that cannot be set anew
    return next((rule for kinds, rule in rules if kind in kinds), None)


def _mixes(layer: Keras) -> bool:
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return type(layer).__name__ == "Softmax" or name in ("softmax", "log_softmax", "glu", "sparsemax")


def _produced(coupling: Coupling, call: Call, inputs: list[Names]) -> Names:
    layer, shape = call.layer, shape_of(call.outputs[0])
    channels = coupling.along_last(inputs[0])
    groups = getattr(layer, "groups", 1)
    if call.name not in coupling.producers:
        coupling.producers[call.name] = coupling.new(shape[-1])
    own = coupling.producers[call.name]
    if groups > 1:
        coupling.along_last(channels.reshape(groups, -1))
        coupling.along_last(own.reshape(groups, -1))
    if _mixes(layer):
        coupling.keep(own, f"the activation of layer '{call.name}' mixes them")
    return np.broadcast_to(own, shape)


def _followed(coupling: Coupling, call: Call, inputs: list[Names]) -> Names:
    channels = coupling.along_last(inputs[0])
    shape = shape_of(call.outputs[0])
    return np.broadcast_to(np.repeat(channels, shape[-1] // len(channels)), shape)


def _met(coupling: Coupling, call: Call, inputs: list[Names]) -> Names:
    shape = shape_of(call.outputs[0])
    whole = []
    for names in inputs:
        if names.shape[-1] == 1 != shape[-1]:
            coupling.keep(names, f"layer '{call.name}' spreads them over other channels")
        else:
            whole.append(names)
    for names in whole[1:]:
        coupling.couple(whole[0], names)
    return np.broadcast_to(np.broadcast_arrays(*whole)[0], shape)


def _shaped(coupling: Coupling, call: Call, inputs: list[Names]) -> Names:
    """Values keep their order. What has channels along more than one axis afterwards keeps them along the last."""
    found = coupling.roots(inputs[0]).reshape(shape_of(call.outputs[0]))
    if sum(_varies(found, axis) for axis in range(found.ndim)) > 1:
        coupling.along_last(found)
        return np.broadcast_to(found.reshape(-1, found.shape[-1])[0], found.shape)
    return found


def _joined(coupling: Coupling, call: Call, inputs: list[Names]) -> Names:
    axis = call.layer.axis - 1 if call.layer.axis > 0 else call.layer.axis
    found = np.concatenate(inputs, axis=axis)
    if axis not in (-1, found.ndim - 1):
        coupling.along_last(found)
    return found


def _ran(coupling: Coupling, call: Call, inputs: list[Names]) -> Names:
    """A recurrent layer takes channels as any layer does, and its units stay: each is fed back to all."""
    coupling.along_last(inputs[0])
    own = coupling.new(1)
    coupling.keep(own, f"they are units of layer '{call.name}' ({call.kind}), each fed back to all")
    return np.broadcast_to(own, shape_of(call.outputs[0]))


def _varies(names: Names, axis: int) -> bool:
    return bool((names != names.take([0], axis=axis)).any())


def kept_shape(names: Names, kept: Kept) -> tuple[int, ...]:
    """The shape of a tensor once only `kept` channels are left."""
    stays = kept[names]
    return tuple(
        int(stays.any(axis=tuple(other for other in range(stays.ndim) if other != axis)).sum())
        for axis in range(stays.ndim)
    )

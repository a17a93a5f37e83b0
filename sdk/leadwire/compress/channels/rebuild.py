"""The same Keras model with fewer channels: every layer anew with its name, with the weights that are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from leadwire.model.keras_graph import CONVOLUTIONS, DEPTHWISE, SEPARABLE, TRANSPOSED

from .coupling import Coupling, Kept, Keras, Site, kept_shape

Weights = npt.NDArray[np.float32]


def without_channels(model: Keras, coupling: Coupling, kept: Kept, bias: Mapping[str, Weights] | None = None) -> Keras:
    """A new model with the channels that `kept` [channel names] tells to stay.

    `bias` [channels of the layer before anything was removed] is added to the bias of the layers it names, which get
    one where they had none: what constant channels contributed.
    """
    sites: dict[str, Site] = {}
    for site in coupling.sites:
        sites.setdefault(site.call.name, site)
    added = dict(bias or {})

    def cloned(layer: Keras) -> Keras:
        if not isinstance(layer, keras.layers.Layer):
            return layer  # a function of keras.ops has no channels of its own
        config = _without_shapes(layer.get_config())
        kind, shape = type(layer).__name__, kept_shape(sites[layer.name].after, kept)
        if kind in (*CONVOLUTIONS, *SEPARABLE, *TRANSPOSED):
            config["filters"] = shape[-1]
        elif kind == "Dense":
            config["units"] = shape[-1]
        elif kind == "Reshape":
            config["target_shape"] = shape
        if layer.name in added:
            config["use_bias"] = True
        return type(layer).from_config(config)

    source = model if hasattr(model, "_nodes_by_depth") else keras.Model(model.inputs, model.outputs, name=model.name)
    smaller = keras.models.clone_model(source, clone_function=cloned)
    for layer in source.layers:
        if layer.weights or layer.name in added:
            _fill(smaller.get_layer(layer.name), layer, sites[layer.name], kept, added.get(layer.name))
    return smaller


def _without_shapes(config: Any) -> Any:
    """A layer within a layer is written with the shape it was built for."""
    if isinstance(config, dict):
        return {key: _without_shapes(value) for key, value in config.items() if key != "build_config"}
    return [_without_shapes(one) for one in config] if isinstance(config, list) else config


def _fill(target: Keras, source: Keras, site: Site, kept: Kept, added: Weights | None) -> None:
    """The weights of `source` that are left, and `added` in its bias."""
    values = [(weight.name, np.asarray(weight)) for weight in source.weights]
    if added is not None:
        names = [name for name, _ in values]
        if "bias" in names:
            at = names.index("bias")
            values[at] = ("bias", values[at][1] + added)
        else:
            values.append(("bias", added))
    target.set_weights([_left(type(source).__name__, name, value, source, site, kept) for name, value in values])


def _left(kind: str, name: str, value: Weights, layer: Keras, site: Site, kept: Kept) -> Weights:
    """What is left of one weight of a layer."""
    before, after = (kept[names.reshape(-1, names.shape[-1])[0]] for names in (site.before, site.after))
    if name == "bias" and kind in (*CONVOLUTIONS, *TRANSPOSED, *DEPTHWISE, *SEPARABLE, "Dense"):
        return _along(value, 0, after)
    if kind in CONVOLUTIONS:
        return _along(_along(value, -2, before.reshape(layer.groups, -1)[0]), -1, after)
    if kind in TRANSPOSED:
        return _along(_along(value, -2, after), -1, before)
    if kind in DEPTHWISE or name == "depthwise_kernel":
        return _along(value, -2, before)
    if kind in SEPARABLE:
        return _along(_along(value, -2, np.repeat(before, layer.depth_multiplier)), -1, after)
    if kind == "Dense":
        return _along(_along(value, 0, before), 1, after)
    if kind == "BatchNormalization":
        return _along(value, 0, after)
    if kind == "PReLU":
        stays = kept[site.after]
        for axis in (axis for axis in range(value.ndim) if value.shape[axis] > 1):
            others = tuple(other for other in range(stays.ndim) if other != axis)
            value = _along(value, axis, np.asarray(stays.any(axis=others)))
        return value
    if name == "kernel" and len(value) == len(before):  # of a recurrent layer; where nothing is known, all stay
        return _along(value, 0, before)
    return value


def _along(value: Weights, axis: int, stays: Kept) -> Weights:
    left: Weights = np.compress(stays, value, axis=axis)
    return left

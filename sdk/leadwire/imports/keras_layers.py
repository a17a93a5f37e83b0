"""An ONNX graph as a Keras model: channels last, the same names, the same function.

Imported where Keras runs. ONNX networks for signals are channels first, [n, C, T] or [n, C, H, W]; here every such
tensor is [n, T, C] or [n, H, W, C], and the axes of an operator are translated. Where a tensor of several positions
becomes one vector (Flatten, Reshape), its values come in another order than in ONNX; the weights of the dense layer
that takes them are put into that order, so that no transposition is left in the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
import numpy as np

from leadwire.errors import UnsupportedModelError

from .onnx_graph import Array, Graph, Node

layers = keras.layers
_ACTIVATIONS: Final = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Elu": "elu", "HardSwish": "hard_swish"}
_MERGED: Final = {"Add": "Add", "Sub": "Subtract", "Mul": "Multiply", "Max": "Maximum", "Min": "Minimum"}
_IDENTITY: Final = ("Identity", "Dropout")


class _Value:
    """A Keras tensor; `order` tells where ONNX has the values of a flattened one: keras[i] = onnx[order[i]]."""

    def __init__(self, tensor: Any, order: Array | None = None) -> None:
        self.tensor, self.order = tensor, order

    @property
    def rank(self) -> int:
        return len(self.tensor.shape)


def build_keras(graph: Graph, *, softmax: bool = False) -> Any:
    """The keras.Model of a graph, with `softmax` behind its only output. UnsupportedModelError (3) names the node, the
    rule that it breaks and a remedy."""
    builder = _Builder(graph)
    outputs = [builder.ordered(name) for name in graph.outputs]
    if softmax:
        if len(outputs) != 1:
            raise UnsupportedModelError(
                f"model '{graph.name}'", f"has {len(outputs)} outputs", hint="leave softmax out"
            )
        outputs = [layers.Activation("softmax", name="probabilities")(outputs[0])]
    model = keras.Model(builder.inputs, outputs, name=_plain(graph.name))
    for layer, weights in builder.weights:
        layer.set_weights(weights)
    return model


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.constants = dict(graph.constants)
        self.names: set[str] = set()
        self.weights: list[tuple[Any, list[Array]]] = []
        self.inputs = [
            keras.Input((*shape[2:], shape[1]), name=self.name(name)) if len(shape) > 2
            else keras.Input(shape[1:], name=self.name(name))
            for name, shape in graph.inputs.items()
        ]  # fmt: skip
        self.values = {name: _Value(one) for name, one in zip(graph.inputs, self.inputs, strict=True)}
        for node in graph.nodes:
            self._node(node)

    # ------------------------------------------------------------------------------------------ plumbing

    def name(self, wanted: str) -> str:
        """A name that Keras takes and that is not taken."""
        plain, found, number = _plain(wanted), _plain(wanted), 1
        while found in self.names:
            number += 1
            found = f"{plain}_{number}"
        self.names.add(found)
        return found

    def refuse(self, node: Node, reason: str, hint: str) -> UnsupportedModelError:
        return UnsupportedModelError(f"{node.label} of '{self.graph.name}'", reason, hint=hint)

    def value(self, node: Node, index: int) -> _Value:
        name = node.inputs[index]
        if name not in self.values:
            raise self.refuse(node, f"input '{name}' is a constant", "fold constants (onnxsim) and import again")
        return self.values[name]

    def constant(self, node: Node, index: int, what: str) -> Array:
        name = node.inputs[index] if index < len(node.inputs) else ""
        if name not in self.constants:
            raise self.refuse(node, f"{what} '{name}' is not a constant", "export the network with fixed weights")
        return self.constants[name]

    def ordered(self, name: str) -> Any:
        """An output's tensor, in ONNX's order where it is flattened."""
        if name not in self.values:
            raise UnsupportedModelError(f"output '{name}'", "is a constant", hint="export the network again")
        value = self.values[name]
        if value.order is not None:
            raise UnsupportedModelError(
                f"output '{name}'",
                "is a flattened signal",
                hint="let a dense layer or a softmax of classes be the last",
            )
        return value.tensor

    def apply(self, node: Node, layer: Any, *tensors: Any, weights: Sequence[Array] = ()) -> Any:
        answer = layer(tensors[0] if len(tensors) == 1 else list(tensors))
        if weights:
            self.weights.append((layer, list(weights)))
        return answer

    def _node(self, node: Node) -> None:
        if all(name in self.constants for name in node.inputs if name) and node.inputs:
            self._fold(node)
            return
        method: Callable[[Node], _Value] | None = getattr(self, f"_{node.kind.lower()}", None)
        if node.kind in _ACTIVATIONS:
            value = self.value(node, 0)
            made = _Value(
                layers.Activation(_ACTIVATIONS[node.kind], name=self.name(node.outputs[0]))(value.tensor), value.order
            )
        elif node.kind in _MERGED:
            made = self._merge(node)
        elif node.kind in _IDENTITY:
            made = self.value(node, 0)
        elif method is not None:
            made = method(node)
        else:
            known = sorted((*_ACTIVATIONS, *_MERGED, *_IDENTITY, *_KINDS))
            raise self.refuse(node, "is not an operator that becomes a Keras layer", f"known are: {', '.join(known)}")
        self.values[node.outputs[0]] = made

    def _fold(self, node: Node) -> None:
        """A node of constants alone, computed by ONNX's own reference implementation."""
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        made = helper.make_node(node.kind, list(node.inputs), list(node.outputs), **dict(node.attributes))
        given = [name for name in node.inputs if name]
        infos = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(self.constants[name].dtype), self.constants[name].shape
            )
            for name in dict.fromkeys(given)
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.outputs]
        model = helper.make_model(
            helper.make_graph([made], "fold", infos, outputs),
            opset_imports=[helper.make_opsetid("", self.graph.opset)],
        )
        try:
            answers = ReferenceEvaluator(model).run(None, {name: self.constants[name] for name in given})
        except Exception as error:
            raise self.refuse(
                node, f"its constants cannot be folded: {error}", "simplify the file (onnxsim)"
            ) from error
        self.constants |= dict(zip(node.outputs, map(np.asarray, answers), strict=True))

    # ------------------------------------------------------------------------------------------ weighted layers

    def _conv(self, node: Node) -> _Value:
        value, kernel = self.value(node, 0), self.constant(node, 1, "the kernel")
        bias = self.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        rank = kernel.ndim - 2
        if rank not in (1, 2):
            raise self.refuse(node, f"convolves over {rank} dimensions", "1-D and 2-D convolutions are known")
        groups, attributes = int(node.attributes.get("group", 1)), node.attributes
        strides = tuple(attributes.get("strides", (1,) * rank))
        dilations = tuple(attributes.get("dilations", (1,) * rank))
        size = kernel.shape[2:]
        reach = tuple((k - 1) * d + 1 for k, d in zip(size, dilations, strict=True))
        tensor = self._padded(node, value.tensor, reach, strides)
        channels, name = value.tensor.shape[-1], self.name(node.outputs[0])
        common: dict[str, Any] = {"strides": strides, "padding": "valid", "use_bias": bias is not None, "name": name}
        extra = [] if bias is None else [bias]
        if groups == channels and groups > 1 and len(set(strides)) == 1:
            kind = layers.DepthwiseConv1D if rank == 1 else layers.DepthwiseConv2D
            multiplier = kernel.shape[0] // groups
            common["strides"] = strides[0]
            layer = kind(
                size, depth_multiplier=multiplier, dilation_rate=dilations[0] if rank == 1 else dilations, **common
            )
            shaped = np.moveaxis(kernel.reshape(groups, multiplier, *size), (0, 1), (-2, -1))
            return _Value(self.apply(node, layer, tensor, weights=[shaped, *extra]))
        kind = layers.Conv1D if rank == 1 else layers.Conv2D
        layer = kind(kernel.shape[0], size, dilation_rate=dilations, groups=groups, **common)
        shaped = np.moveaxis(kernel, (0, 1), (-1, -2))
        return _Value(self.apply(node, layer, tensor, weights=[shaped, *extra]))

    def _padded(self, node: Node, tensor: Any, reach: Sequence[int], strides: Sequence[int], value: float = 0.0) -> Any:
        """The tensor with the zeros that the node's own padding adds, left out where there are none."""
        rank, mode = len(reach), node.attributes.get("auto_pad", "NOTSET")
        pads = list(node.attributes.get("pads", [0] * 2 * rank))
        if mode in ("SAME_UPPER", "SAME_LOWER"):
            total = [
                max(0, (-(-size // stride) - 1) * stride + width - size)
                for size, stride, width in zip(tensor.shape[1:-1], strides, reach, strict=True)
            ]
            small = [one // 2 for one in total]
            large = [one - half for one, half in zip(total, small, strict=True)]
            pads = [*small, *large] if mode == "SAME_UPPER" else [*large, *small]
        elif mode not in ("NOTSET", "VALID"):
            raise self.refuse(node, f"has auto_pad {mode}", "export it with explicit pads")
        pairs = tuple((pads[axis], pads[axis + rank]) for axis in range(rank))
        if not any(map(any, pairs)):
            return tensor
        if value:
            raise self.refuse(node, "pads with another value than 0", "pad with zeros")
        name = self.name(f"{node.outputs[0]}_pad")
        if rank == 1:
            return layers.ZeroPadding1D(pairs[0], name=name)(tensor)
        return layers.ZeroPadding2D(pairs, name=name)(tensor)

    def _convtranspose(self, node: Node) -> _Value:
        value, kernel = self.value(node, 0), self.constant(node, 1, "the kernel")
        bias = self.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        rank, attributes = kernel.ndim - 2, node.attributes
        strides = tuple(attributes.get("strides", (1,) * rank))
        plain = (
            rank in (1, 2)
            and int(attributes.get("group", 1)) == 1
            and all(one == 1 for one in attributes.get("dilations", (1,) * rank))
            and not any(attributes.get("output_padding", (0,)))
            and attributes.get("auto_pad", "NOTSET") == "NOTSET"
        )
        if not plain:
            raise self.refuse(node, "has groups, dilation, output_padding or auto_pad", "upsample, then convolve")
        kind = layers.Conv1DTranspose if rank == 1 else layers.Conv2DTranspose
        layer = kind(
            kernel.shape[1], kernel.shape[2:], strides=strides, padding="valid", use_bias=bias is not None,
            name=self.name(node.outputs[0]),
        )  # fmt: skip
        shaped = np.moveaxis(kernel, (0, 1), (-1, -2))
        tensor = self.apply(node, layer, value.tensor, weights=[shaped, *([] if bias is None else [bias])])
        pads = list(attributes.get("pads", [0] * 2 * rank))
        if any(pads):
            pairs = tuple((pads[axis], pads[axis + rank]) for axis in range(rank))
            crop = layers.Cropping1D if rank == 1 else layers.Cropping2D
            tensor = crop(pairs[0] if rank == 1 else pairs, name=self.name(f"{node.outputs[0]}_crop"))(tensor)
        return _Value(tensor)

    def _batchnormalization(self, node: Node) -> _Value:
        value = self.value(node, 0)
        scale, shift, mean, variance = (self.constant(node, index, "a parameter") for index in range(1, 5))
        if value.order is not None:
            scale, shift, mean, variance = (
                np.asarray(one)[value.order] for one in (scale, shift, mean, variance)
            )  # fmt: skip
        layer = layers.BatchNormalization(
            epsilon=float(node.attributes.get("epsilon", 1e-5)), name=self.name(node.outputs[0])
        )
        return _Value(self.apply(node, layer, value.tensor, weights=[scale, shift, mean, variance]), value.order)

    def _gemm(self, node: Node) -> _Value:
        attributes = node.attributes
        if attributes.get("transA", 0):
            raise self.refuse(node, "transposes its input", "export it without transA")
        kernel = np.asarray(self.constant(node, 1, "the kernel")) * float(attributes.get("alpha", 1.0))
        if attributes.get("transB", 0):
            kernel = kernel.T
        bias = None
        if len(node.inputs) > 2 and node.inputs[2]:
            bias = np.asarray(self.constant(node, 2, "the bias")) * float(attributes.get("beta", 1.0))
        return self._dense(node, kernel, bias)

    def _matmul(self, node: Node) -> _Value:
        return self._dense(node, self.constant(node, 1, "the kernel"), None)

    def _dense(self, node: Node, kernel: Array, bias: Array | None) -> _Value:
        value = self.value(node, 0)
        if kernel.ndim != 2 or value.rank != 2:
            raise self.refuse(node, "is not a dense layer over one vector", "flatten or pool before it")
        if value.order is not None:
            kernel = kernel[value.order]
        layer = layers.Dense(kernel.shape[1], use_bias=bias is not None, name=self.name(node.outputs[0]))
        given = [kernel] if bias is None else [kernel, np.broadcast_to(bias.reshape(-1), (kernel.shape[1],))]
        return _Value(self.apply(node, layer, value.tensor, weights=given))

    # ------------------------------------------------------------------------------------------ the rest

    def _merge(self, node: Node) -> _Value:
        names = [name for name in node.inputs if name in self.values]
        if len(names) < len(node.inputs):
            return self._with_constant(node, names)
        values = [self.values[name] for name in names]
        orders = [one.order for one in values]
        if any((one is None) != (orders[0] is None) for one in orders):
            raise self.refuse(node, "merges a flattened signal with another vector", "merge before flattening")
        layer = getattr(layers, _MERGED[node.kind])(name=self.name(node.outputs[0]))
        return _Value(self.apply(node, layer, *(one.tensor for one in values)), orders[0])

    def _with_constant(self, node: Node, names: Sequence[str]) -> _Value:
        """x + c and x * c with one c or one for each channel: a bias, or a factor, as a convolution's neighbour."""
        constant = np.asarray(next(self.constants[name] for name in node.inputs if name in self.constants))
        value = self.values[names[0]]
        channels = value.tensor.shape[-1]
        per_channel = constant.reshape(-1) if constant.size in (1, channels) else None
        first = node.inputs[0] in self.values
        if per_channel is None or value.order is not None or node.kind not in ("Add", "Sub", "Mul") or not first:
            raise self.refuse(node, f"has a constant of shape {list(constant.shape)}", "fold it into the layer before")
        per_channel = np.broadcast_to(per_channel, (channels,)).astype(np.float32)
        scale = per_channel if node.kind == "Mul" else np.ones(channels, np.float32)
        shift = {"Add": per_channel, "Sub": -per_channel, "Mul": np.zeros(channels, np.float32)}[node.kind]
        layer = layers.BatchNormalization(epsilon=0.0, name=self.name(node.outputs[0]))
        weights = [scale, shift, np.zeros(channels, np.float32), np.ones(channels, np.float32)]
        return _Value(self.apply(node, layer, value.tensor, weights=weights))

    def _clip(self, node: Node) -> _Value:
        value = self.value(node, 0)
        low, high = (
            self.constants.get(node.inputs[index]) if len(node.inputs) > index else node.attributes.get(key)
            for index, key in ((1, "min"), (2, "max"))
        )
        if low is None or float(low) != 0 or high is None:
            raise self.refuse(node, f"clips to {low}..{high}", "clip to 0..6 (relu6)")
        return _Value(layers.ReLU(max_value=float(high), name=self.name(node.outputs[0]))(value.tensor), value.order)

    def _leakyrelu(self, node: Node) -> _Value:
        value = self.value(node, 0)
        slope = float(node.attributes.get("alpha", 0.01))
        return _Value(
            layers.LeakyReLU(negative_slope=slope, name=self.name(node.outputs[0]))(value.tensor), value.order
        )

    def _softmax(self, node: Node) -> _Value:
        value = self.value(node, 0)
        axis = _axis(int(node.attributes.get("axis", -1)), value.rank)
        if axis != value.rank - 1:
            raise self.refuse(node, f"is over axis {node.attributes.get('axis')}", "let it be over the classes")
        if value.order is not None:
            raise self.refuse(node, "is over a flattened signal", "let it be over the classes")
        return _Value(layers.Activation("softmax", name=self.name(node.outputs[0]))(value.tensor))

    def _concat(self, node: Node) -> _Value:
        values = [self.value(node, index) for index in range(len(node.inputs))]
        axis = _axis(int(node.attributes["axis"]), values[0].rank)
        orders: Array | None = None
        if any(one.order is not None for one in values):
            parts, start = [], 0
            for one in values:
                size = int(one.tensor.shape[-1])
                parts.append(start + (np.arange(size) if one.order is None else one.order))
                start += size
            orders = np.concatenate(parts)
        layer = layers.Concatenate(axis=axis, name=self.name(node.outputs[0]))
        return _Value(self.apply(node, layer, *(one.tensor for one in values)), orders)

    def _pool(self, node: Node, kind: str) -> _Value:
        value = self.value(node, 0)
        size = tuple(node.attributes["kernel_shape"])
        strides = tuple(node.attributes.get("strides", (1,) * len(size)))
        if (
            len(size) not in (1, 2)
            or node.attributes.get("ceil_mode", 0)
            or any(one != 1 for one in node.attributes.get("dilations", (1,)))
        ):
            raise self.refuse(node, "has ceil_mode or dilation, or three dimensions", "pool without them")
        pads = node.attributes.get("pads", (0,))
        if any(pads) and (kind == "Max" or not node.attributes.get("count_include_pad", 0)):
            raise self.refuse(node, f"pads {list(pads)} with what does not count", "pool without padding")
        tensor = self._padded(node, value.tensor, size, strides)
        layer = getattr(layers, f"{'Max' if kind == 'Max' else 'Average'}Pooling{len(size)}D")
        made = layer(size if len(size) > 1 else size[0], strides=strides if len(size) > 1 else strides[0],
                     name=self.name(node.outputs[0]))  # fmt: skip
        return _Value(made(tensor))

    def _maxpool(self, node: Node) -> _Value:
        return self._pool(node, "Max")

    def _averagepool(self, node: Node) -> _Value:
        return self._pool(node, "Average")

    def _global(self, node: Node, kind: str, *, keep: bool) -> _Value:
        value = self.value(node, 0)
        if value.rank not in (3, 4):
            raise self.refuse(node, "is over a vector", "leave it out")
        layer = getattr(layers, f"Global{kind}Pooling{value.rank - 2}D")
        return _Value(layer(keepdims=keep, name=self.name(node.outputs[0]))(value.tensor))

    def _globalaveragepool(self, node: Node) -> _Value:
        return self._global(node, "Average", keep=True)

    def _globalmaxpool(self, node: Node) -> _Value:
        return self._global(node, "Max", keep=True)

    def _reducemean(self, node: Node) -> _Value:
        value = self.value(node, 0)
        given = self.constants.get(node.inputs[1]) if len(node.inputs) > 1 else node.attributes.get("axes")
        axes = sorted(int(one) % value.rank for one in (given if given is not None else ()))
        if axes != list(range(2, value.rank)):
            raise self.refuse(node, f"is over axes {axes}", "let it be over all positions")
        return self._global(node, "Average", keep=bool(node.attributes.get("keepdims", 1)))

    def _flatten(self, node: Node) -> _Value:
        if int(node.attributes.get("axis", 1)) != 1:
            raise self.refuse(node, "flattens the batch too", "flatten from axis 1")
        return self._vector(node)

    def _reshape(self, node: Node) -> _Value:
        shape = [int(one) for one in self.constant(node, 1, "the shape")]
        value = self.value(node, 0)
        size = int(np.prod(value.tensor.shape[1:]))
        if len(shape) == 2 and shape[1] in (-1, size):
            return self._vector(node)
        raise self.refuse(node, f"reshapes to {shape}", "only a reshape to one vector for each sample is known")

    def _vector(self, node: Node) -> _Value:
        value = self.value(node, 0)
        if value.rank == 2:
            return value
        shape = value.tensor.shape[1:]
        first = np.arange(int(np.prod(shape))).reshape(shape[-1], *shape[:-1])
        order = np.moveaxis(first, 0, -1).reshape(-1)
        tensor = layers.Flatten(name=self.name(node.outputs[0]))(value.tensor)
        return _Value(tensor, None if all(one == 1 for one in shape[:-1]) else order)

    def _squeeze(self, node: Node) -> _Value:
        value = self.value(node, 0)
        given = self.constants.get(node.inputs[1]) if len(node.inputs) > 1 else node.attributes.get("axes")
        axes = sorted(int(one) % value.rank for one in (given if given is not None else ()))
        if axes == list(range(2, value.rank)) and all(value.tensor.shape[axis - 1] == 1 for axis in axes):
            return self._vector(node)
        raise self.refuse(node, f"squeezes axes {axes}", "squeeze all positions, after a global pooling")


_KINDS: Final = (
    "Conv", "ConvTranspose", "BatchNormalization", "Gemm", "MatMul", "Clip", "LeakyRelu", "Softmax", "Concat",
    "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "Flatten", "Reshape", "Squeeze",
)  # fmt: skip


def _axis(axis: int, rank: int) -> int:
    """An axis of a channels-first tensor as that of the channels-last one."""
    axis %= rank
    if rank == 2 or axis == 0:
        return axis
    return rank - 1 if axis == 1 else axis - 1


def _plain(name: str) -> str:
    """A name without what Keras and C do not take."""
    found = "".join(one if one.isalnum() or one == "_" else "_" for one in name).strip("_")
    return found or "layer"

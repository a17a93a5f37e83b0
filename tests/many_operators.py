"""One model of many unconnected operators, drawn by a seed: one compilation for dozens of shapes, scales and corners.

Every operator has an input and an output of its own. Scales are such that outputs fill their range, which is also where
the kernels for Armv7E-M apply; sizes are drawn around the blocks of two and four in which these work.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from single_operator import Op, T, write_tflite

ZEROS = (-128, 127, 0, -3, 17)


class _Builder:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.tensors: list[T] = []
        self.operators: list[Op] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []

    def pick(self, *choices: int) -> int:
        return int(self.random.choice(choices))

    def add(self, tensor: T) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def given(self, *shape: int, scale: float = 0.05, zero_point: int | None = None) -> int:
        zero = self.pick(*ZEROS) if zero_point is None else zero_point
        self.inputs.append(self.add(T(shape=shape, scale=scale, zero_point=zero)))
        return self.inputs[-1]

    def operator(self, kind: str, given: tuple[int, ...], result: T | list[T], options: str, **fields: float) -> None:
        made = tuple(self.add(one) for one in (result if isinstance(result, list) else [result]))
        self.outputs += made
        self.operators.append(Op(kind=kind, inputs=given, outputs=made, options=options, fields=fields))

    def weights(self, shape: tuple[int, ...], axis: int, given_scale: float = 0.05) -> tuple[int, int, float]:
        """Weights, bias, and the scale of an output that they fill."""
        outputs = shape[axis]
        values = self.random.integers(-127, 128, shape).astype(np.int8)
        if self.pick(0, 1):
            values[self.random.random(shape) < 0.3] = 127
        taps = math.prod(shape) / outputs
        typical = 80 * 80 * math.sqrt(taps) / 64
        if self.pick(0, 1):  # factors that are powers of two: many exact halves of both signs
            values = (values // 32).astype(np.int8)
            halvings = max(1, round(math.log2(typical / 32)))
            scales, scale = (2.0**-7,) * outputs, given_scale * 2.0 ** (halvings - 7)
        else:
            scales = tuple(float(np.float32(0.01 * 2.0 ** self.random.uniform(-1, 1))) for _ in range(outputs))
            scale = given_scale * 0.01 * typical
        if self.pick(0, 1, 1):
            values[tuple(0 if i == axis else slice(None) for i in range(len(shape)))] = 0  # a channel that is dead
        bias = self.random.integers(-9000, 9001, outputs).astype(np.int32)
        return (
            self.add(T(shape=shape, array=values, scale=scales, axis=axis)),
            self.add(T(shape=(outputs,), array=bias, scale=tuple(given_scale * s for s in scales))),
            scale,
        )

    def convolution(self, kind: str, after: int | None = None) -> int:
        """Of a new input, or `after` a tensor; the output."""
        depthwise = kind == "DEPTHWISE_CONV_2D"
        if after is None:
            cin = self.pick(1, 4, 8, 12) if depthwise else self.pick(1, 2, 3, 4, 5, 7, 8, 16)
            after = self.given(1, self.pick(1, 1, 3, 5), self.pick(1, 2, 5, 8, 11), cin)
        _, h, w, cin = self.tensors[after].shape
        kh, kw = self.pick(1, min(h, 3)), self.pick(1, 2, 3, 5)
        stride, dilation = self.pick(1, 1, 2), self.pick(1, 1, 1, 2)
        multiplier = self.pick(1, 1, 1, 3) if depthwise else 1
        cout = cin * multiplier if depthwise else self.pick(1, 2, 3, 4, 6, 8, 9)
        same = self.pick(0, 1) if (kw - 1) * dilation < w and (kh - 1) * dilation < h else 1

        def size(length: int, taps: int) -> int:
            return -(-length // stride) if same else -(-(length - (taps - 1) * dilation) // stride)

        shape = (1, kh, kw, cout) if depthwise else (cout, kh, kw, cin)
        weights, bias, scale = self.weights(shape, 3 if depthwise else 0, float(self.tensors[after].scale))  # type: ignore[arg-type]
        result = T(shape=(1, size(h, kh), size(w, kw), cout), scale=scale, zero_point=self.pick(*ZEROS))
        fields = {"depthMultiplier": multiplier} if depthwise else {}
        self.operator(
            kind, (after, weights, bias), result, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
            padding=0 if same else 1, strideH=stride, strideW=stride, dilationHFactor=dilation,
            dilationWFactor=dilation, fusedActivationFunction=self.pick(0, 1, 3), **fields,
        )  # fmt: skip
        return self.outputs[-1]

    def grouped(self, after: int | None = None) -> int:
        """A convolution of 2 to 4 groups; of one where the channels of `after` have no such divisor."""
        if after is None:
            cin = self.pick(2, 3, 4) * self.pick(1, 2, 3, 4, 5, 8)
            after = self.given(1, self.pick(1, 1, 3), self.pick(1, 2, 5, 8, 11), cin)
        _, h, w, cin = self.tensors[after].shape
        groups = self.pick(*([count for count in (2, 3, 4) if cin % count == 0] or [1]))
        kh, kw, stride, dilation = (
            self.pick(1, min(h, 3)),
            self.pick(1, 1, 3, 5),
            self.pick(1, 1, 2),
            self.pick(1, 1, 2),
        )
        weights, bias, scale = self.weights(
            (groups * self.pick(1, 2, 3, 4), kh, kw, cin // groups),
            0,
            float(self.tensors[after].scale),  # type: ignore[arg-type]
        )
        shape = (1, -(-h // stride), -(-w // stride), self.tensors[bias].shape[0])
        self.operator(
            "CONV_2D", (after, weights, bias), T(shape=shape, scale=scale, zero_point=self.pick(*ZEROS)),
            "Conv2DOptions", padding=0, strideH=stride, strideW=stride, dilationHFactor=dilation,
            dilationWFactor=dilation, fusedActivationFunction=self.pick(0, 1, 3),
        )  # fmt: skip
        return self.outputs[-1]

    def dilated(self) -> None:
        """3 x 3 taps two apart over 3 x 5 positions: whole rows of taps lie outside."""
        given = self.given(1, 3, 5, 4)
        weights, bias, scale = self.weights((2, 3, 3, 4), 0)
        result = T(shape=(1, 3, 5, 2), scale=scale, zero_point=self.pick(*ZEROS))
        self.operator(
            "CONV_2D", (given, weights, bias), result, "Conv2DOptions",
            padding=0, strideH=1, strideW=1, dilationHFactor=2, dilationWFactor=2,
        )  # fmt: skip

    def fully_connected(self) -> None:
        rows, depth, outputs = self.pick(1, 1, 1, 2, 3), self.pick(1, 3, 4, 8, 17, 40, 64), self.pick(1, 2, 4, 5, 8, 11)
        given = self.given(rows, depth)
        weights, bias, scale = self.weights((outputs, depth), 0)
        result = T(shape=(rows, outputs), scale=scale, zero_point=self.pick(*ZEROS))
        self.operator(
            "FULLY_CONNECTED", (given, weights, bias), result, "FullyConnectedOptions",
            fusedActivationFunction=self.pick(0, 1, 3), keepNumDims=0,
        )  # fmt: skip

    def add_two(self) -> None:
        shape = (1, self.pick(1, 3, 7), self.pick(1, 4, 5))
        scales = [float(np.float32(2.0 ** self.random.uniform(-6, -3))) for _ in range(2)]
        pair = tuple(self.given(*shape, scale=scale) for scale in scales)
        filled = sum(scales) * (0.6, 0.6, 0.16)[self.pick(0, 1, 2)]  # the last: many sums lie far outside
        result = T(shape=shape, scale=filled, zero_point=self.pick(*ZEROS))
        self.operator("ADD", pair, result, "AddOptions", fusedActivationFunction=self.pick(0, 1, 3))

    def multiply(self) -> None:
        shape = (1, self.pick(1, 3, 7), self.pick(1, 4, 5))
        pair = (self.given(*shape), self.given(1, 1, shape[2]))
        result = T(shape=shape, scale=0.05 * 0.05 * 60, zero_point=self.pick(*ZEROS))
        self.operator("MUL", pair, result, "MulOptions", fusedActivationFunction=self.pick(0, 1, 3))

    def one_to_one(self, kind: str) -> None:
        size, zero = self.pick(1, 4, 9), self.pick(*ZEROS)
        given = self.given(1, size, zero_point=zero)
        same = kind == "RELU6"
        result = T(shape=(1, size), scale=0.05 if same else 0.06, zero_point=zero if same else self.pick(*ZEROS))
        self.operator(kind, (given,), result, "QuantizeOptions" if kind == "QUANTIZE" else "")

    def pool(self, kind: str, after: int | None = None) -> int:
        if after is None:
            after = self.given(1, self.pick(1, 3, 5), self.pick(2, 5, 9), self.pick(1, 4, 6, 8))
        _, h, w, channels = self.tensors[after].shape
        kh, kw, stride, same = self.pick(1, h), self.pick(1, 2, 3), self.pick(1, 2), self.pick(0, 1)
        kw = min(kw, w)

        def size(length: int, taps: int) -> int:
            return -(-length // stride) if same else -(-(length - taps + 1) // stride)

        given = self.tensors[after]
        result = T(shape=(1, size(h, kh), size(w, kw), channels), scale=given.scale, zero_point=given.zero_point)
        self.operator(
            kind, (after,), result, "Pool2DOptions", padding=0 if same else 1, strideH=stride, strideW=stride,
            filterHeight=kh, filterWidth=kw, fusedActivationFunction=self.pick(0, 1, 3),
        )  # fmt: skip
        return self.outputs[-1]

    def softmax(self) -> None:
        shape = (self.pick(1, 2), self.pick(1, 2, 5, 12))
        given = self.given(*shape, scale=float(2.0 ** self.random.uniform(-6, 1)))
        self.operator("SOFTMAX", (given,), T(shape=shape, scale=1 / 256, zero_point=-128), "SoftmaxOptions", beta=1)

    def pad(self) -> None:
        shape = (1, self.pick(1, 3), self.pick(1, 4), self.pick(1, 5))
        pairs = self.random.integers(0, 3, (4, 2)).astype(np.int32)
        given = self.given(*shape, zero_point=5)
        amounts = self.add(T(shape=(4, 2), array=pairs, quantized=False))
        result = T(shape=tuple(int(n) for n in np.array(shape) + pairs.sum(axis=1)), scale=0.05, zero_point=5)
        self.operator("PAD", (given, amounts), result, "PadOptions")

    def padded(self, kind: str, after: int | None = None) -> int:
        """A VALID convolution, a grouped or a depthwise one, that reads a PAD smaller than its window; the output. Of a
        signal, the PAD may come before the dimension of height; half of the time two convolutions read it."""
        depthwise = kind == "DEPTHWISE_CONV_2D"
        signal = after is None and self.pick(0, 1) == 1
        if after is None:
            shape = (1, self.pick(2, 5, 8, 11), self.pick(1, 2, 4, 8, 12))
            after = self.given(*shape) if signal else self.given(1, self.pick(1, 3, 4), *shape[1:])
        h, w, cin = (1, *self.tensors[after].shape)[-3:]
        kh, kw, dy, dx = self.pick(1, min(h, 3)), self.pick(2, 3, 5), self.pick(1, 2), self.pick(1, 1, 2, 4)
        reach = ((kh - 1) * dy, (kw - 1) * dx)
        causal = self.pick(0, 1) == 1
        pairs = [(beyond, 0 if causal else self.pick(0, beyond // 2, beyond)) for beyond in reach]
        line = [(0, 0), *pairs, (0, 0)]
        amounts = np.array(line[:1] + line[2:] if signal else line, np.int32)
        given = self.tensors[after]
        made = self.add(replace(given, shape=tuple(int(n) for n in np.array(given.shape) + amounts.sum(axis=1))))
        around = self.add(T(shape=amounts.shape, array=amounts, quantized=False))
        self.operators.append(Op(kind="PAD", inputs=(after, around), outputs=(made,), options="PadOptions"))
        h, w = h + sum(pairs[0]), w + sum(pairs[1])
        if signal:
            flat, made = made, self.add(replace(given, shape=(1, h, w, cin)))
            self.operators.append(Op(kind="RESHAPE", inputs=(flat,), outputs=(made,), options="ReshapeOptions"))
        for _ in range(self.pick(1, 2)):
            groups = self.pick(*([n for n in (2, 3, 4) if cin % n == 0] or [1])) if kind == "grouped" else 1
            cout = cin * self.pick(1, 1, 2) if depthwise else groups * self.pick(1, 2, 3, 4)
            stride = self.pick(1, 1, 2)
            taps = (1, kh, kw, cout) if depthwise else (cout, kh, kw, cin // groups)
            weights, bias, scale = self.weights(taps, 3 if depthwise else 0, float(given.scale))  # type: ignore[arg-type]
            size = [-(-(length - beyond) // stride) for length, beyond in zip((h, w), reach, strict=True)]
            self.operator(
                "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", (made, weights, bias),
                T(shape=(1, *size, cout), scale=scale, zero_point=self.pick(*ZEROS)),
                "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
                padding=1, strideH=stride, strideW=stride, dilationHFactor=dy, dilationWFactor=dx,
                fusedActivationFunction=self.pick(0, 1, 3), **({"depthMultiplier": cout // cin} if depthwise else {}),
            )  # fmt: skip
        return self.outputs[-1]

    def reduction(self, kind: str, wide: int = 0) -> None:
        h, channels = self.pick(1, 5, 19), wide or self.pick(1, 4, 7)
        given = self.given(1, h, channels)
        axes = self.integers(1)
        result = T(shape=(1, channels), scale=0.04, zero_point=self.pick(*ZEROS))
        if kind == "SUM":
            result = replace(result, scale=0.05 * math.sqrt(h))
        if kind.startswith("REDUCE"):
            result = replace(self.tensors[given], shape=(1, channels))
        self.operator(kind, (given, axes), result, "ReducerOptions", keepDims=0)

    def transpose_convolution(self) -> None:
        h, w, cin, cout = self.pick(1, 1, 3), self.pick(1, 4, 5), self.pick(1, 3, 8), self.pick(1, 3, 4)
        kh, kw, stride, same = self.pick(1, 2), self.pick(1, 2, 3, 4), self.pick(1, 2, 3), self.pick(0, 1)
        kh, stride_h = (1, 1) if h == 1 else (kh, stride)  # a signal, or a picture
        height, width = (
            size * step if same else (size - 1) * step + taps
            for size, step, taps in ((h, stride_h, kh), (w, stride, kw))
        )
        shape, given = self.integers(1, height, width, cout), self.given(1, h, w, cin)
        weights, bias, scale = self.weights((cout, kh, kw, cin), 0)
        result = T(shape=(1, height, width, cout), scale=scale, zero_point=self.pick(*ZEROS))
        self.operator(
            "TRANSPOSE_CONV", (shape, weights, given, bias), result, "TransposeConvOptions", padding=0 if same else 1,
            strideH=stride_h, strideW=stride, fusedActivationFunction=self.pick(0, 1, 3),
        )  # fmt: skip

    def matrices(self) -> None:
        batch, rows, depth, columns = self.pick(1, 2), self.pick(1, 3), self.pick(1, 4, 17), self.pick(1, 4)
        pair = (self.given(batch, rows, depth), self.given(1, columns, depth))
        result = T(shape=(batch, rows, columns), scale=0.1 * math.sqrt(depth), zero_point=self.pick(*ZEROS))
        self.operator("BATCH_MATMUL", pair, result, "BatchMatMulOptions", adjX=0, adjY=1)

    def attention(self) -> None:
        """Products of matrices whose right one is turned or not, and shares of many values."""
        turned, rows, depth, columns = self.pick(0, 1), self.pick(2, 5), self.pick(3, 8, 18), self.pick(3, 8, 17, 21)
        pair = (self.given(2, rows, depth), self.given(2, *((columns, depth) if turned else (depth, columns))))
        result = T(shape=(2, rows, columns), scale=0.16 * math.sqrt(depth), zero_point=self.pick(*ZEROS))
        self.operator("BATCH_MATMUL", pair, result, "BatchMatMulOptions", adjX=0, adjY=turned)
        shape = (self.pick(9, 16), 16)
        given = self.given(*shape, scale=float(2.0 ** self.random.uniform(-4, 2)))
        self.operator("SOFTMAX", (given,), T(shape=shape, scale=1 / 256, zero_point=-128), "SoftmaxOptions", beta=1)

    def blocks(self, kind: str) -> None:
        """Two rows and three columns to a block, of a signal that fills them."""
        h, w, channels = 2 * self.pick(1, 2), 3 * self.pick(1, 3), self.pick(1, 4)
        shapes = (1, h, w, channels), (6, h // 2, w // 3, channels)
        first, second = shapes if kind == "SPACE_TO_BATCH_ND" else shapes[::-1]
        sizes, edges = self.integers(2, 3), self.add(T(shape=(2, 2), array=np.zeros((2, 2), np.int32), quantized=False))
        options = f"{'SpaceToBatch' if kind.startswith('SPACE') else 'BatchToSpace'}NDOptions"
        given = self.given(*first, zero_point=5)
        self.operator(kind, (given, sizes, edges), T(shape=second, scale=0.05, zero_point=5), options)

    def unit_vectors(self) -> None:
        shape = (self.pick(1, 3), self.pick(1, 2, 17, 900))
        self.operator("L2_NORMALIZATION", (self.given(*shape),), T(shape=shape, scale=1 / 128), "L2NormOptions")

    def index(self, kind: str) -> None:
        shape = (self.pick(1, 3), self.pick(1, 4, 9), self.pick(1, 4))
        result = T(shape=(shape[0], shape[2]), dtype="int32", quantized=False)
        options = "ArgMaxOptions" if kind == "ARG_MAX" else "ArgMinOptions"
        self.operator(kind, (self.given(*shape), self.integers(1)), result, options, outputType=2)

    def integer_cast(self) -> None:
        shape = (1, self.pick(1, 4, 9))
        result = T(shape=shape, dtype="int32", quantized=False)
        self.operator("CAST", (self.given(*shape),), result, "CastOptions", inDataType=9, outDataType=2)

    def slopes(self) -> None:
        shape = (1, self.pick(1, 3, 7), self.pick(1, 4, 5))
        slopes = self.random.integers(-128, 128, shape[2]).astype(np.int8)
        pair = (self.given(*shape), self.add(T(shape=(shape[2],), array=slopes, scale=0.01, zero_point=-3)))
        self.operator("PRELU", pair, T(shape=shape, scale=0.06, zero_point=self.pick(*ZEROS)), "")

    def tabulated(self, kind: str) -> None:
        size, zero = self.pick(1, 4, 9), self.pick(*ZEROS)
        given = self.given(1, size, scale=float(np.float32(2.0 ** self.random.uniform(-6, -3))))
        scale, zero = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(kind, (0.06, zero))
        result = T(shape=(1, size), scale=scale, zero_point=zero)
        if kind == "LEAKY_RELU":
            self.operator(kind, (given,), result, "LeakyReluOptions", alpha=0.1)
        else:
            self.operator(kind, (given,), result, "")

    def compare_two(self, kind: str) -> None:
        """SUB, MAXIMUM or MINIMUM, with a row that is broadcast."""
        shape, zero = (1, self.pick(1, 3, 7), self.pick(1, 4, 5)), self.pick(*ZEROS)
        pair = (self.given(*shape, zero_point=zero), self.given(1, 1, shape[2], zero_point=zero))
        result = T(shape=shape, scale=0.06 if kind == "SUB" else 0.05, zero_point=zero)
        fields = {"fusedActivationFunction": self.pick(0, 1, 3)} if kind == "SUB" else {}
        self.operator(kind, pair, result, "SubOptions" if kind == "SUB" else "MaximumMinimumOptions", **fields)

    def moved(self, kind: str) -> None:
        """The second half of the rows, turned, or twice the width."""
        h, w, channels = 2 * self.pick(1, 3), self.pick(1, 4, 5), self.pick(1, 4, 7)
        given = self.given(1, h, w, channels, zero_point=5)
        values, shape = {
            "TRANSPOSE": ([[0, 2, 1, 3]], (1, w, h, channels)),
            "SLICE": ([[0, h // 2, 0, 0], [1, h // 2, -1, -1]], (1, h // 2, w, channels)),
            "STRIDED_SLICE": ([[0, 1, 0, 0], [1, h, w, channels], [1, 2, 1, 1]], (1, h // 2, w, channels)),
            "RESIZE_NEAREST_NEIGHBOR": ([[2 * h, w]], (1, 2 * h, w, channels)),
            "RESIZE_BILINEAR": ([[h + 1, 2 * w]], (1, h + 1, 2 * w, channels)),
            "REVERSE_V2": ([[2, 1]], (1, h, w, channels)),
        }[kind]
        integers = (self.add(T(shape=(len(one),), array=np.array(one, np.int32), quantized=False)) for one in values)
        words = "".join(word.capitalize() for word in kind.split("_"))
        fields = {"halfPixelCenters": self.pick(0, 1)} if kind == "RESIZE_BILINEAR" else {}
        self.operator(kind, (given, *integers), T(shape=shape, scale=0.05, zero_point=5), f"{words}Options", **fields)

    def turned(self) -> None:
        """Every other column from the last to the first."""
        h, w, channels = self.pick(1, 3), 2 * self.pick(1, 3), self.pick(1, 4)
        bounds = (self.integers(0, 0, -1, 0), self.integers(1, h, -w - 1, channels), self.integers(1, 1, -2, 1))
        result = T(shape=(1, h, w // 2, channels), scale=0.05, zero_point=5)
        self.operator(
            "STRIDED_SLICE", (self.given(1, h, w, channels, zero_point=5), *bounds), result, "StridedSliceOptions"
        )

    def integers(self, *values: int) -> int:
        return self.add(T(shape=(len(values),), array=np.array(values, np.int32), quantized=False))

    def cut(self, kind: str) -> None:
        """SPLIT, SPLIT_V or UNPACK in two, along rows or channels."""
        axis, half, other = self.pick(1, 2), self.pick(1, 3, 4), self.pick(1, 4, 5)
        first, second = (1, 1) if kind == "UNPACK" else (half, half + (kind == "SPLIT_V"))
        shape = (1, first + second, other) if axis == 1 else (1, other, first + second)
        parts = [[size if place == axis else length for place, length in enumerate(shape)] for size in (first, second)]
        results = [T(shape=tuple(part), scale=0.05, zero_point=5) for part in parts]
        if kind == "UNPACK":
            given = self.given(*shape, zero_point=5)
            results = [replace(one, shape=(1, other)) for one in results]
            self.operator(kind, (given,), results, "UnpackOptions", num=2, axis=axis)
        elif kind == "SPLIT":
            read = (self.integers(axis), self.given(*shape, zero_point=5))
            self.operator(kind, read, results, "SplitOptions", numSplits=2)
        else:
            read = (self.given(*shape, zero_point=5), self.integers(first, second), self.integers(axis))
            self.operator(kind, read, results, "SplitVOptions", numSplits=2)

    def join(self, kind: str) -> None:
        """CONCATENATION or PACK of two, along rows or channels."""
        axis, shape = self.pick(0, 1), (self.pick(1, 3), self.pick(1, 4))
        pair = tuple(self.given(*shape, zero_point=5) for _ in range(2))
        if kind == "PACK":
            made = (*shape[:axis], 2, *shape[axis:])
            self.operator(kind, pair, T(shape=made, scale=0.05, zero_point=5), "PackOptions", valuesCount=2, axis=axis)
        else:
            made = tuple(2 * size if place == axis else size for place, size in enumerate(shape))
            self.operator(kind, pair, T(shape=made, scale=0.05, zero_point=5), "ConcatenationOptions", axis=axis)

    def lstm(self) -> None:
        """A fused LSTM: weights of four gates, no peepholes, projection or normalization; hidden state and cell."""
        steps, inputs, units, zero = self.pick(1, 3, 6), self.pick(1, 3), self.pick(1, 4, 5), self.pick(*ZEROS)
        given = self.given(1, steps, inputs)

        def table(columns: int) -> int:
            values = self.random.integers(-127, 128, (units, columns)).astype(np.int8)
            scale = float(np.float32(0.01 * 2.0 ** self.random.uniform(-1, 1)))
            return self.add(T(shape=(units, columns), array=values, scale=scale))

        weights = [*(table(inputs) for _ in range(4)), *(table(units) for _ in range(4))]
        biases = [
            self.add(T(shape=(units,), array=self.random.integers(-3000, 3001, units).astype(np.int32), scale=0.0005))
            for _ in range(4)
        ]
        hidden = self.add(T(shape=(1, units), scale=1 / 128, zero_point=zero, variable=True))
        power = self.pick(-15, -13, -12, -11, -9)
        cell = self.add(T(shape=(1, units), scale=2.0**power, dtype="int16", variable=True))
        none = (-1,)
        self.operator(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            (given, *weights, *none * 3, *biases, *none * 2, hidden, cell, *none * 4),
            T(shape=(1, steps, units), scale=1 / 128, zero_point=zero),
            "UnidirectionalSequenceLSTMOptions",
            fusedActivationFunction=4, cellClip=float(self.pick(0, 10)), projClip=0.0, timeMajor=False,
        )  # fmt: skip


def many_operators(seed: int, each: int = 5) -> bytes:
    """A .tflite file with `each` operators of every kind that computes."""
    builder = _Builder(seed)
    for _ in range(each):
        builder.convolution("CONV_2D")
        builder.convolution("DEPTHWISE_CONV_2D")
        builder.fully_connected()
        builder.add_two()
        builder.pool("MAX_POOL_2D")
        builder.pool("AVERAGE_POOL_2D")
        builder.softmax()
        builder.pad()
        for kind in ("MEAN", "REDUCE_MAX", "REDUCE_MIN"):
            builder.reduction(kind)
        builder.transpose_convolution()
        builder.matrices()
        builder.slopes()
        builder.unit_vectors()
        for kind in ("ARG_MAX", "ARG_MIN"):
            builder.index(kind)
        builder.integer_cast()
        for kind in ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"):
            builder.blocks(kind)
        builder.multiply()
        for kind in ("RELU", "RELU6", "QUANTIZE"):
            builder.one_to_one(kind)
        for kind in ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU"):
            builder.tabulated(kind)
        for kind in ("SUB", "MAXIMUM", "MINIMUM"):
            builder.compare_two(kind)
        for kind in ("TRANSPOSE", "SLICE", "STRIDED_SLICE", "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"):
            builder.moved(kind)
        for kind in ("SPLIT", "SPLIT_V", "UNPACK"):
            builder.cut(kind)
        for kind in ("CONCATENATION", "PACK"):
            builder.join(kind)
    for _ in range(each):  # behind all others, whose draws do not change by it
        builder.lstm()
    for _ in range(each):
        builder.reduction("SUM")
        for kind in ("ABS", "ELU"):
            builder.tabulated(kind)
        builder.moved("REVERSE_V2")
        builder.turned()
    builder.dilated()
    for _ in range(each):
        builder.grouped()
    for _ in range(each):
        for kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "grouped"):
            builder.padded(kind)
    for _ in range(each):
        builder.attention()
    return write_tflite(builder.tensors, builder.operators, builder.inputs, builder.outputs)


def broad_operators(seed: int) -> bytes:
    """A .tflite file of operators on as many channels as a vector register has lanes, on fewer and on more."""
    builder = _Builder(seed)
    for channels in (15, 16, 17, 33, 64, 70):
        for _ in range(3):
            for kind in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
                builder.pool(kind, builder.given(1, builder.pick(1, 3, 5), builder.pick(2, 5, 9), channels))
            for kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                builder.convolution(kind, builder.given(1, builder.pick(1, 3), builder.pick(5, 8, 11), channels))
            for kind in ("MEAN", "SUM"):
                builder.reduction(kind, channels)
    return write_tflite(builder.tensors, builder.operators, builder.inputs, builder.outputs)


def fused_lstm(seed: int) -> bytes:
    """A .tflite file of one drawn LSTM."""
    builder = _Builder(seed)
    builder.lstm()
    return write_tflite(builder.tensors, builder.operators, builder.inputs, builder.outputs)


def padded_blocks() -> bytes:
    """A SPACE_TO_BATCH_ND that pads on all sides, with bytes that TensorFlow Lite Micro leaves undefined."""
    tensors = [
        T(shape=(1, 3, 4, 2), zero_point=7),
        T(shape=(2,), array=np.array([2, 3], np.int32), quantized=False),
        T(shape=(2, 2), array=np.array([[2, 1], [1, 1]], np.int32), quantized=False),
        T(shape=(6, 3, 2, 2), zero_point=7),
    ]
    op = Op(kind="SPACE_TO_BATCH_ND", inputs=(0, 1, 2), outputs=(3,), options="SpaceToBatchNDOptions")
    return write_tflite(tensors, [op], [0], [3])


def chain(seed: int, length: int = 7) -> bytes:
    """A .tflite file whose operators follow each other: what a plan overlaps is overwritten while it is read."""
    builder = _Builder(seed)
    at = builder.given(1, builder.pick(1, 6, 9), builder.pick(8, 20), builder.pick(1, 4, 8))
    for _ in range(length):
        kind = ("CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "grouped")[builder.pick(0, 1, 2, 3, 4)]
        if kind == "MAX_POOL_2D":
            at = builder.pool(kind, at)
        elif builder.pick(0, 1, 2) == 0:
            at = builder.padded(kind, at)
        else:
            at = builder.grouped(at) if kind == "grouped" else builder.convolution(kind, at)
    return write_tflite(builder.tensors, builder.operators, builder.inputs, [at])

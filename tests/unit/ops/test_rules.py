"""Each operator's rules: a case that is accepted, and for each rule a case that is refused by that rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from single_operator import Op, T, write_tflite
from sixteen_bit import takes_int16

Case = tuple[list[T], Op]


def int32(values: list[int], *shape: int) -> T:
    return T(shape=shape or (len(values),), array=np.array(values, np.int32).reshape(shape or -1), quantized=False)


def ones(*shape: int, scale: float | tuple[float, ...] = 0.5, axis: int = 0, zero_point: int = 0) -> T:
    return T(shape=shape, array=np.ones(shape, np.int8), scale=scale, axis=axis, zero_point=zero_point)


def act(*shape: int, scale: float = 0.5, zero_point: int = 3) -> T:
    return T(shape=shape, scale=scale, zero_point=zero_point)


BIAS = T(shape=(2,), array=np.array([1, 2], np.int32), scale=0.25)
CONV = {"padding": 1, "strideH": 1, "strideW": 1}
POOL = {**CONV, "filterHeight": 1, "filterWidth": 2}
PROBABILITY = act(1, 4, scale=1 / 256, zero_point=-128)

ACCEPTED: dict[str, Case] = {
    "CONV_2D": (
        [act(1, 1, 5, 3), ones(2, 1, 3, 3, scale=(0.5, 0.25)), act(1, 1, 3, 2), BIAS],
        Op(kind="CONV_2D", inputs=(0, 1, 3), outputs=(2,), options="Conv2DOptions", fields=CONV),
    ),
    "DEPTHWISE_CONV_2D": (
        [act(1, 1, 5, 2), ones(1, 1, 3, 2, scale=(0.5, 0.25), axis=3), act(1, 1, 3, 2), BIAS],
        Op(
            kind="DEPTHWISE_CONV_2D",
            inputs=(0, 1, 3),
            outputs=(2,),
            options="DepthwiseConv2DOptions",
            fields={**CONV, "depthMultiplier": 1},
        ),
    ),
    "FULLY_CONNECTED": (
        [act(1, 3), ones(2, 3), act(1, 2), BIAS],
        Op(kind="FULLY_CONNECTED", inputs=(0, 1, 3), outputs=(2,), options="FullyConnectedOptions"),
    ),
    "ADD": ([act(1, 4), act(1, 4), act(1, 4)], Op(kind="ADD", inputs=(0, 1), outputs=(2,), options="AddOptions")),
    "MUL": ([act(1, 4), act(1, 4), act(1, 4)], Op(kind="MUL", inputs=(0, 1), outputs=(2,), options="MulOptions")),
    "MEAN": (
        [act(1, 6, 4), int32([1]), act(1, 4)],
        Op(kind="MEAN", inputs=(0, 1), outputs=(2,), options="ReducerOptions"),
    ),
    "MAX_POOL_2D": (
        [act(1, 1, 4, 2), act(1, 1, 3, 2)],
        Op(kind="MAX_POOL_2D", inputs=(0,), outputs=(1,), options="Pool2DOptions", fields=POOL),
    ),
    "AVERAGE_POOL_2D": (
        [act(1, 1, 4, 2), act(1, 1, 3, 2)],
        Op(kind="AVERAGE_POOL_2D", inputs=(0,), outputs=(1,), options="Pool2DOptions", fields=POOL),
    ),
    "SOFTMAX": (
        [act(1, 4), PROBABILITY],
        Op(kind="SOFTMAX", inputs=(0,), outputs=(1,), options="SoftmaxOptions", fields={"beta": 1.0}),
    ),
    "PAD": (
        [act(1, 4), int32([0, 0, 1, 2], 2, 2), act(1, 7)],
        Op(kind="PAD", inputs=(0, 1), outputs=(2,), options="PadOptions"),
    ),
    "PADV2": (
        [act(1, 4), int32([0, 0, 1, 2], 2, 2), act(1, 7), ones(1, zero_point=3)],
        Op(kind="PADV2", inputs=(0, 1, 3), outputs=(2,), options="PadV2Options"),
    ),
    "RELU": ([act(1, 4), act(1, 4, scale=0.25)], Op(kind="RELU", inputs=(0,), outputs=(1,))),
    "RELU6": ([act(1, 4), act(1, 4)], Op(kind="RELU6", inputs=(0,), outputs=(1,))),
    "SUB": ([act(1, 4), act(1, 4), act(1, 4)], Op(kind="SUB", inputs=(0, 1), outputs=(2,), options="SubOptions")),
    "MAXIMUM": ([act(1, 4), act(1, 4), act(1, 4)], Op(kind="MAXIMUM", inputs=(0, 1), outputs=(2,))),
    "MINIMUM": ([act(1, 4), act(1, 4), act(1, 4)], Op(kind="MINIMUM", inputs=(0, 1), outputs=(2,))),
    "TRANSPOSE": (
        [act(1, 3, 4), int32([0, 2, 1]), act(1, 4, 3)],
        Op(kind="TRANSPOSE", inputs=(0, 1), outputs=(2,), options="TransposeOptions"),
    ),
    "SLICE": (
        [act(1, 6), int32([0, 2]), int32([1, -1]), act(1, 4)],
        Op(kind="SLICE", inputs=(0, 1, 2), outputs=(3,), options="SliceOptions"),
    ),
    "STRIDED_SLICE": (
        [act(1, 6), int32([0, 1]), int32([1, 6]), int32([1, 2]), act(1, 3)],
        Op(kind="STRIDED_SLICE", inputs=(0, 1, 2, 3), outputs=(4,), options="StridedSliceOptions"),
    ),
    "RESIZE_NEAREST_NEIGHBOR": (
        [act(1, 1, 4, 2), int32([1, 8]), act(1, 1, 8, 2)],
        Op(
            kind="RESIZE_NEAREST_NEIGHBOR", inputs=(0, 1), outputs=(2,), options="ResizeNearestNeighborOptions",
            fields={"halfPixelCenters": True},
        ),
    ),
    "SPLIT": (
        [int32([-1]), act(1, 6), act(1, 3), act(1, 3)],
        Op(kind="SPLIT", inputs=(0, 1), outputs=(2, 3), options="SplitOptions", fields={"numSplits": 2}),
    ),
    "SPLIT_V": (
        [act(1, 6), int32([2, -1]), int32([1]), act(1, 2), act(1, 4)],
        Op(kind="SPLIT_V", inputs=(0, 1, 2), outputs=(3, 4), options="SplitVOptions", fields={"numSplits": 2}),
    ),
    "UNPACK": (
        [act(2, 3), act(3), act(3)],
        Op(kind="UNPACK", inputs=(0,), outputs=(1, 2), options="UnpackOptions", fields={"num": 2, "axis": 0}),
    ),
    "PACK": (
        [act(3), act(3), act(3, 2)],
        Op(kind="PACK", inputs=(0, 1), outputs=(2,), options="PackOptions", fields={"valuesCount": 2, "axis": -1}),
    ),
    "SUM": (
        [act(1, 6, 4), int32([1]), act(1, 4)],
        Op(kind="SUM", inputs=(0, 1), outputs=(2,), options="ReducerOptions"),
    ),
    "ABS": ([act(1, 4), act(1, 4)], Op(kind="ABS", inputs=(0,), outputs=(1,))),
    "ELU": ([act(1, 4), act(1, 4)], Op(kind="ELU", inputs=(0,), outputs=(1,))),
    "REVERSE_V2": (
        [act(1, 6), int32([-1]), act(1, 6)],
        Op(kind="REVERSE_V2", inputs=(0, 1), outputs=(2,), options="ReverseV2Options"),
    ),
    "REDUCE_MAX": (
        [act(1, 6, 4), int32([1]), act(1, 4)],
        Op(kind="REDUCE_MAX", inputs=(0, 1), outputs=(2,), options="ReducerOptions"),
    ),
    "REDUCE_MIN": (
        [act(1, 6, 4), int32([1]), act(1, 4)],
        Op(kind="REDUCE_MIN", inputs=(0, 1), outputs=(2,), options="ReducerOptions"),
    ),
    "PRELU": ([act(1, 5, 4), ones(4), act(1, 5, 4)], Op(kind="PRELU", inputs=(0, 1), outputs=(2,))),
    "RESIZE_BILINEAR": (
        [act(1, 1, 4, 2), int32([1, 7]), act(1, 1, 7, 2)],
        Op(
            kind="RESIZE_BILINEAR", inputs=(0, 1), outputs=(2,), options="ResizeBilinearOptions",
            fields={"halfPixelCenters": True},
        ),
    ),
    "TRANSPOSE_CONV": (
        [int32([1, 1, 8, 2]), ones(2, 1, 3, 3, scale=(0.5, 0.25)), act(1, 1, 4, 3), act(1, 1, 8, 2), BIAS],
        Op(
            kind="TRANSPOSE_CONV", inputs=(0, 1, 2, 4), outputs=(3,), options="TransposeConvOptions",
            fields={"padding": 0, "strideH": 1, "strideW": 2},
        ),
    ),
    "BATCH_MATMUL": (
        [act(2, 3, 5), act(1, 5, 4), act(2, 3, 4)],
        Op(kind="BATCH_MATMUL", inputs=(0, 1), outputs=(2,), options="BatchMatMulOptions"),
    ),
    "SPACE_TO_BATCH_ND": (
        [act(1, 5, 2), int32([3]), int32([0, 1], 1, 2), act(3, 2, 2)],
        Op(kind="SPACE_TO_BATCH_ND", inputs=(0, 1, 2), outputs=(3,), options="SpaceToBatchNDOptions"),
    ),
    "BATCH_TO_SPACE_ND": (
        [act(3, 2, 2), int32([3]), int32([0, 1], 1, 2), act(1, 5, 2)],
        Op(kind="BATCH_TO_SPACE_ND", inputs=(0, 1, 2), outputs=(3,), options="BatchToSpaceNDOptions"),
    ),
    "L2_NORMALIZATION": (
        [act(1, 4), act(1, 4, scale=1 / 128, zero_point=0)],
        Op(kind="L2_NORMALIZATION", inputs=(0,), outputs=(1,), options="L2NormOptions"),
    ),
    "ARG_MAX": (
        [act(1, 3, 4), int32([-1]), T(shape=(1, 3), dtype="int32", quantized=False)],
        Op(kind="ARG_MAX", inputs=(0, 1), outputs=(2,), options="ArgMaxOptions"),
    ),
    "ARG_MIN": (
        [act(1, 3, 4), int32([-1]), T(shape=(1, 3), dtype="int32", quantized=False)],
        Op(kind="ARG_MIN", inputs=(0, 1), outputs=(2,), options="ArgMinOptions"),
    ),
    "CAST": (
        [act(1, 4), T(shape=(1, 4), dtype="int32", quantized=False)],
        Op(kind="CAST", inputs=(0,), outputs=(1,), options="CastOptions"),
    ),
    "LOGISTIC": ([act(1, 4), PROBABILITY], Op(kind="LOGISTIC", inputs=(0,), outputs=(1,))),
    "TANH": ([act(1, 4), act(1, 4, scale=1 / 128, zero_point=0)], Op(kind="TANH", inputs=(0,), outputs=(1,))),
    "HARD_SWISH": ([act(1, 4), act(1, 4)], Op(kind="HARD_SWISH", inputs=(0,), outputs=(1,))),
    "LEAKY_RELU": (
        [act(1, 4), act(1, 4)],
        Op(kind="LEAKY_RELU", inputs=(0,), outputs=(1,), options="LeakyReluOptions", fields={"alpha": 0.1}),
    ),
    "QUANTIZE": (
        [act(1, 4), act(1, 4, scale=0.25)],
        Op(kind="QUANTIZE", inputs=(0,), outputs=(1,), options="QuantizeOptions"),
    ),
    "CONCATENATION": (
        [act(1, 2), act(1, 3), act(1, 5)],
        Op(
            kind="CONCATENATION", inputs=(0, 1), outputs=(2,), options="ConcatenationOptions", fields={"axis": -1}
        ),
    ),
    "RESHAPE": (
        [act(1, 4), int32([2, 2]), act(2, 2)],
        Op(kind="RESHAPE", inputs=(0, 1), outputs=(2,), options="ReshapeOptions"),
    ),
    "EXPAND_DIMS": (
        [act(1, 4), int32([1]), act(1, 1, 4)],
        Op(kind="EXPAND_DIMS", inputs=(0, 1), outputs=(2,), options="ExpandDimsOptions"),
    ),
    "SQUEEZE": ([act(1, 1, 4), act(1, 4)], Op(kind="SQUEEZE", inputs=(0,), outputs=(1,), options="SqueezeOptions")),
}  # fmt: skip


def model_of(case: Case) -> Model:
    tensors, op = case
    inputs = [i for i in op.inputs if i >= 0 and tensors[i].array is None and not tensors[i].variable]
    if not inputs:  # a graph needs an input, even one that nothing reads
        tensors, inputs = [*tensors, act(1, 1)], [len(tensors)]
    return parse_tflite(write_tflite(tensors, [op], inputs, list(op.outputs)), "case")


def swapped(kind: str, index: int, tensor: T) -> Case:
    tensors, op = ACCEPTED[kind]
    return [tensor if i == index else t for i, t in enumerate(tensors)], op


def with_fields(kind: str, **fields: object) -> Case:
    tensors, op = ACCEPTED[kind]
    return tensors, replace(op, fields={**op.fields, **fields})


TINY = act(1, 1, 3, 2, scale=2.0**-40)
LSTM = (
    [
        act(1, 2, 3), *[ones(4, 3)] * 4, *[ones(4, 4)] * 4,
        *[T(shape=(4,), array=np.ones(4, np.int32), scale=0.25)] * 4,
        T(shape=(1, 4), scale=0.5, zero_point=3, variable=True),
        T(shape=(1, 4), scale=2.0**-11, dtype="int16", variable=True), act(1, 2, 4),
    ],
    Op(
        kind="UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs=(*range(9), -1, -1, -1, *range(9, 13), -1, -1, 13, 14, -1, -1, -1, -1),
        outputs=(15,),
        options="UnidirectionalSequenceLSTMOptions",
        fields={"fusedActivationFunction": 4, "cellClip": 10.0},
    ),
)  # fmt: skip
ACCEPTED["UNIDIRECTIONAL_SEQUENCE_LSTM"] = LSTM
PEEPHOLES = (LSTM[0], replace(LSTM[1], inputs=(*range(9), 9, 9, 9, *LSTM[1].inputs[12:])))
HUGE_BIAS = T(shape=(2,), array=np.array([2**31 - 1, 0], np.int32), scale=0.25)

REFUSED: list[tuple[str, str, Case]] = [
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "no peepholes", PEEPHOLES),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "both states", swapped("UNIDIRECTIONAL_SEQUENCE_LSTM", 15, act(1, 2, 4, scale=1))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "all tables have", swapped("UNIDIRECTIONAL_SEQUENCE_LSTM", 1, ones(4, 2))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "biases constant int32", swapped("UNIDIRECTIONAL_SEQUENCE_LSTM", 9, ones(4))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "activation is TANH", with_fields("UNIDIRECTIONAL_SEQUENCE_LSTM", timeMajor=True)),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "power of two",
     swapped("UNIDIRECTIONAL_SEQUENCE_LSTM", 14, T(shape=(1, 4), scale=0.003, dtype="int16", variable=True))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "can overflow", swapped("UNIDIRECTIONAL_SEQUENCE_LSTM", 9,
     T(shape=(4,), array=np.full(4, 2**31 - 1, np.int32), scale=0.25))),
    ("CONV_2D", "weights are constant int8, symmetric", swapped("CONV_2D", 1, ones(2, 1, 3, 3, zero_point=1))),
    ("CONV_2D", "weights are constant int8", swapped("CONV_2D", 1, ones(2, 1, 3, 3, scale=(0.5, 0.25, 0.1), axis=3))),
    ("CONV_2D", "weights are constant int8", swapped("CONV_2D", 1, act(2, 1, 3, 3, zero_point=0))),
    ("CONV_2D", "shapes agree, and groups", swapped("CONV_2D", 0, act(1, 1, 5, 4))),
    ("CONV_2D", "shapes agree, and groups share the channels evenly", swapped("CONV_2D", 0, act(1, 1, 5, 9))),
    ("CONV_2D", "shapes agree, and groups", swapped("CONV_2D", 2, act(1, 1, 4, 2))),
    ("CONV_2D", "batch size is 1", swapped("CONV_2D", 0, act(2, 1, 5, 3))),
    ("CONV_2D", "batch size is 1", (
        [act(2, 3, 5, 3), ones(2, 2, 3, 3), act(2, 2, 3, 2)],
        replace(ACCEPTED["CONV_2D"][1], inputs=(0, 1), outputs=(2,)))),
    ("CONV_2D", "input 0 has 4 dimensions", swapped("CONV_2D", 0, act(1, 5, 3))),
    ("CONV_2D", "fused activation", with_fields("CONV_2D", fusedActivationFunction=4)),
    ("CONV_2D", "strides, dilations", with_fields("CONV_2D", strideW=0)),
    ("CONV_2D", "no accumulator (32 bits of int8, 48 bits", swapped("CONV_2D", 3, HUGE_BIAS)),
    ("CONV_2D", "no accumulator (32 bits of int8, 48 bits", swapped("CONV_2D", 2, TINY)),
    ("CONV_2D", "bias is absent or constant, one value per output", swapped("CONV_2D", 3, ones(2))),
    ("DEPTHWISE_CONV_2D", "depth multiplier agree", with_fields("DEPTHWISE_CONV_2D", depthMultiplier=2)),
    ("DEPTHWISE_CONV_2D", "weights are constant", swapped("DEPTHWISE_CONV_2D", 1, act(1, 1, 3, 2))),
    ("FULLY_CONNECTED", "shapes agree", swapped("FULLY_CONNECTED", 0, act(1, 4))),
    ("FULLY_CONNECTED", "weights format is DEFAULT", with_fields("FULLY_CONNECTED", weightsFormat=1)),
    ("FULLY_CONNECTED", "bias scale", swapped("FULLY_CONNECTED", 3, replace(BIAS, scale=0.5))),
    ("ADD", "broadcast to the output", swapped("ADD", 1, act(1, 3))),
    ("ADD", "output scale is more than", swapped("ADD", 2, act(1, 4, scale=2.0**-24))),
    ("ADD", "both inputs and the output are all int8", swapped("ADD", 1, T(shape=(1, 4), dtype="int16"))),
    ("ADD", "fused activation", with_fields("ADD", fusedActivationFunction=5)),
    ("MUL", "at least one input is not a constant", ([ones(1, 4), ones(1, 4), act(1, 4)], ACCEPTED["MUL"][1])),
    ("MUL", "product of the input scales", swapped("MUL", 2, act(1, 4, scale=2.0**-30))),
    ("MEAN", "constant and neighbours", (
        [act(1, 6, 2, 4), int32([1, 3]), act(1, 2)], ACCEPTED["MEAN"][1])),
    ("MEAN", "constant and neighbours", swapped("MEAN", 1, int32([5]))),
    ("MEAN", "shapes agree", swapped("MEAN", 2, act(1, 5))),
    ("MEAN", "no 32-bit accumulator can overflow", swapped("MEAN", 2, act(1, 4, scale=2.0**-35))),
    ("MAX_POOL_2D", "same scale (within 1e-6)", swapped("MAX_POOL_2D", 1, act(1, 1, 3, 2, scale=0.6))),
    ("AVERAGE_POOL_2D", "shapes agree", swapped("AVERAGE_POOL_2D", 1, act(1, 1, 2, 2))),
    ("AVERAGE_POOL_2D", "strides, dilations and window", with_fields("AVERAGE_POOL_2D", filterWidth=0)),
    ("SOFTMAX", "scale 1/256 and zero point -128", swapped("SOFTMAX", 1, act(1, 4))),
    ("SOFTMAX", "1 to 511 classes", ([act(1, 512), replace(PROBABILITY, shape=(1, 512))], ACCEPTED["SOFTMAX"][1])),
    ("SOFTMAX", "more than 2^-26", with_fields("SOFTMAX", beta=-1.0)),
    ("PAD", "paddings are constant", swapped("PAD", 1, int32([0, 0, -1, 4], 2, 2))),
    ("PAD", "paddings are constant", swapped("PAD", 2, act(1, 8))),
    ("PAD", "same scale and zero point", swapped("PAD", 2, act(1, 7, scale=0.6))),
    ("PADV2", "padding value is one constant of the output's type", swapped("PADV2", 3, ones(1, zero_point=4))),
    ("PADV2", "padding value is one constant of the output's type", swapped("PADV2", 3, ones(2, zero_point=3))),
    ("RELU", "same number of values", swapped("RELU", 1, act(1, 5))),
    ("RELU", "less than 2^23", swapped("RELU", 1, act(1, 4, scale=2.0**-30))),
    ("RELU6", "same scale and zero point", swapped("RELU6", 1, act(1, 4, zero_point=4))),
    ("SUB", "output scale is more than", swapped("SUB", 2, act(1, 4, scale=2.0**-24))),
    ("SUB", "output scale is more than", swapped("SUB", 0, act(1, 4, scale=3e38))),
    ("MAXIMUM", "same scale and zero point", swapped("MAXIMUM", 1, act(1, 4, zero_point=4))),
    ("MINIMUM", "broadcast to the output", swapped("MINIMUM", 1, act(1, 3))),
    ("TRANSPOSE", "order of the dimensions", swapped("TRANSPOSE", 1, int32([0, 1, 1]))),
    ("TRANSPOSE", "order of the dimensions", swapped("TRANSPOSE", 1, int32([-3, 2, 1]))),
    ("TRANSPOSE", "order of the dimensions", swapped("TRANSPOSE", 2, act(1, 3, 4))),
    ("SLICE", "lie in the input", swapped("SLICE", 1, int32([0, 3]))),
    ("SLICE", "lie in the input", swapped("SLICE", 1, int32([-1, 2]))),
    ("SLICE", "lie in the input", swapped("SLICE", 2, int32([1, 2**31 - 1]))),
    ("STRIDED_SLICE", "strides not 0", swapped("STRIDED_SLICE", 3, int32([1, -2]))),
    ("STRIDED_SLICE", "strides not 0", swapped("STRIDED_SLICE", 3, int32([1, 0]))),
    ("STRIDED_SLICE", "strides not 0", swapped("STRIDED_SLICE", 1, int32([0, 6]))),
    ("REVERSE_V2", "dimensions are constant, each once", swapped("REVERSE_V2", 1, int32([1, -1]))),
    ("REVERSE_V2", "each once, and neighbours", (
        [act(1, 6, 2), int32([0, 2]), act(1, 6, 2)], ACCEPTED["REVERSE_V2"][1])),
    ("STRIDED_SLICE", "of a dropped dimension positive", (
        [act(1, 6), int32([0, 1]), int32([1, 6]), int32([-1, 2]), act(3)],
        replace(ACCEPTED["STRIDED_SLICE"][1], fields={"shrinkAxisMask": 1}))),
    ("REVERSE_V2", "dimensions are constant, each once", swapped("REVERSE_V2", 1, int32([2]))),
    ("REVERSE_V2", "input and output have one shape", swapped("REVERSE_V2", 2, act(1, 5))),
    ("ABS", "less than 2^23 output scales", swapped("ABS", 1, act(1, 4, scale=2.0**-30))),
    ("ELU", "same number of values", swapped("ELU", 1, act(1, 5))),
    ("ELU", "activations are int8", ([T(shape=(1, 4), dtype="int16")] * 2, ACCEPTED["ELU"][1])),
    ("SUM", "constant and neighbours", swapped("SUM", 1, int32([5]))),
    ("SUM", "no 32-bit accumulator can overflow", swapped("SUM", 2, act(1, 4, scale=2.0**-35))),
    ("STRIDED_SLICE", "without new axes", with_fields("STRIDED_SLICE", newAxisMask=1)),
    ("STRIDED_SLICE", "give the output", with_fields("STRIDED_SLICE", shrinkAxisMask=1)),
    ("RESIZE_NEAREST_NEIGHBOR", "whole multiples", swapped("RESIZE_NEAREST_NEIGHBOR", 2, act(1, 1, 7, 2))),
    ("RESIZE_NEAREST_NEIGHBOR", "whole multiples", swapped("RESIZE_NEAREST_NEIGHBOR", 1, int32([0, 8]))),
    ("RESIZE_NEAREST_NEIGHBOR", "repeated", with_fields("RESIZE_NEAREST_NEIGHBOR", alignCorners=True)),
    ("SPLIT", "equal parts", swapped("SPLIT", 0, int32([2]))),
    ("SPLIT", "equal parts", swapped("SPLIT", 3, act(1, 2))),
    ("SPLIT", "same scale and zero point", swapped("SPLIT", 3, act(1, 3, zero_point=4))),
    ("SPLIT", "activations are all int8", swapped("SPLIT", 3, T(shape=(1, 3), dtype="int16"))),
    ("SPLIT", "data input is not a constant", swapped("SPLIT", 1, ones(1, 6, zero_point=3))),
    ("SPLIT_V", "parts of these sizes", swapped("SPLIT_V", 1, int32([3, -1]))),
    ("SPLIT_V", "parts of these sizes", swapped("SPLIT_V", 1, int32([2, 3, 1]))),
    ("SPLIT_V", "parts of these sizes", swapped("SPLIT_V", 4, act(1, 3))),
    ("UNPACK", "one output for each slice", with_fields("UNPACK", axis=2)),
    ("UNPACK", "one output for each slice", with_fields("UNPACK", num=3)),
    ("UNPACK", "one output for each slice", swapped("UNPACK", 2, act(1, 3))),
    ("PACK", "without the axis", with_fields("PACK", axis=-3)),
    ("PACK", "without the axis", swapped("PACK", 1, act(1, 3))),
    ("PACK", "int8 with one scale", swapped("PACK", 1, T(shape=(3,), dtype="int16"))),
    ("PACK", "same scale and zero point", swapped("PACK", 1, act(3, zero_point=4))),
    ("REDUCE_MAX", "shapes agree", swapped("REDUCE_MAX", 2, act(1, 5))),
    ("REDUCE_MAX", "constant and neighbours", swapped("REDUCE_MAX", 1, int32([5]))),
    ("REDUCE_MAX", "same scale and zero point", swapped("REDUCE_MAX", 2, act(1, 4, scale=0.6))),
    ("REDUCE_MIN", "constant and neighbours", (
        [act(1, 6, 2, 4), int32([1, 3]), act(1, 2)], ACCEPTED["REDUCE_MIN"][1])),
    ("PRELU", "broadcast to the output", swapped("PRELU", 1, ones(3))),
    ("PRELU", "2^23 and 2^15 output scales", swapped("PRELU", 2, act(1, 5, 4, scale=2.0**-30))),
    ("PRELU", "2^23 and 2^15 output scales", swapped("PRELU", 1, ones(4, scale=3e38))),
    ("PRELU", "data input is not a constant", swapped("PRELU", 0, ones(1, 5, 4))),
    ("RESIZE_BILINEAR", "give the output's shape", swapped("RESIZE_BILINEAR", 1, int32([0, 7]))),
    ("RESIZE_BILINEAR", "give the output's shape", swapped("RESIZE_BILINEAR", 2, act(1, 1, 8, 2))),
    ("RESIZE_BILINEAR", "not both set", with_fields("RESIZE_BILINEAR", alignCorners=True)),
    ("RESIZE_BILINEAR", "beyond the input", (
        [act(1, 1, 599, 1), int32([1, 4099]), act(1, 1, 4099, 1)], ACCEPTED["RESIZE_BILINEAR"][1])),
    ("TRANSPOSE_CONV", "output shape is constant and agrees", swapped("TRANSPOSE_CONV", 0, int32([1, 1, 9, 2]))),
    ("TRANSPOSE_CONV", "output shape is constant and agrees", swapped("TRANSPOSE_CONV", 2, act(1, 1, 5, 3))),
    ("TRANSPOSE_CONV", "output shape is constant and agrees", swapped("TRANSPOSE_CONV", 2, act(1, 1, 4, 4))),
    ("TRANSPOSE_CONV", "strides, dilations", with_fields("TRANSPOSE_CONV", strideW=0)),
    ("TRANSPOSE_CONV", "bias is absent or constant, one value per output", swapped("TRANSPOSE_CONV", 4, ones(2))),
    ("TRANSPOSE_CONV", "no accumulator (32 bits of int8, 48 bits", swapped("TRANSPOSE_CONV", 4, HUGE_BIAS)),
    ("BATCH_MATMUL", "matrices fit each other", swapped("BATCH_MATMUL", 1, act(1, 4, 5))),
    ("BATCH_MATMUL", "matrices fit each other", swapped("BATCH_MATMUL", 1, act(3, 5, 4))),
    ("BATCH_MATMUL", "matrices fit each other", swapped("BATCH_MATMUL", 0, act(5))),
    ("BATCH_MATMUL", "matrices fit each other", with_fields("BATCH_MATMUL", adjX=True)),
    ("BATCH_MATMUL", "no accumulator (32 bits of int8, 48 bits", swapped("BATCH_MATMUL", 2, act(2, 3, 4, scale=1e-9))),
    ("BATCH_MATMUL", "no accumulator (32 bits of int8, 48 bits", swapped("BATCH_MATMUL", 1, act(1, 5, 4, scale=3e38))),
    ("SPACE_TO_BATCH_ND", "give the output's shape", swapped("SPACE_TO_BATCH_ND", 1, int32([0]))),
    ("SPACE_TO_BATCH_ND", "give the output's shape", swapped("SPACE_TO_BATCH_ND", 2, int32([0, -1], 1, 2))),
    ("SPACE_TO_BATCH_ND", "give the output's shape", swapped("SPACE_TO_BATCH_ND", 0, act(2, 5, 2))),
    ("SPACE_TO_BATCH_ND", "input 0 has 3 to 4", swapped("SPACE_TO_BATCH_ND", 0, act(5, 2))),
    ("BATCH_TO_SPACE_ND", "give the output's shape", swapped("BATCH_TO_SPACE_ND", 3, act(1, 6, 2))),
    ("BATCH_TO_SPACE_ND", "same scale and zero point", swapped("BATCH_TO_SPACE_ND", 3, act(1, 5, 2, scale=0.6))),
    ("L2_NORMALIZATION", "scale 1/128 and zero point 0", swapped("L2_NORMALIZATION", 1, act(1, 4))),
    ("L2_NORMALIZATION", "same number of values", swapped("L2_NORMALIZATION", 0, act(1, 5))),
    ("L2_NORMALIZATION", "no fused", with_fields("L2_NORMALIZATION", fusedActivationFunction=1)),
    ("L2_NORMALIZATION", "no 32-bit accumulator", (
        [act(1, 33026), act(1, 33026, scale=1 / 128, zero_point=0)], ACCEPTED["L2_NORMALIZATION"][1])),
    ("ARG_MAX", "output int32", swapped("ARG_MAX", 2, T(shape=(1, 3), dtype="int64", quantized=False))),
    ("ARG_MAX", "axis is one constant", swapped("ARG_MAX", 1, int32([3]))),
    ("ARG_MAX", "axis is one constant", swapped("ARG_MAX", 1, int32([1, 2]))),
    ("ARG_MIN", "axis is one constant", swapped("ARG_MIN", 2, T(shape=(1, 4), dtype="int32", quantized=False))),
    ("CAST", "int8, int16 or int32", swapped("CAST", 1, T(shape=(1, 4), dtype="int64", quantized=False))),
    ("CAST", "same number of values", swapped("CAST", 0, act(1, 5))),
    ("LOGISTIC", "scale 1/256 and zero point -128", swapped("LOGISTIC", 1, act(1, 4))),
    ("LOGISTIC", "at least 2^-28 and less than 16", swapped("LOGISTIC", 0, act(1, 4, scale=16.0))),
    ("LOGISTIC", "at least 2^-28 and less than 16", swapped("LOGISTIC", 0, act(1, 4, scale=2.0**-29))),
    ("TANH", "scale 1/128 and zero point 0", swapped("TANH", 1, PROBABILITY)),
    ("TANH", "data input is not a constant", swapped("TANH", 0, ones(1, 4))),
    ("HARD_SWISH", "at least 2^-8 and less than 128", swapped("HARD_SWISH", 1, act(1, 4, scale=0.001))),
    ("HARD_SWISH", "at least 2^-8 and less than 128", swapped("HARD_SWISH", 1, act(1, 4, scale=1e30))),
    ("LEAKY_RELU", "alpha is not negative", with_fields("LEAKY_RELU", alpha=-0.1)),
    ("LEAKY_RELU", "less than 2^23", swapped("LEAKY_RELU", 1, act(1, 4, scale=2.0**-30))),
    ("LEAKY_RELU", "less than 2^23", with_fields("LEAKY_RELU", alpha=3e38)),
    ("QUANTIZE", "less than 2^23", swapped("QUANTIZE", 1, act(1, 4, scale=2.0**-30))),
    ("CONCATENATION", "same scale and zero point", swapped("CONCATENATION", 1, act(1, 3, zero_point=4))),
    ("CONCATENATION", "but along the axis", with_fields("CONCATENATION", axis=0)),
    ("CONCATENATION", "no fused activation", with_fields("CONCATENATION", fusedActivationFunction=1)),
    ("RESHAPE", "same number of values", swapped("RESHAPE", 2, act(2, 3))),
    ("RESHAPE", "same scale and zero point", swapped("RESHAPE", 2, act(2, 2, zero_point=9))),
    ("EXPAND_DIMS", "activations are all int8", swapped("EXPAND_DIMS", 2, T(shape=(1, 1, 4), dtype="uint8"))),
    ("SQUEEZE", "data input is not a constant", swapped("SQUEEZE", 0, ones(1, 1, 4, zero_point=3))),
]  # fmt: skip


@pytest.mark.parametrize("kind", ACCEPTED)
def test_accepted(kind: str) -> None:
    model = model_of(ACCEPTED[kind])
    registry.check(model)
    found = registry.spec(kind)
    if found.emit is not None:
        calls = found.emit(model, model.operators[0])
        assert calls and all(call.function.startswith("lw_") for call in calls)


def test_every_operator_has_an_accepted_and_a_refused_case() -> None:
    assert set(ACCEPTED) == set(registry.operators()) == {kind for kind, _, _ in REFUSED}


@pytest.mark.parametrize(
    ("kind", "rule", "case"), REFUSED, ids=[f"{k}-{r[:24]}-{i}" for i, (k, r, _) in enumerate(REFUSED)]
)
def test_refused(kind: str, rule: str, case: Case) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        registry.check(model_of(case))
    assert rule in caught.value.message
    assert f"op 0 {kind} 't" in caught.value.message
    assert caught.value.hint


def test_check_names_every_offender_and_every_remedy() -> None:
    tensors = [
        T(shape=(1, 4), dtype="float32"),
        T(shape=(1, 4), dtype="float32"),
        act(1, 4),
        act(1, 4),
        act(1, 4, zero_point=9),
    ]
    operators = [
        Op(kind="RELU", inputs=(0,), outputs=(1,)),
        Op(kind="QUANTIZE", inputs=(1,), outputs=(2,), options="QuantizeOptions"),
        Op(kind="SIN", inputs=(2,), outputs=(3,)),
        Op(kind="RELU6", inputs=(3,), outputs=(4,)),
    ]
    names = ["in", "block1/relu", "quantized", "block2/sine", "block3/relu6"]
    model = parse_tflite(write_tflite(tensors, operators, [0], [4], names), "mixed")
    with pytest.raises(UnsupportedModelError) as caught:
        registry.check(model)
    message = caught.value.message
    for part in (
        "input 'in'",
        "'block1/relu'",
        "op 1 QUANTIZE",
        "op 2 SIN 'block2/sine'",
        "op 3 RELU6 'block3/relu6'",
    ):
        assert part in message
    for remedy in ("leadwire quantize", "replace it by one of ABS, ADD", "convert the model again"):
        assert remedy in caught.value.hint


def test_unknown_operator_has_no_specification() -> None:
    with pytest.raises(UnsupportedModelError, match="CUSTOM:x"):
        registry.spec("CUSTOM:x")


def test_macs() -> None:
    """Counted by hand: outputs x taps x input channels; depthwise without the channels; 0 elsewhere."""
    expected = {"CONV_2D": 6 * 3 * 3, "DEPTHWISE_CONV_2D": 6 * 3, "FULLY_CONNECTED": 2 * 3}
    expected |= {"UNIDIRECTIONAL_SEQUENCE_LSTM": 2 * 4 * 4 * (3 + 4)}
    expected |= {"TRANSPOSE_CONV": 4 * 3 * 3 * 2, "BATCH_MATMUL": 2 * 3 * 4 * 5}
    for kind, case in ACCEPTED.items():
        assert registry.macs(model_of(case)) == (expected.get(kind, 0),)


def test_operators_of_int16() -> None:
    """What 16x8 models are made of takes int16; the tests of kernels draw the int16 forms by these words."""
    assert {kind for kind in registry.operators() if takes_int16(kind)} >= {
        "ABS", "ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D",
        "EXPAND_DIMS", "FULLY_CONNECTED",
        "LEAKY_RELU", "LOGISTIC", "MAX_POOL_2D", "MAXIMUM", "MEAN", "MINIMUM", "MUL", "PACK", "PAD", "PADV2",
        "QUANTIZE", "RELU", "RELU6", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SOFTMAX", "SPLIT", "SPLIT_V",
        "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK",
    }  # fmt: skip

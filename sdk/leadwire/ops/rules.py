"""Rules that several operators share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor, TensorType

from .arithmetic import FUSED_ACTIVATIONS
from .spec import Rule

QUANTIZE_REMEDY = "quantize the model ('leadwire quantize'), inputs and outputs too"
INT8_REMEDY = (
    f"{QUANTIZE_REMEDY}; for int16x8 TensorFlow Lite Micro has no kernel of it: use --mode int8, or leave the layer out"
)


def is_int8(tensor: Tensor | None) -> bool:
    """An int8 tensor with one valid scale and zero point."""
    if tensor is None or tensor.dtype is not TensorType.INT8 or tensor.quantization is None:
        return False
    scales, zeros = tensor.quantization.scales, tensor.quantization.zero_points
    if len(scales) != 1 or len(zeros) != 1:
        return False
    return math.isfinite(scales[0]) and scales[0] > 0 and -128 <= zeros[0] <= 127


def is_int16(tensor: Tensor | None) -> bool:
    """An int16 tensor with one valid scale and zero point 0, as TFLite's 16x8 scheme has them."""
    if tensor is None or tensor.dtype is not TensorType.INT16 or tensor.quantization is None:
        return False
    scales, zeros = tensor.quantization.scales, tensor.quantization.zero_points
    return len(scales) == 1 and zeros == (0,) and math.isfinite(scales[0]) and scales[0] > 0


def is_quantized(tensor: Tensor | None) -> bool:
    """`is_int8` or `is_int16`."""
    return is_int8(tensor) or is_int16(tensor)


def is_index(tensor: Tensor | None) -> bool:
    """An int32 tensor without a scale: what ARG_MAX gives."""
    return tensor is not None and tensor.dtype is TensorType.INT32 and tensor.quantization is None


def alike(model: Model, op: Operator, positions: Iterable[int]) -> bool:
    """The inputs at `positions` and the outputs are all int8, or all int16, with a valid quantization."""
    tensors = [*(model.input(op, position) for position in positions), *model.made(op)]
    return all(map(is_int8, tensors)) or all(map(is_int16, tensors))


ALIKE = "all int8 with one scale and zero point per tensor, or all int16 with one scale and zero point 0"


def inputs(count: int, optional: int = 0, *, several_outputs: bool = False) -> Rule:
    """`count` inputs, up to `optional` more, one output or, with `several_outputs`, any number from one on."""
    text = f"{count} inputs" if count != 1 else "1 input"
    made = "1 output or more" if several_outputs else "1 output"
    return Rule(
        text=f"{text}{f' and up to {optional} more' if optional else ''}, {made}",
        holds=lambda model, op: (
            count <= len(op.inputs) <= count + optional
            and all(index >= 0 for index in op.inputs[:count])
            and (len(op.outputs) == 1 or (several_outputs and len(op.outputs) > 1))
        ),
        remedy="export the model again with a current converter",
    )


def int8_activations(*positions: int) -> Rule:
    """The inputs at `positions` and all outputs are int8 with one scale and zero point, as this operator has no kernel
    of int16 in TensorFlow Lite Micro."""
    return Rule(
        text="activations are int8 with one scale and zero point per tensor",
        holds=lambda model, op: (
            all(is_int8(model.input(op, position)) for position in positions) and all(map(is_int8, model.made(op)))
        ),
        remedy=INT8_REMEDY,
    )


def activations(*positions: int) -> Rule:
    """The inputs at `positions` and the outputs are int8 or int16, all the same."""
    return Rule(
        text=f"activations are {ALIKE}",
        holds=lambda model, op: alike(model, op, positions),
        remedy=QUANTIZE_REMEDY,
    )


def same_quantization(positions: Callable[[Operator], range], text: str = "input and output") -> Rule:
    def holds(model: Model, op: Operator) -> bool:
        tensors = (*(model.required(op, position) for position in positions(op)), *model.made(op))
        return len({tensor.quantization for tensor in tensors}) == 1

    return Rule(
        text=f"{text} have the same scale and zero point",
        holds=holds,
        remedy="convert the model again: the TensorFlow converter makes them equal",
    )


def computed(*positions: int) -> Rule:
    """The inputs at `positions` are computed, not constants."""
    return Rule(
        text="the data input is not a constant",
        holds=lambda model, op: not any(model.required(op, position).is_constant for position in positions),
        remedy="fold the constant before converting",
    )


FUSED_ACTIVATION = Rule(
    text=f"the fused activation is one of {', '.join(FUSED_ACTIVATIONS)}",
    holds=lambda model, op: op.option("fused_activation_function", "NONE") in FUSED_ACTIVATIONS,
    remedy="use ReLU or ReLU6, or a separate activation layer",
)


def rank(position: int, low: int, high: int) -> Rule:
    """Number of dimensions of an input."""
    span = str(low) if low == high else f"{low} to {high}"
    return Rule(
        text=f"input {position} has {span} dimensions",
        holds=lambda model, op: low <= len(model.required(op, position).shape) <= high,
        remedy="reshape to fewer dimensions, without the batch where possible",
    )


def batch_one(*positions: int) -> Rule:
    return Rule(
        text="the batch size is 1",
        holds=lambda model, op: (
            all(model.required(op, position).shape[:1] in ((), (1,)) for position in positions)
            and model.output(op).shape[:1] in ((), (1,))
        ),
        remedy="fix the batch size to 1 before converting: keras.Input(shape, batch_size=1)",
    )


BATCHES_ARE_ROWS = Rule(
    text="the batch size is 1, or the window has one row and takes every row",
    holds=lambda model, op: (
        model.required(op, 0).shape[:1] == model.output(op).shape[:1]
        and (
            model.required(op, 0).shape[:1] == (1,)
            or (model.required(op, 1).shape[1:2] == (1,) and op.option("stride_h", 1) == 1)
        )
    ),
    remedy="fix the batch size to 1 before converting: keras.Input(shape, batch_size=1)",
)

SAME_SIZE = Rule(
    text="input and output hold the same number of values",
    holds=lambda model, op: model.required(op, 0).elements == model.output(op).elements,
    remedy="export the model again",
)

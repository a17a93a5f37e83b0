"""One operator alone, on the inputs that two runtimes gave it, by each rule that runtimes are known to rescale with.

Where runtimes first differ their operators had the same inputs. The sums of FULLY_CONNECTED, CONV_2D and
DEPTHWISE_CONV_2D are whole numbers that all agree on; what differs is how a sum becomes a byte. So which rule gives
each side's bytes is measured here, and not taken from what is known of the runtimes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import TensorType
from leadwire.ops.arithmetic import activation_range, quantize_multiplier, zero_point_of
from leadwire.ops.convolution import Filters, filters_of
from leadwire.ops.geometry import Window, window_of

Int64s = npt.NDArray[np.int64]


def bytes_by_rule(model: Model, operator: Operator, data: npt.NDArray[np.int8]) -> Mapping[str, npt.NDArray[np.int8]]:
    """Name of each rule -> the operator's output [values] for the bytes `data` of its first input; empty for operators
    that this is not known of (other kinds, int16 tensors, weights that are no constants)."""
    weights = model.input(operator, 1)
    given = model.input(operator, 0)
    known = operator.kind in _SUMS and weights is not None and weights.is_constant and given is not None
    if not known or given is None or weights is None or given.dtype is not TensorType.INT8:
        return {}
    axis = 3 if operator.kind == "DEPTHWISE_CONV_2D" else 0
    filters = filters_of(model, operator, axis, broadcast=True)
    sums = _SUMS[operator.kind](model, operator, filters, data.astype(np.int64).reshape(given.shape)) + filters.bias
    output = model.output(operator)
    low, high = activation_range(str(operator.option("fused_activation_function", "NONE")), output)
    found = {}
    for formed, factors in _factors(model, operator, filters).items():
        scales = [quantize_multiplier(factor) for factor in factors]
        for rule, rescale in _RULES.items():
            columns = [rescale(sums[:, place], *scale) for place, scale in enumerate(scales)]
            raw = np.stack(columns, axis=1) + zero_point_of(output)
            found[f"{rule}{formed}"] = np.clip(raw, low, high).astype(np.int8).reshape(-1)
    return found


def _factors(model: Model, operator: Operator, filters: Filters) -> dict[str, tuple[float, ...]]:
    """The real factors, formed in double; and, where weights have one scale, with input scale x weight scale in
    float32, as TensorFlow Lite multiplies them."""
    given, weights, output = model.required(operator, 0), model.required(operator, 1), model.output(operator)
    assert given.quantization and weights.quantization and output.quantization
    found = {"": filters.factors}
    if not weights.quantization.per_channel:
        product = float(np.float32(given.quantization.scale) * np.float32(weights.quantization.scale))
        found[", factor formed in float32"] = (product / output.quantization.scale,) * len(filters.bias)
    return found


# ---------------------------------------------------------------------------------------------- rules


def _twice(sums: Int64s, m: int, shift: int) -> Int64s:
    """SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT."""
    left, right = max(shift, 0), max(-shift, 0)
    high = ((sums << left) * m + (1 << 30)) >> 31
    half = (1 << right) >> 1
    return np.asarray(np.where(high >= 0, (high + half) >> right, -((-high + half) >> right)), np.int64)


def _once(sums: Int64s, m: int, shift: int) -> Int64s:
    """Halves up in one step, of the whole product."""
    return np.asarray((sums * m + (1 << (30 - shift))) >> (31 - shift), np.int64)


def _to_even(sums: Int64s, m: int, shift: int) -> Int64s:
    """In floating point, halves to the even number."""
    real = np.rint(sums.astype(np.float32) * np.float32(math.ldexp(m, shift - 31)))
    return np.asarray(real, np.int64)


_RULES: dict[str, Callable[[Int64s, int, int], Int64s]] = {
    "two roundings": _twice,
    "one rounding": _once,
    "one rounding, in float32": _to_even,
}


# ---------------------------------------------------------------------------------------------- sums


def _dense(model: Model, operator: Operator, filters: Filters, data: Int64s) -> Int64s:
    rows = data.reshape(-1, filters.weights.shape[1]) - filters.input_zero_point
    return np.asarray(rows @ filters.weights.T)


def _convolution(model: Model, operator: Operator, filters: Filters, data: Int64s) -> Int64s:
    _, height, width, channels = model.required(operator, 1).shape
    patches = _patches(window_of(model, operator, height, width), data - filters.input_zero_point)
    groups = data.shape[3] // channels
    outputs = len(filters.bias) // groups
    parts = patches.reshape(*patches.shape[:2], groups, channels)
    sums = [
        parts[:, :, group].reshape(len(parts), -1) @ filters.weights[group * outputs : (group + 1) * outputs].T
        for group in range(groups)
    ]
    return np.concatenate(sums, axis=1)


def _depthwise(model: Model, operator: Operator, filters: Filters, data: Int64s) -> Int64s:
    _, height, width, outputs = model.required(operator, 1).shape
    patches = _patches(window_of(model, operator, height, width), data - filters.input_zero_point)
    own = np.arange(outputs) // (outputs // data.shape[3])
    return np.asarray(np.einsum("pto,ot->po", patches[:, :, own], filters.weights))


def _patches(window: Window, data: Int64s) -> npt.NDArray[Any]:
    """[output positions, taps, input channels] of data [batches, height, width, channels] less its zero point, which
    padding is 0 of."""
    y, x = window.y, window.x
    rows = [np.arange(axis.output)[:, None] * axis.stride - axis.before + np.arange(axis.filter) * axis.dilation
            for axis in (y, x)]  # fmt: skip
    found = []
    for one in data:
        height, width, _ = one.shape
        inside = ((rows[0] >= 0) & (rows[0] < height))[:, None, :, None]
        inside = inside & ((rows[1] >= 0) & (rows[1] < width))[None, :, None, :]
        at = np.clip(rows[0], 0, height - 1)[:, None, :, None], np.clip(rows[1], 0, width - 1)[None, :, None, :]
        taken = one[at] * inside[..., None]
        found.append(taken.reshape(y.output * x.output, y.filter * x.filter, -1))
    return np.concatenate(found)


_SUMS: dict[str, Callable[[Model, Operator, Filters, Int64s], Int64s]] = {
    "FULLY_CONNECTED": _dense,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
}

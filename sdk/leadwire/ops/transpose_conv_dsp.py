"""TRANSPOSE_CONV along one dimension as a convolution, for the kernels of Armv7E-M and Armv8.1-M.

With stride s the outputs s * x to s * x + s - 1 lie side by side: they are s times as many channels of a convolution
without stride, whose taps are those of the transposed one that reach each of the s places, and zeros elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leadwire.model.graph import Model, Operator

from .conv_2d_dsp import columns_calls, columns_distance, columns_fit, columns_scratch
from .conv_2d_mve import vector_calls, vector_scratch
from .conv_2d_simd import copied_distance, lanes_calls, lanes_fit, lanes_scratch
from .convolution import Filters, filters_of
from .dsp import channels_of
from .geometry import Axis, Window, distance_by_position, integer
from .spec import SIMD, Distance, KernelCall, Variant

DATA, BIAS = 2, 3
_MOST_ZEROS = 3
"""Above so many taps for each one that is not a zero of the layout, the portable kernel is no slower."""


def turned_window(model: Model, operator: Operator) -> Window:
    """Of the convolution that the transposed one turns around: from its output to its input."""
    outputs, height, width, given = model.required(operator, 1).shape
    _, output_height, output_width, _ = model.output(operator).shape
    same = operator.option("padding", "VALID") == "SAME"
    y, x = (
        Axis(size=size, filter=taps, stride=integer(operator, f"stride_{letter}", 1), dilation=1, same=same)
        for size, taps, letter in ((output_height, height, "h"), (output_width, width, "w"))
    )
    return Window(y=y, x=x, input_channels=outputs, output_channels=given)


def transposed_filters(model: Model, operator: Operator) -> Filters:
    return filters_of(model, operator, 0, broadcast=True, data=DATA, bias=BIAS)


def _as_convolution(model: Model, operator: Operator) -> tuple[Window, Filters] | None:
    """The convolution that gives the same; None for a stride between rows, or outputs that do not fill all places."""
    turned, filters = turned_window(model, operator), transposed_filters(model, operator)
    x, stride, given = turned.x, turned.x.stride, turned.output_channels
    if turned.y.filter != 1 or turned.y.stride != 1 or x.size != stride * x.output:
        return None
    reached = [(tap, (tap - x.before) % stride) for tap in range(x.filter)]
    back = [(tap - place - x.before) // stride for tap, place in reached]
    before = max(0, *back, -min(back) - 1)
    taps = 2 * before + (1 if -min(back) <= before else 2)
    weights = np.zeros((stride, turned.input_channels, taps, given), np.int64)
    own = filters.weights.reshape(turned.input_channels, x.filter, given)
    for (tap, place), steps in zip(reached, back, strict=True):
        weights[place, :, before - steps] = own[:, tap]
    window = Window(
        y=Axis(size=turned.y.size, filter=1, stride=1, dilation=1, same=False),
        x=Axis(size=x.output, filter=taps, stride=1, dilation=1, same=True),
        input_channels=given,
        output_channels=stride * turned.input_channels,
    )
    return window.flattened, Filters(
        weights=weights.reshape(window.output_channels, -1),
        bias=np.tile(filters.bias, stride),
        factors=filters.factors * stride,
        input_zero_point=filters.input_zero_point,
    )


def _made(model: Model, operator: Operator) -> tuple[Window, Filters]:
    found = _as_convolution(model, operator)
    assert found is not None
    return found


def _fits(model: Model, operator: Operator) -> bool:
    found, turned = _as_convolution(model, operator), turned_window(model, operator)
    if found is None or found[0].x.filter * turned.x.stride > _MOST_ZEROS * turned.x.filter:
        return False
    return columns_fit(*found)


def _fits_mve(model: Model, operator: Operator) -> bool:
    found = _as_convolution(model, operator)
    return found is not None and channels_of(found[1]) is not None


def _fits_simd(model: Model, operator: Operator) -> bool:
    found = _as_convolution(model, operator)
    return found is not None and lanes_fit(found[1])


def _distance(model: Model, operator: Operator) -> Distance:
    return replace(columns_distance(_made(model, operator)[0]), position=DATA)


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    return columns_calls(model, operator, *_made(model, operator), wide=False, data=DATA)


VARIANTS = (
    Variant(
        name=SIMD,
        extension="simd",
        fits=_fits_simd,
        emit=lambda model, op: lanes_calls(model, op, *_made(model, op), data=DATA),
        scratch_bytes=lambda model, op: lanes_scratch(_made(model, op)[0]),
        distance=lambda model, op: replace(copied_distance(_made(model, op)[0]), position=DATA),
    ),
    Variant(
        name="mve",
        extension="mve",
        fits=_fits_mve,
        emit=lambda model, op: vector_calls(model, op, *_made(model, op), data=DATA),
        scratch_bytes=lambda model, op: vector_scratch(_made(model, op)[0]),
        distance=lambda model, op: replace(distance_by_position(_made(model, op)[0], 1), position=DATA),
    ),
    Variant(
        name="dsp",
        extension="dsp",
        fits=_fits,
        emit=_emit,
        scratch_bytes=lambda model, op: columns_scratch(_made(model, op)[0]),
        distance=_distance,
    ),
)

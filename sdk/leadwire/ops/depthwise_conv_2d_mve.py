"""DEPTHWISE_CONV_2D on Armv8.1-M with MVE: a tap of sixteen channels at a time. A single input channel makes it a
convolution."""

from __future__ import annotations

import numpy as np

from leadwire.model.graph import Model, Operator

from .conv_2d_mve import vector_calls, vector_scratch
from .convolution import Filters, filter_window, filters_of
from .dsp import Weights, center_of, channels_of, clamp_initializer
from .geometry import distance_by_channel, distance_by_position
from .spec import Constant, Distance, KernelCall, Variant

_LANES = 16
_ORDER = (0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15)
"""How the sums of 16 channels lie in four vectors (kernels/depthwise_conv_2d_s8_mve.c)."""


def _filters(model: Model, operator: Operator) -> Filters:
    return filters_of(model, operator, 3, broadcast=True)


def _fits(model: Model, operator: Operator) -> bool:
    window = filter_window(model, operator)
    return window.input_channels in (1, window.output_channels) and channels_of(_filters(model, operator)) is not None


def lanes_of(weights: Weights) -> tuple[int, ...]:
    """[channels, taps] as [blocks of 16 channels, taps, channels of a block], filled up with zeros."""
    filled = np.pad(weights, ((0, -len(weights) % _LANES), (0, 0)))
    return tuple(int(v) for v in filled.reshape(-1, _LANES, weights.shape[1]).transpose(0, 2, 1).reshape(-1))


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    window, filters = filter_window(model, operator), _filters(model, operator)
    if window.input_channels == 1:
        return vector_calls(model, operator, window, filters)
    channels = channels_of(filters)
    assert channels is not None
    rows = np.array(channels.filled(_LANES), np.int64).reshape(-1, _LANES, 3)[:, _ORDER]
    table = rows.reshape(-1, 4, 3).transpose(0, 2, 1).reshape(-1)
    return (
        KernelCall(
            function="lw_depthwise_conv_2d_s8_mve",
            source="depthwise_conv_2d_s8_mve.c",
            also=("clamp_values_s8.c",),
            params_type="lw_taps_params",
            params=(
                ("window", window.initializer),
                ("input_zero_point", str(filters.input_zero_point)),
                ("center", str(center_of(model, operator))),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=("in0", "const:weights", "const:channels", "scratch", "out0"),
            constants=(
                Constant(suffix="weights", ctype="int8_t", values=lanes_of(filters.weights * channels.live[:, None])),
                Constant(suffix="channels", ctype="int32_t", values=tuple(int(v) for v in table)),
            ),
        ),
    )


def _scratch_bytes(model: Model, operator: Operator) -> int:
    """Where each tap lies, and a row of zero points."""
    window = filter_window(model, operator)
    if window.input_channels == 1:
        return vector_scratch(window)
    return 4 * window.y.filter * window.x.filter + (window.input_channels + 3 & ~3)


def _distance(model: Model, operator: Operator) -> Distance:
    window = filter_window(model, operator)
    return distance_by_position(window, 1) if window.input_channels == 1 else distance_by_channel(window)


MVE = Variant(name="mve", extension="mve", fits=_fits, emit=_emit, scratch_bytes=_scratch_bytes, distance=_distance)

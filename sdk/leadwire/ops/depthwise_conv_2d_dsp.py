"""DEPTHWISE_CONV_2D on Armv7E-M: four channels at a time. A single input channel makes it a convolution."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import zero_point_of
from .conv_2d_dsp import columns_calls, columns_distance, columns_fit, columns_scratch
from .convolution import Filters, filter_window, filters_of
from .dsp import center_of, channels_of, clamp_initializer, lane_words
from .geometry import distance_by_channel
from .spec import Distance, KernelCall, Variant


def _filters(model: Model, operator: Operator) -> Filters:
    return filters_of(model, operator, 3, broadcast=True)


def _fits(model: Model, operator: Operator) -> bool:
    window, filters = filter_window(model, operator), _filters(model, operator)
    if window.input_channels == 1:
        return columns_fit(window, filters)
    return (
        window.input_channels == window.output_channels
        and window.input_channels % 4 == 0
        and channels_of(filters) is not None
    )


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    window, filters = filter_window(model, operator), _filters(model, operator)
    if window.input_channels == 1:
        return columns_calls(model, operator, window, filters, wide=False)
    channels = channels_of(filters)
    assert channels is not None
    weights = filters.weights * channels.live[:, None]
    fours = weights.reshape(-1, 4, weights.shape[1]).transpose(0, 2, 1)
    return (
        KernelCall(
            function="lw_depthwise_conv_2d_s8_dsp",
            source="depthwise_conv_2d_s8_dsp.c",
            also=("multiply_taps_s8_dsp.c", "clamp_values_s8.c"),
            params_type="lw_taps_params",
            params=(
                ("window", window.initializer),
                ("input_zero_point", str(zero_point_of(model.required(operator, 0)))),
                ("center", str(center_of(model, operator))),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=("in0", "const:weights", "const:channels", "scratch", "out0"),
            constants=(lane_words(fours[:, :, [0, 2, 1, 3]]), channels.constant(4)),
        ),
    )


def _scratch_bytes(model: Model, operator: Operator) -> int:
    window = filter_window(model, operator)
    if window.input_channels == 1:
        return columns_scratch(window)
    return 4 * window.y.filter * window.x.filter + window.input_channels


def _distance(model: Model, operator: Operator) -> Distance:
    window = filter_window(model, operator)
    return columns_distance(window) if window.input_channels == 1 else distance_by_channel(window)


DSP = Variant(name="dsp", extension="dsp", fits=_fits, emit=_emit, scratch_bytes=_scratch_bytes, distance=_distance)

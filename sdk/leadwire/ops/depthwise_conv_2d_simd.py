"""DEPTHWISE_CONV_2D on a desktop processor: sixteen channels at a time. A single input channel makes a convolution."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .conv_2d_simd import (
    bytes_initializer,
    copied_distance,
    copy_shape,
    lanes_calls,
    lanes_fit,
    lanes_scratch,
    table_of,
)
from .convolution import Filters, filter_window, filters_of
from .depthwise_conv_2d_mve import lanes_of
from .dsp import channels_of
from .spec import SIMD, Constant, KernelCall, Variant


def _filters(model: Model, operator: Operator) -> Filters:
    return filters_of(model, operator, 3, broadcast=True)


def _fits(model: Model, operator: Operator) -> bool:
    window = filter_window(model, operator)
    return window.input_channels in (1, window.output_channels) and lanes_fit(_filters(model, operator))


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    window, filters = filter_window(model, operator), _filters(model, operator)
    if window.input_channels == 1:
        return lanes_calls(model, operator, window, filters)
    channels = channels_of(filters)
    assert channels is not None
    height, width = copy_shape(window)
    weights = filters.weights * channels.live[:, None]
    return (
        KernelCall(
            function="lw_depthwise_conv_2d_s8_simd",
            source="depthwise_conv_2d_s8_simd.c",
            params_type="lw_simd_params",
            params=(
                ("window", window.initializer),
                ("copy_height", str(height)),
                ("copy_width", str(width)),
                ("input_zero_point", str(filters.input_zero_point)),
                ("bytes", bytes_initializer(model, operator)),
            ),
            arguments=("in0", "const:weights", "const:channels", "scratch:bytes", "out0"),
            constants=(
                Constant(
                    suffix="weights",
                    ctype="LW_ALIGNED int16_t",
                    values=tuple(v for w in lanes_of(weights) for v in (w, 0)),
                ),
                table_of(model, operator, channels, weights, inputs_above=0),
            ),
        ),
    )


SIMD_VARIANT = Variant(
    name=SIMD,
    extension="simd",
    fits=_fits,
    emit=_emit,
    scratch_bytes=lambda model, op: lanes_scratch(filter_window(model, op)),
    distance=lambda model, op: copied_distance(filter_window(model, op)),
)

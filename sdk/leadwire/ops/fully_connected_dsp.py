"""FULLY_CONNECTED on Armv7E-M: one vector with four outputs at a time; several vectors as a convolution of one tap."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .conv_2d_dsp import columns_calls, columns_distance, columns_extra_bytes, columns_saved, columns_scratch
from .conv_2d_mve import vector_calls, vector_scratch
from .conv_2d_simd import copied_distance, lanes_calls, lanes_fit, lanes_scratch
from .convolution import Filters, filters_of
from .dsp import blocks, center_of, channels_of, clamp_initializer, runs_of_four
from .geometry import Axis, Window, distance_by_position
from .spec import SIMD, Distance, KernelCall, Variant


def _filters(model: Model, operator: Operator) -> Filters:
    return filters_of(model, operator, 0, broadcast=False)


def window_of_vectors(model: Model, operator: Operator) -> Window:
    outputs, depth = model.required(operator, 1).shape
    rows = model.required(operator, 0).elements // depth
    return Window(
        y=Axis(size=1, filter=1, stride=1, dilation=1, same=False),
        x=Axis(size=rows, filter=1, stride=1, dilation=1, same=False),
        input_channels=depth,
        output_channels=outputs,
    )


def is_single(model: Model, operator: Operator) -> bool:
    return window_of_vectors(model, operator).x.size == 1


def _calls(model: Model, operator: Operator, *, wide: bool) -> tuple[KernelCall, ...]:
    window, filters = window_of_vectors(model, operator), _filters(model, operator)
    if not is_single(model, operator):
        return columns_calls(model, operator, window, filters, wide=wide)
    depth = window.input_channels
    channels = channels_of(filters)
    assert channels is not None
    bias, scales = channels.apart(4)
    weights = runs_of_four(filters.weights * channels.live[:, None], depth)
    return (
        KernelCall(
            function="lw_fully_connected_wide_s8_dsp" if wide else "lw_fully_connected_s8_dsp",
            source="fully_connected_s8_dsp.c",
            also=("multiply_row_s8_dsp.c", "clamp_values_s8.c"),
            params_type="lw_row_params",
            params=(
                ("depth", str(depth)),
                ("outputs", str(window.output_channels)),
                ("center", str(center_of(model, operator))),
                ("scale_step", str(int(len(scales.values) > 2))),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=("in0", "const:weights", "const:bias", "const:scales", "scratch", "out0"),
            constants=(blocks(weights, 4, wide=wide), bias, scales),
        ),
    )


def scratch_bytes(model: Model, operator: Operator) -> int:
    window = window_of_vectors(model, operator)
    return 2 * (window.input_channels + 3 & ~3) if is_single(model, operator) else columns_scratch(window)


def distance(model: Model, operator: Operator) -> Distance:
    """One vector is widened into scratch before the first output is written."""
    window = window_of_vectors(model, operator)
    nothing_left = -window.input_channels
    return Distance(below=nothing_left, above=nothing_left) if is_single(model, operator) else columns_distance(window)


def _fits(model: Model, operator: Operator) -> bool:
    return channels_of(_filters(model, operator)) is not None


def _extra_bytes(model: Model, operator: Operator) -> int:
    window = window_of_vectors(model, operator)
    if not is_single(model, operator):
        return columns_extra_bytes(window)
    return (window.input_channels + 3 & ~3) * (window.output_channels + 3 & ~3)


def _saved(model: Model, operator: Operator) -> int:
    """7 of 18 instructions in every step of 16 products."""
    window = window_of_vectors(model, operator)
    if not is_single(model, operator):
        return columns_saved(window)
    return window.input_channels * window.output_channels * 7 // 16


VARIANTS = (
    Variant(
        name=SIMD,
        extension="simd",
        fits=lambda model, op: lanes_fit(_filters(model, op)),
        emit=lambda model, op: lanes_calls(model, op, window_of_vectors(model, op), _filters(model, op)),
        scratch_bytes=lambda model, op: lanes_scratch(window_of_vectors(model, op)),
        distance=lambda model, op: copied_distance(window_of_vectors(model, op)),
    ),
    Variant(
        name="mve",
        extension="mve",
        fits=_fits,
        emit=lambda model, op: vector_calls(model, op, window_of_vectors(model, op), _filters(model, op)),
        scratch_bytes=lambda model, op: vector_scratch(window_of_vectors(model, op)),
        distance=lambda model, op: distance_by_position(window_of_vectors(model, op), 1),
    ),
    Variant(
        name="dsp-wide",
        extension="dsp",
        fits=_fits,
        emit=lambda model, op: _calls(model, op, wide=True),
        scratch_bytes=scratch_bytes,
        distance=distance,
        extra_bytes=_extra_bytes,
        saved=_saved,
    ),
    Variant(
        name="dsp",
        extension="dsp",
        fits=_fits,
        emit=lambda model, op: _calls(model, op, wide=False),
        scratch_bytes=scratch_bytes,
        distance=distance,
    ),
)

"""CONV_2D of several groups: weights [outputs, height, width, inputs of a group], each group with channels of its own.

A group's window sees the input as `groups` times as many columns of its channels, and steps over those of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from leadwire.model.graph import Model, Operator

from .arithmetic import letters_of, zero_point_of
from .convolution import Filters, constants_of, filter_window, filters_of, output_params
from .dsp import Channels, blocks, center_of, channels_of, clamp_initializer, runs_of_four
from .geometry import Window, distance_by_position, groups_of, in_bytes
from .spec import BACKWARD, Constant, Distance, KernelCall, Variant


def _window_initializer(window: Window, groups: int) -> str:
    """C's lw_window of the first group."""
    times = {"input_width", "stride_x", "dilation_x", "pad_left"}
    shared = {"input_channels", "output_channels"}
    return Window.initializer_of(
        (name, value * groups if name in times else value // groups if name in shared else value)
        for name, value in window.fields
    )


def grouped_distance(model: Model, operator: Operator) -> Distance:
    return in_bytes(model.output(operator), distance_by_position(filter_window(model, operator), 1))


def grouped_calls(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    kernel = f"conv_2d_grouped_{letters_of(model.output(operator))}"
    groups = groups_of(model, operator)
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_grouped_params",
            params=(
                ("window", _window_initializer(filter_window(model, operator), groups)),
                ("groups", str(groups)),
                ("input_zero_point", str(zero_point_of(model.required(operator, 0)))),
                *output_params(model, operator),
                ("backward", BACKWARD),
            ),
            arguments=("in0", "const:weights", "const:bias", "const:rescale", "out0"),
            constants=constants_of(_filters(model, operator), model.required(operator, 1).array),
        ),
    )


def _filters(model: Model, operator: Operator) -> Filters:
    return filters_of(model, operator, 0, broadcast=True)


def _fits(model: Model, operator: Operator) -> bool:
    return groups_of(model, operator) > 1 and channels_of(_filters(model, operator)) is not None


def _column_words(model: Model, operator: Operator) -> int:
    """Taps of one output, those of each place filled up to a multiple of four."""
    _, height, width, channels = model.required(operator, 1).shape
    return height * width * (channels + 3 & ~3)


def _calls(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    filters, groups = _filters(model, operator), groups_of(model, operator)
    channels = channels_of(filters)
    assert channels is not None
    taps = runs_of_four(filters.weights * channels.live[:, None], model.required(operator, 1).shape[3])
    parts = [blocks(part, 2, wide=False) for part in np.split(taps, groups)]
    tables = [part.constant(2) for part in _by_group(channels, groups)]
    return (
        KernelCall(
            function="lw_conv_2d_grouped_s8_dsp",
            source="conv_2d_grouped_s8_dsp.c",
            also=("columns_s8_dsp.c", "multiply_s8_dsp.c", "clamp_values_s8.c"),
            params_type="lw_grouped_columns_params",
            params=(
                ("window", _window_initializer(filter_window(model, operator), groups)),
                ("groups", str(groups)),
                ("input_zero_point", str(filters.input_zero_point)),
                ("center", str(center_of(model, operator))),
                ("column_words", str(_column_words(model, operator))),
                ("backward", BACKWARD),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=("in0", "const:weights", "const:channels", "scratch", "out0"),
            constants=(_joined(parts), _joined(tables)),
        ),
    )


def _by_group(channels: Channels, groups: int) -> Iterator[Channels]:
    size = len(channels.rows) // groups
    for start in range(0, len(channels.rows), size):
        yield Channels(rows=channels.rows[start : start + size], live=channels.live[start : start + size])


def _joined(parts: list[Constant]) -> Constant:
    return replace(parts[0], values=tuple(value for part in parts for value in part.values))


GROUPED_VARIANTS = (
    Variant(
        name="grouped-dsp",
        extension="dsp",
        fits=_fits,
        emit=_calls,
        scratch_bytes=lambda model, op: 4 * _column_words(model, op),
        distance=lambda model, op: distance_by_position(filter_window(model, op), 2),
    ),
)

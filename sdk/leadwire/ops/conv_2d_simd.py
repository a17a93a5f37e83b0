"""CONV_2D on a desktop processor: sixteen channels at a time; also what is the same sum under another name.

runtime/simd.h says how inputs and weights lie.
"""

from __future__ import annotations

import numpy as np

from leadwire.model.graph import Model, Operator

from .arithmetic import activation_range, zero_point_of
from .convolution import Filters
from .dsp import Channels, Weights, channels_of, interleaved, runs_of_four
from .geometry import Axis, Window
from .spec import Constant, Distance, KernelCall

LANES = 16
_MOST_SHIFT = 22
_SLACK = 16
"""Bytes behind the copy that are read and do not count."""


def copy_shape(window: Window) -> tuple[int, int]:
    """Height and width of the input with all of the padding that a window reads."""

    def reach(axis: Axis) -> int:
        return (axis.output - 1) * axis.stride + axis.effective

    return reach(window.y), reach(window.x)


def lanes_scratch(window: Window) -> int:
    height, width = copy_shape(window)
    return height * width * window.input_channels + _SLACK + 3 & ~3


def copied_distance(window: Window) -> Distance:
    """The whole input is copied before the first output is written."""
    nothing_left = -window.y.size * window.x.size * window.input_channels
    return Distance(below=nothing_left, above=nothing_left)


def bytes_initializer(model: Model, operator: Operator) -> str:
    """C's lw_bytes."""
    output = model.output(operator)
    zero_point = zero_point_of(output)
    low, high = activation_range(str(operator.option("fused_activation_function", "NONE")), output)
    return f"{{.rectified = {int(low == zero_point)}, .low = {low}, .high = {high}}}"


def lanes_calls(
    model: Model, operator: Operator, window: Window, filters: Filters, *, data: int = 0
) -> tuple[KernelCall, ...]:
    """`filters` as a convolution of input `data` with `window`, whatever the operator."""
    channels = channels_of(filters)
    assert channels is not None
    run = (window.x.filter if window.x.dilation == 1 else 1) * window.input_channels
    weights = filters.weights * channels.live[:, None]
    height, width = copy_shape(window)
    return (
        KernelCall(
            function="lw_conv_2d_s8_simd",
            source="conv_2d_s8_simd.c",
            params_type="lw_simd_params",
            params=(
                ("window", window.initializer),
                ("copy_height", str(height)),
                ("copy_width", str(width)),
                ("input_zero_point", str(filters.input_zero_point)),
                ("runs", str(1 if window.x.dilation == 1 else window.x.filter)),
                ("run", str(run)),
                ("bytes", bytes_initializer(model, operator)),
            ),
            arguments=(f"in{data}", "const:weights", "const:channels", "scratch:bytes", "out0"),
            constants=(
                Constant(
                    suffix="weights",
                    ctype="LW_ALIGNED int8_t",
                    values=tuple(int(v) for v in interleaved(runs_of_four(weights, run), LANES).reshape(-1)),
                ),
                table_of(model, operator, channels, weights, inputs_above=128),
            ),
        ),
    )


def table_of(model: Model, operator: Operator, channels: Channels, weights: Weights, *, inputs_above: int) -> Constant:
    """The channels as runtime/simd.h says, for inputs x + `inputs_above`: as many times the sum of its weights off each
    bias, which may wrap at 32 bits as the sums do."""
    zero_point = zero_point_of(model.output(operator))
    off = np.array([inputs_above * int(row.sum()) for row in weights] + [0] * (-len(weights) % LANES), np.int64)
    rows = np.array(channels.filled(LANES), np.int64)
    offsets = (1 << 30) + ((2 * zero_point + 1) << (31 + rows[:, 2]))
    halves = np.stack([offsets, offsets >> 32], axis=1).reshape(-1, LANES // 2, 2, 2)  # blocks, pairs, even and odd
    table = np.concatenate(
        [
            np.stack([rows[:, 0] - off, (rows[:, 1] + 2**32) // 2, rows[:, 2]], axis=1)
            .reshape(-1, LANES, 3)
            .swapaxes(1, 2),
            halves.transpose(0, 2, 1, 3).reshape(-1, 2, LANES),
        ],
        axis=1,
    )
    wrapped = table.astype(np.int32).reshape(-1)
    return Constant(suffix="channels", ctype="LW_ALIGNED int32_t", values=tuple(int(value) for value in wrapped))


def lanes_fit(filters: Filters) -> bool:
    """Whether channels have the constants of runtime/dsp.h, and 64 bits hold what is added to a product."""
    channels = channels_of(filters)
    return channels is not None and all(shift <= _MOST_SHIFT for _, _, shift in channels.rows)

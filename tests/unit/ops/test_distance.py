"""How far the output of a convolution may reach into its input: the kernel's walk, position by position."""

from __future__ import annotations

from itertools import product

import pytest

from leadwire.ops.geometry import Axis, Window, distance_by_position


def walk(window: Window) -> int:
    """The smallest distance at which no byte is written before it is read, by walking as conv_2d_s8.c does: two
    columns at a time where neither overhangs, else one; a group's channels are written while its inputs are read."""
    x_axis, y_axis = window.x, window.y
    inside = [
        x * x_axis.stride - x_axis.before >= 0
        and x * x_axis.stride - x_axis.before + (x_axis.filter - 1) * x_axis.dilation < x_axis.size
        for x in range(x_axis.output)
    ]
    groups: list[tuple[int, int]] = []
    for y in range(y_axis.output):
        x = 0
        while x < x_axis.output:
            columns = 2 if inside[x] and x + 1 < x_axis.output and inside[x + 1] else 1
            groups.append((y * x_axis.output + x, columns))
            x += columns

    def taps(axis: Axis, at: int) -> list[int]:
        every = (at * axis.stride - axis.before + tap * axis.dilation for tap in range(axis.filter))
        return [tap for tap in every if 0 <= tap < axis.size]

    lowest, needed = y_axis.size * x_axis.size * window.input_channels, -(10**9)
    for position, columns in reversed(groups):
        for one in range(position, position + columns):
            row, column = divmod(one, x_axis.output)
            first = min(taps(y_axis, row)) * x_axis.size + min(taps(x_axis, column))
            lowest = min(lowest, first * window.input_channels)
        needed = max(needed, (position + columns) * window.output_channels - lowest)
    return needed


@pytest.mark.parametrize("same", [True, False])
def test_no_byte_is_written_before_it_is_read(same: bool) -> None:
    tried = 0
    for size, taps, stride, dilation in product((5, 12, 48), (1, 2, 3, 5, 7), (1, 2, 3), (1, 2)):
        if (taps - 1) * dilation >= size:
            continue
        for channels, outputs, rows in product((1, 16), (3, 24), (1, 4)):
            window = Window(
                y=Axis(size=rows, filter=1, stride=1, dilation=1, same=same),
                x=Axis(size=size, filter=taps, stride=stride, dilation=dilation, same=same),
                input_channels=channels,
                output_channels=outputs,
            )
            assert distance_by_position(window, 2).below >= walk(window), window
            tried += 1
    assert tried > 400

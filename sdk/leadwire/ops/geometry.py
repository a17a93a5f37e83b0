"""How a convolution or pooling window slides: padding, output size, and the columns it does not overhang.

Source: TensorFlow's SAME and VALID padding. SAME: output = ceil(input / stride), the smaller half of the padding
before; VALID: output = ceil((input - effective filter + 1) / stride), effective filter = (filter - 1) * dilation + 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor

from .spec import Distance, Rule


def integer(operator: Operator, name: str, default: int) -> int:
    """An integer option of an operator."""
    value = operator.option(name, default)
    if not isinstance(value, int):
        raise ValueError(f"operator {operator.index} {operator.kind}: option {name} is {value!r}, not an integer")
    return value


Margins = tuple[tuple[int, int], tuple[int, int]]
"""(before, after) of height, and of width."""
NO_MARGINS: Final = ((0, 0), (0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One direction of a window over an input of `size`. Where it is not `same`, it reads `margin` before and after."""

    size: int
    filter: int
    stride: int
    dilation: int
    same: bool
    margin: tuple[int, int] = (0, 0)

    @property
    def effective(self) -> int:
        return (self.filter - 1) * self.dilation + 1

    @property
    def output(self) -> int:
        span = self.size if self.same else self.size + sum(self.margin) - self.effective + 1
        return -(-span // self.stride)

    @property
    def before(self) -> int:
        """Padding before the first value."""
        if not self.same:
            return self.margin[0]
        return max(0, (self.output - 1) * self.stride + self.effective - self.size) // 2

    @property
    def may_overhang(self) -> bool:
        return self.same or self.margin != (0, 0)

    @property
    def inner(self) -> tuple[int, int]:
        """Output positions [begin, end) whose window lies inside the input."""
        inside = [
            position
            for position in range(self.output)
            if position * self.stride >= self.before
            and position * self.stride - self.before + self.effective <= self.size
        ]
        return (inside[0], inside[-1] + 1) if inside else (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """C's lw_window."""

    y: Axis
    x: Axis
    input_channels: int
    output_channels: int

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        begin, end = self.x.inner
        return (
            ("input_height", self.y.size),
            ("input_width", self.x.size),
            ("input_channels", self.input_channels),
            ("filter_height", self.y.filter),
            ("filter_width", self.x.filter),
            ("output_height", self.y.output),
            ("output_width", self.x.output),
            ("output_channels", self.output_channels),
            ("stride_y", self.y.stride),
            ("stride_x", self.x.stride),
            ("dilation_y", self.y.dilation),
            ("dilation_x", self.x.dilation),
            ("pad_top", self.y.before),
            ("pad_left", self.x.before),
            ("inner_begin", begin),
            ("inner_end", end),
        )

    @property
    def initializer(self) -> str:
        return self.initializer_of(self.fields)

    @staticmethod
    def initializer_of(fields: Iterable[tuple[str, int]]) -> str:
        cells = [f".{name} = {value}," for name, value in fields]
        lines = [" ".join(cells[start : start + 3]) for start in range(0, len(cells), 3)]
        return "{\n        " + "\n        ".join(lines) + "\n    }"

    @property
    def flattened(self) -> Window:
        """The same sums as one long row where the window is a single tap that visits every position."""
        single = all(axis.filter == 1 and axis.stride == 1 for axis in (self.y, self.x))
        if not single or self.y.size == 1:
            return self
        return Window(
            y=Axis(size=1, filter=1, stride=1, dilation=1, same=False),
            x=Axis(size=self.y.size * self.x.size, filter=1, stride=1, dilation=1, same=False),
            input_channels=self.input_channels,
            output_channels=self.output_channels,
        )


def _reads(window: Window) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each output position in order: the first value of the input that it or a later one reads, and the end of the
    last that it or an earlier one reads. As all distances here in values, which are bytes of int8 tensors."""

    def inside(axis: Axis) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        origin = np.arange(axis.output) * axis.stride - axis.before
        first = np.maximum(0, -(origin // axis.dilation))
        last = np.minimum(axis.filter - 1, (axis.size - 1 - origin) // axis.dilation)
        return origin + first * axis.dilation, origin + last * axis.dilation

    (top, bottom), (left, right) = inside(window.y), inside(window.x)
    first = (top[:, None] * window.x.size + left).reshape(-1) * window.input_channels
    end = (bottom[:, None] * window.x.size + right + 1).reshape(-1) * window.input_channels
    return np.minimum.accumulate(first[::-1])[::-1], np.maximum.accumulate(end)


def distance_by_position(window: Window, together: int) -> Distance:
    """For a kernel that does up to `together` positions at a time, each with all its channels, reading while it writes,
    forward or backward. Where padding is, it does one: any position may be the first of several."""
    first, end = _reads(window)
    positions = np.arange(len(first))
    written = np.minimum(positions + together, len(first)) * window.output_channels
    still_read = end[np.minimum(positions + together, len(first)) - 1]
    return Distance(
        below=int((written - first).max()),
        above=int((still_read - positions * window.output_channels).max()),
    )


def distance_by_blocks(window: Window, together: int) -> Distance:
    """For a kernel that has read all that `together` positions need before it writes them, forward or backward."""
    first, end = _reads(window)
    nothing_left = -window.y.size * window.x.size * window.input_channels
    later = np.arange(together, len(first), together)
    written = later * window.output_channels
    return Distance(
        below=int((written - first[later]).max(initial=nothing_left)),
        above=int((end[later - 1] - written).max(initial=nothing_left)),
    )


def distance_by_channel(window: Window) -> Distance:
    """For a kernel that reads and writes a few channels of a position at a time, the same in input and output."""
    first, _ = _reads(window)
    return Distance(below=int((np.arange(len(first)) * window.output_channels - first).max()))


def in_bytes(tensor: Tensor, distance: Distance) -> Distance:
    """A distance that was counted in values of `tensor`'s type."""
    size = tensor.dtype.item_bytes
    above = None if distance.above is None else size * distance.above
    return replace(distance, below=size * distance.below, above=above)


def window_of(model: Model, operator: Operator, height: int, width: int, margins: Margins = NO_MARGINS) -> Window:
    """The window of `height` x `width` taps of a convolution or pooling operator with 4-D tensors, batches as rows;
    `margins` are those of its input that are not there."""
    batches, input_height, input_width, input_channels = model.required(operator, 0).shape
    same = operator.option("padding", "VALID") == "SAME"
    return Window(
        y=Axis(
            size=batches * input_height - sum(margins[0]),
            filter=height,
            stride=integer(operator, "stride_h", 1),
            dilation=integer(operator, "dilation_h_factor", 1),
            same=same,
            margin=margins[0],
        ),
        x=Axis(
            size=input_width - sum(margins[1]),
            filter=width,
            stride=integer(operator, "stride_w", 1),
            dilation=integer(operator, "dilation_w_factor", 1),
            same=same,
            margin=margins[1],
        ),
        input_channels=input_channels,
        output_channels=model.output(operator).shape[3],
    )


def groups_of(model: Model, operator: Operator) -> int:
    """Groups of a convolution, each with input and output channels of its own; weights are [outputs, height, width,
    inputs of a group]."""
    return model.required(operator, 0).shape[3] // model.required(operator, 1).shape[3]


def _legal(model: Model, op: Operator) -> bool:
    names = ("stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor", "filter_height", "filter_width")
    return op.option("padding", "VALID") in ("SAME", "VALID") and all(integer(op, name, 1) >= 1 for name in names)


WINDOW_OPTIONS = Rule(
    text="padding is SAME or VALID; strides, dilations and window sizes are at least 1",
    holds=_legal,
    remedy="export the model again",
)

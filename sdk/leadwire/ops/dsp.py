"""What the kernels for Armv7E-M share: weights in the order in which they are read, and constants of output channels.

runtime/dsp.h explains both. A channel has three integers; where 32 bits cannot hold these or its factor is 1/2 or more,
the portable kernel does the operator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadwire.model.graph import Model, Operator

from .arithmetic import INT32_MAX, Rescale, activation_range, zero_point_of
from .convolution import Filters
from .spec import Constant

Weights = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """`rows` are (bias, multiplier, shift) of each; `live` is False for a channel whose output is the zero point
    whatever the input: its weights are to be 0."""

    rows: tuple[tuple[int, int, int], ...]
    live: npt.NDArray[np.bool_]

    def filled(self, block: int) -> tuple[tuple[int, int, int], ...]:
        """The rows, filled up to a multiple of `block` channels."""
        return (*self.rows, *[(0, 0, 0)] * (-len(self.rows) % block))

    def constant(self, block: int) -> Constant:
        """A table of C's lw_channel."""
        rows = self.filled(block)
        return Constant(suffix="channels", ctype="lw_channel", values=tuple(v for row in rows for v in row), row=3)

    def columns(self, block: int) -> Constant:
        """For every `block` channels their biases, multipliers, shifts."""
        rows = np.array(self.filled(block), np.int64).reshape(-1, block, 3).transpose(0, 2, 1)
        return Constant(suffix="channels", ctype="int32_t", values=tuple(int(v) for v in rows.reshape(-1)))

    def apart(self, block: int) -> tuple[Constant, Constant]:
        """Biases and scales as tables of their own; one scale where all living channels have the same."""
        rows = self.filled(block)
        scales = [row[1:] for row, live in zip(self.rows, self.live, strict=True) if live]
        shared = scales[:1] if len(set(scales)) == 1 else [row[1:] for row in rows]
        return (
            Constant(suffix="bias", ctype="int32_t", values=tuple(row[0] for row in rows)),
            Constant(suffix="scales", ctype="lw_scale", values=tuple(v for scale in shared for v in scale), row=2),
        )


def center_of(model: Model, operator: Operator) -> int:
    """2 * zero point of the output + 1, in which its rounding by half a unit is folded."""
    return 2 * zero_point_of(model.output(operator)) + 1


def channels_of(filters: Filters) -> Channels | None:
    """The constants of every output channel; None where 32 bits cannot hold those of one."""
    rows, live = [], []
    rescales = filters.rescales if len(filters.rescales) > 1 else filters.rescales * len(filters.weights)
    for bias, largest, scale in zip(filters.folded_bias, filters.largest, rescales, strict=True):
        if scale is None:
            return None
        live.append(_high(scale, int(largest)) >= 1 << scale.right >> 1)
        if not live[-1]:
            rows.append((0, -(2**31), 0))
            continue
        found = lane_scale(scale, int(largest))
        if found is None:
            return None
        rows.append((int(bias), *found))
    return Channels(rows=tuple(rows), live=np.array(live))


def _high(scale: Rescale, largest: int) -> int:
    return (largest << scale.left) * scale.m // 2**31 + 1


def lane_scale(scale: Rescale, largest: int) -> tuple[int, int] | None:
    """C's lw_scale for sums of magnitude up to `largest`; None where 32 bits cannot hold what comes of one."""
    if scale.left or not scale.right or _high(scale, largest) > INT32_MAX - 512:
        return None
    return 2 * scale.m - 2**32, scale.right - 1


def runs_of_four(weights: Weights, run: int) -> Weights:
    """[outputs, taps] with every `run` taps filled up with zeros to a multiple of four."""
    outputs = len(weights)
    rows = weights.reshape(outputs, -1, run)
    return np.pad(rows, ((0, 0), (0, 0), (0, -run % 4))).reshape(outputs, -1)


def interleaved(weights: Weights, block: int) -> Weights:
    """[outputs, taps], taps a multiple of four, as [blocks, taps / 4, block, 4]: rows of zeros fill the last block."""
    outputs, taps = weights.shape
    filled = np.pad(weights, ((0, -outputs % block), (0, 0)))
    return filled.reshape(-1, block, taps // 4, 4).transpose(0, 2, 1, 3)


def blocks(weights: Weights, block: int, *, wide: bool) -> Constant:
    """[outputs, taps], taps a multiple of four, as a kernel that does `block` outputs at a time reads them.

    Four taps of each output in turn: their four bytes, or with `wide` the lanes (t0, t2) of each and (t1, t3) of each.
    """
    cells = interleaved(weights, block)
    if not wide:
        return byte_words(cells)
    return lane_words(np.stack([cells[..., [0, 2]], cells[..., [1, 3]]], axis=2))


def byte_words(weights: Weights) -> Constant:
    """Four signed bytes a word, the first in the lowest bits."""
    words = weights.reshape(-1, 4) & 0xFF
    return _words(words[:, 0] | words[:, 1] << 8 | words[:, 2] << 16 | words[:, 3] << 24)


def lane_words(weights: Weights) -> Constant:
    """Two signed 16-bit values a word, the first in the lower lane."""
    lanes = weights.reshape(-1, 2) & 0xFFFF
    return _words(lanes[:, 0] | lanes[:, 1] << 16)


def _words(values: Weights) -> Constant:
    return Constant(suffix="weights", ctype="uint32_t", values=tuple(int(value) for value in values))


def clamp_initializer(model: Model, operator: Operator) -> str:
    """C's lw_clamp_params of the operator's fused activation over its whole output."""
    output = model.output(operator)
    low, high = activation_range(str(operator.option("fused_activation_function", "NONE")), output)
    return f"{{.count = {output.elements}, .low = {low}, .high = {high}}}"

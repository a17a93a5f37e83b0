"""CONV_2D on Armv8.1-M with MVE: 16 taps of four channels at a time; also what is the same sum under another name."""

from __future__ import annotations

import numpy as np

from leadwire.model.graph import Model, Operator

from .convolution import Filters
from .dsp import Weights, byte_words, center_of, channels_of, clamp_initializer
from .geometry import Window
from .spec import BACKWARD, KernelCall

_LANES = 16
_BLOCK = 4


def vector_scratch(window: Window) -> int:
    """A copy of the bytes under the window, to a multiple of four."""
    return window.y.filter * window.x.filter * window.input_channels + 3 & ~3


def vector_calls(
    model: Model, operator: Operator, window: Window, filters: Filters, *, data: int = 0
) -> tuple[KernelCall, ...]:
    """`filters` as a convolution of input `data` with `window`, whatever the operator."""
    channels = channels_of(filters)
    assert channels is not None
    return (
        KernelCall(
            function="lw_conv_2d_s8_mve",
            source="conv_2d_s8_mve.c",
            also=("clamp_values_s8.c",),
            params_type="lw_vector_params",
            params=(
                ("window", window.initializer),
                ("input_zero_point", str(filters.input_zero_point)),
                ("center", str(center_of(model, operator))),
                ("taps", str(filters.weights.shape[1])),
                ("backward", BACKWARD),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=(f"in{data}", "const:weights", "const:channels", "scratch", "out0"),
            constants=(byte_words(_lanes(filters.weights * channels.live[:, None])), channels.columns(_BLOCK)),
        ),
    )


def _lanes(weights: Weights) -> Weights:
    """[outputs, taps] as [blocks, vectors, outputs of a block, lanes], filled up with zeros."""
    outputs, taps = weights.shape
    filled = np.pad(weights, ((0, -outputs % _BLOCK), (0, -taps % _LANES)))
    return filled.reshape(-1, _BLOCK, filled.shape[1] // _LANES, _LANES).transpose(0, 2, 1, 3)

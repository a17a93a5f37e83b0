"""Packed weights: a layer whose int8 weights take few values is stored as codes of 4, 2 or 1 bits and those values.

Found from the weights alone, so that the model stays an ordinary one; runtime/packed.h and packed_dsp.h have the
kernels, which give the bytes of those they stand in for. On Armv7E-M the inner loop reads the widened weights of two
codes from one table in flash; elsewhere some channels are unpacked for several positions into scratch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from leadwire.model.graph import Model, Operator

from .conv_2d_dsp import run_of
from .convolution import Filters, constants_of, output_params
from .dsp import Weights, center_of, channels_of, clamp_initializer, interleaved, lane_words, runs_of_four
from .geometry import Window
from .spec import BACKWARD, Constant, KernelCall

TOGETHER: Final = 8
_CHANNELS: Final = 4
"""C's LW_TOGETHER and LW_CHANNELS."""
_BITS: Final = (1, 2, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """The levels of a layer's weights, rising, and the bits of a code, which is a position among them."""

    levels: tuple[int, ...]
    bits: int

    @classmethod
    def of(cls, weights: Weights, *, with_zero: bool = False) -> Self | None:
        """None where there are more than 16 levels; `with_zero`: 0 is one of them in any case."""
        levels = set(np.unique(weights).tolist()) | ({0} if with_zero else set())
        bits = next((bits for bits in _BITS if len(levels) <= 1 << bits), None)
        return None if bits is None else cls(levels=tuple(sorted(levels)), bits=bits)

    def codes(self, weights: Weights) -> Weights:
        return np.searchsorted(self.levels, weights).astype(np.int64)

    @property
    def pairs(self) -> Constant:
        """The weights of codes (a, b) as 16-bit lanes, at a + b * 2^bits; as far as codes go."""
        lanes = [(low, high) for high in self.levels for low in self._filled]
        unused = len(self._filled) - len(self.levels)
        table = lane_words(np.array(lanes[: len(lanes) - unused], np.int64))
        return Constant(suffix="pairs", ctype=table.ctype, values=table.values)

    @property
    def _filled(self) -> tuple[int, ...]:
        return self.levels + (0,) * ((1 << self.bits) - len(self.levels))

    def name(self, kernel: str) -> str:
        """The kernel for codes of so many bits; those of 4 have the plain name."""
        return kernel if self.bits == 4 else kernel.replace("_packed_", f"_packed_{self.bits}bit_")


def _words(fields: Weights, width: int) -> Constant:
    """[blocks, fields] of `width` bits, the first in the lowest bits of a word; each block starts one."""
    in_word = 32 // width
    filled = np.pad(fields, ((0, 0), (0, -fields.shape[1] % in_word))).reshape(-1, in_word)
    words = (filled << width * np.arange(in_word)).sum(axis=1)
    return Constant(suffix="codes", ctype="uint32_t", values=tuple(int(word) for word in words))


def pair_codes(codes: Weights, block: int, bits: int) -> Constant:
    """[outputs, taps], taps a multiple of four, for a kernel that does `block` outputs at a time: of every four taps
    t0..t3 the codes (t0, t2) of each output, then (t1, t3) of each."""
    cells = interleaved(codes, block)
    pairs = np.stack([cells[..., 0] | cells[..., 2] << bits, cells[..., 1] | cells[..., 3] << bits], axis=2)
    return _words(pairs.reshape(len(cells), -1), 2 * bits)


def channel_codes(codes: Weights, bits: int) -> Constant:
    """[outputs, taps], the first code in the lowest bits of a byte, each output from a byte on."""
    in_byte = 8 // bits
    filled = np.pad(codes, ((0, 0), (0, -codes.shape[1] % in_byte))).reshape(-1, in_byte)
    values = (filled << bits * np.arange(in_byte)).sum(axis=1)
    return Constant(suffix="codes", ctype="uint8_t", values=tuple(int(value) for value in values))


# ------------------------------------------------------------------------------------------- portable C


def packed_scratch(window: Window) -> int:
    """Columns of some positions, some channels of weights, and what both make."""
    taps = window.y.filter * window.x.filter * window.input_channels
    return TOGETHER * _CHANNELS + (TOGETHER + _CHANNELS) * taps + 7 + 3 & ~3


def packed_calls(model: Model, operator: Operator, window: Window, filters: Filters) -> tuple[KernelCall, ...]:
    """`filters` as a convolution of input 0 with `window`, whatever the operator."""
    packing = Packing.of(filters.weights)
    assert packing is not None
    codes = channel_codes(packing.codes(filters.weights), packing.bits)
    _, bias, rescale = constants_of(filters, filters.weights)
    fields = (
        ("window", window.initializer),
        ("input_zero_point", str(filters.input_zero_point)),
        *output_params(model, operator),
        ("backward", BACKWARD),
    )
    return (
        KernelCall(
            function="lw_conv_2d_packed_s8",
            source="conv_2d_packed_s8.c",
            also=("conv_2d_s8.c",),
            header="packed.h",
            params_type="lw_packed_params",
            params=(*((f"convolution.{field}", value) for field, value in fields), ("bits", str(packing.bits))),
            arguments=("in0", "const:codes", "const:levels", "const:bias", "const:rescale", "scratch:bytes", "out0"),
            constants=(codes, Constant(suffix="levels", ctype="int8_t", values=packing.levels), bias, rescale),
        ),
    )


# --------------------------------------------------------------------------------------------- Armv7E-M


def live_packing(filters: Filters, *, filled: bool = False) -> Packing | None:
    """Of the weights as the kernels for Armv7E-M have them; `filled`: taps are added whose weight has to be 0."""
    channels = channels_of(filters)
    return None if channels is None else Packing.of(filters.weights * channels.live[:, None], with_zero=filled)


def _filled(window: Window, run: int) -> bool:
    """Whether taps that fill up a run may read something else than 0: where a window overhangs, its zero point."""
    return run % 4 != 0 and (window.y.may_overhang or window.x.may_overhang)


def packed_columns_fit(window: Window, filters: Filters) -> bool:
    return live_packing(filters, filled=_filled(window, run_of(window))) is not None


def packed_columns_calls(model: Model, operator: Operator, window: Window, filters: Filters) -> tuple[KernelCall, ...]:
    """As columns_calls of conv_2d_dsp.py."""
    channels, run = channels_of(filters), run_of(window)
    packing = live_packing(filters, filled=_filled(window, run))
    assert channels is not None and packing is not None
    weights = filters.weights * channels.live[:, None]
    nothing = packing.levels.index(0) if 0 in packing.levels else 0
    codes = runs_of_four(packing.codes(weights) - nothing, run) + nothing
    taps = codes.shape[1]
    return (
        KernelCall(
            function=packing.name("lw_conv_2d_packed_s8_dsp"),
            source="conv_2d_packed_s8_dsp.c",
            also=("multiply_packed_s8_dsp.c", "columns_s8_dsp.c", "clamp_values_s8.c"),
            header="packed_dsp.h",
            params_type="lw_columns_params",
            params=(
                ("window", window.initializer),
                ("input_zero_point", str(filters.input_zero_point)),
                ("center", str(center_of(model, operator))),
                ("column_words", str(taps)),
                ("backward", BACKWARD),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=("in0", "const:codes", "const:pairs", "const:channels", "scratch", "out0"),
            constants=(pair_codes(codes, 2, packing.bits), packing.pairs, channels.constant(2)),
        ),
    )


def packed_row_calls(model: Model, operator: Operator, window: Window, filters: Filters) -> tuple[KernelCall, ...]:
    """A FULLY_CONNECTED of one vector."""
    channels, packing = channels_of(filters), live_packing(filters)
    assert channels is not None and packing is not None
    bias, scales = channels.apart(4)
    depth = window.input_channels
    codes = runs_of_four(packing.codes(filters.weights * channels.live[:, None]), depth)
    return (
        KernelCall(
            function=packing.name("lw_fully_connected_packed_s8_dsp"),
            source="fully_connected_packed_s8_dsp.c",
            also=("multiply_row_packed_s8_dsp.c", "clamp_values_s8.c"),
            header="packed_dsp.h",
            params_type="lw_row_params",
            params=(
                ("depth", str(depth)),
                ("outputs", str(window.output_channels)),
                ("center", str(center_of(model, operator))),
                ("scale_step", str(int(len(scales.values) > 2))),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=("in0", "const:codes", "const:pairs", "const:bias", "const:scales", "scratch", "out0"),
            constants=(pair_codes(codes, 4, packing.bits), packing.pairs, bias, scales),
        ),
    )

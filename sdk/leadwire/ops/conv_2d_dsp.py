"""CONV_2D on Armv7E-M, and its variants by order: two positions side by side, two channels at a time.

The same kernel does what is the same sum: a DEPTHWISE_CONV_2D of a single channel, a FULLY_CONNECTED of many vectors.
"""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .conv_2d_mve import vector_calls, vector_scratch
from .conv_2d_simd import copied_distance, lanes_calls, lanes_fit, lanes_scratch
from .convolution import Filters, filter_window, filters_of
from .dsp import blocks, center_of, channels_of, clamp_initializer, runs_of_four
from .geometry import Window, distance_by_blocks, distance_by_position, groups_of
from .spec import BACKWARD, SIMD, Distance, KernelCall, Variant

_MOST_FILLED = 2.0
"""Above so many taps, filled up to multiples of four, for each one of the model the portable kernel is no slower."""


def run_of(window: Window) -> int:
    """Neighbouring bytes under the window."""
    return (window.x.filter if window.x.dilation == 1 else 1) * window.input_channels


def _taps(window: Window) -> int:
    return window.y.filter * window.x.filter * window.input_channels


def _filled_taps(window: Window) -> int:
    return _taps(window) // run_of(window) * (run_of(window) + 3 & ~3)


def columns_fit(window: Window, filters: Filters) -> bool:
    return _filled_taps(window) <= _MOST_FILLED * _taps(window) and channels_of(filters) is not None


def columns_scratch(window: Window) -> int:
    """Two columns of 16-bit lanes."""
    return 4 * _filled_taps(window)


def columns_distance(window: Window) -> Distance:
    """Two positions are laid out in scratch before their outputs are written."""
    return distance_by_blocks(window, 2)


def columns_extra_bytes(window: Window) -> int:
    """Flash that wide weights take beyond bytes."""
    return _filled_taps(window) * (window.output_channels + 1 & ~1)


def columns_saved(window: Window) -> int:
    """Instructions that wide weights save: 4 of 14 in every step of 16 products."""
    positions = window.y.output * window.x.output
    return positions * window.output_channels * _filled_taps(window) // 4


def columns_calls(
    model: Model, operator: Operator, window: Window, filters: Filters, *, wide: bool, data: int = 0
) -> tuple[KernelCall, ...]:
    """`filters` as a convolution of input `data` with `window`, whatever the operator."""
    channels = channels_of(filters)
    assert channels is not None
    weights = runs_of_four(filters.weights * channels.live[:, None], run_of(window))
    return (
        KernelCall(
            function="lw_conv_2d_wide_s8_dsp" if wide else "lw_conv_2d_s8_dsp",
            source="conv_2d_s8_dsp.c",
            also=("columns_s8_dsp.c", "multiply_s8_dsp.c", "clamp_values_s8.c"),
            params_type="lw_columns_params",
            params=(
                ("window", window.initializer),
                ("input_zero_point", str(filters.input_zero_point)),
                ("center", str(center_of(model, operator))),
                ("column_words", str(_filled_taps(window))),
                ("backward", BACKWARD),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=(f"in{data}", "const:weights", "const:channels", "scratch", "out0"),
            constants=(blocks(weights, 2, wide=wide), channels.constant(2)),
        ),
    )


def _window(model: Model, operator: Operator) -> Window:
    return filter_window(model, operator).flattened


def _filters(model: Model, operator: Operator) -> Filters:
    return filters_of(model, operator, 0, broadcast=True)


def _fits(model: Model, operator: Operator) -> bool:
    return groups_of(model, operator) == 1 and columns_fit(_window(model, operator), _filters(model, operator))


def _fits_mve(model: Model, operator: Operator) -> bool:
    return groups_of(model, operator) == 1 and channels_of(_filters(model, operator)) is not None


def _scratch_bytes(model: Model, operator: Operator) -> int:
    return columns_scratch(_window(model, operator))


VARIANTS = (
    Variant(
        name=SIMD,
        extension="simd",
        fits=lambda model, op: groups_of(model, op) == 1 and lanes_fit(_filters(model, op)),
        emit=lambda model, op: lanes_calls(model, op, _window(model, op), _filters(model, op)),
        scratch_bytes=lambda model, op: lanes_scratch(_window(model, op)),
        distance=lambda model, op: copied_distance(_window(model, op)),
    ),
    Variant(
        name="mve",
        extension="mve",
        fits=_fits_mve,
        emit=lambda model, op: vector_calls(model, op, _window(model, op), _filters(model, op)),
        scratch_bytes=lambda model, op: vector_scratch(_window(model, op)),
        distance=lambda model, op: distance_by_position(_window(model, op), 1),
    ),
    Variant(
        name="dsp-wide",
        extension="dsp",
        fits=_fits,
        emit=lambda model, op: columns_calls(model, op, _window(model, op), _filters(model, op), wide=True),
        scratch_bytes=_scratch_bytes,
        distance=lambda model, op: columns_distance(_window(model, op)),
        extra_bytes=lambda model, op: columns_extra_bytes(_window(model, op)),
        saved=lambda model, op: columns_saved(_window(model, op)),
    ),
    Variant(
        name="dsp",
        extension="dsp",
        fits=_fits,
        emit=lambda model, op: columns_calls(model, op, _window(model, op), _filters(model, op), wide=False),
        scratch_bytes=_scratch_bytes,
        distance=lambda model, op: columns_distance(_window(model, op)),
    ),
)

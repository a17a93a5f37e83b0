"""CONV_2D on Armv7E-M: two positions side by side, two channels at a time. Also a depthwise one of a single channel."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import zero_point_of
from .convolution import filters_of
from .dsp import byte_words, channels_of, clamp_initializer, interleaved, output_zero_point, runs_of_four
from .geometry import Window, window_of
from .spec import KernelCall, Variant

_MOST_FILLED = 2.0
"""Above so many taps, filled up to multiples of four, for each one of the model the portable kernel is no slower."""


def _window(model: Model, operator: Operator) -> Window:
    _, height, width, _ = model.required(operator, 1).shape
    return window_of(model, operator, height, width).flattened


def _run(window: Window) -> int:
    """Neighbouring bytes under the window."""
    return (window.x.filter if window.x.dilation == 1 else 1) * window.input_channels


def _filled_taps(window: Window) -> int:
    taps, run = window.y.filter * window.x.filter * window.input_channels, _run(window)
    return taps // run * (run + 3 & ~3)


def _fits(model: Model, operator: Operator) -> bool:
    window = _window(model, operator)
    taps = window.y.filter * window.x.filter * window.input_channels
    filters = filters_of(model, operator, 0, broadcast=True)
    return (
        _filled_taps(window) <= _MOST_FILLED * taps
        and channels_of(filters, output_zero_point(model, operator)) is not None
    )


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    window = _window(model, operator)
    filters = filters_of(model, operator, 0, broadcast=True)
    channels = channels_of(filters, output_zero_point(model, operator))
    assert channels is not None
    weights = interleaved(runs_of_four(filters.weights * channels.live[:, None], _run(window)), 2)
    return (
        KernelCall(
            function="lw_conv_2d_s8_dsp",
            source="conv_2d_s8_dsp.c",
            also=("columns_s8_dsp.c", "multiply_s8_dsp.c", "clamp_values_s8.c"),
            params_type="lw_columns_params",
            params=(
                ("window", window.initializer),
                ("input_zero_point", str(zero_point_of(model.required(operator, 0)))),
                ("column_words", str(_filled_taps(window))),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=("in0", "const:weights", "const:channels", "scratch", "out0"),
            constants=(byte_words(weights), channels.constant(2)),
        ),
    )


DSP = Variant(
    name="dsp",
    extension="dsp",
    fits=_fits,
    emit=_emit,
    scratch_bytes=lambda model, operator: 4 * _filled_taps(_window(model, operator)),
)

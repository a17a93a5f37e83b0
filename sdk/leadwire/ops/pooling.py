"""What MAX_POOL_2D and AVERAGE_POOL_2D share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from leadwire.model.graph import Model, Operator

from .arithmetic import activation_range, letters_of
from .dsp import clamp_initializer
from .geometry import WINDOW_OPTIONS, Window, distance_by_channel, in_bytes, integer, window_of
from .rules import FUSED_ACTIVATION, activations, batch_one, computed, inputs, rank
from .spec import SIMD, Distance, Extension, KernelCall, OperatorSpec, Rule, Variant

_MOST_TAPS = 255
"""As many bytes can be added in a 16-bit lane."""


def _window(model: Model, operator: Operator) -> Window:
    return window_of(model, operator, integer(operator, "filter_height", 1), integer(operator, "filter_width", 1))


def _shapes_match(model: Model, operator: Operator) -> bool:
    data, output = model.required(operator, 0), model.output(operator)
    if len(output.shape) != 4 or min(data.shape) < 1:
        return False
    window = _window(model, operator)
    return output.shape[1:] == (window.y.output, window.x.output, data.shape[3])


def _same_scale(model: Model, operator: Operator) -> bool:
    """TensorFlow Lite Micro's bound: scales within 1e-6, equal zero points; no rescale takes place."""
    data, output = model.required(operator, 0), model.output(operator)
    if data.quantization is None or output.quantization is None:
        return False
    return (
        data.dtype is output.dtype
        and abs(data.quantization.scale - output.quantization.scale) <= 1e-6
        and data.quantization.zero_point == output.quantization.zero_point
    )


def pool(kind: str) -> OperatorSpec:
    """The specification of a pooling operator."""

    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        kernel = f"{kind.lower()}_{letters_of(model.output(operator))}"
        low, high = activation_range(str(operator.option("fused_activation_function", "NONE")), model.output(operator))
        return (
            KernelCall(
                function=f"lw_{kernel}",
                source=f"{kernel}.c",
                params_type="lw_pool_params",
                params=(
                    ("window", _window(model, operator).initializer),
                    ("activation_min", str(low)),
                    ("activation_max", str(high)),
                ),
                arguments=("in0", "out0"),
            ),
        )

    def distance(model: Model, operator: Operator) -> Distance:
        return in_bytes(model.output(operator), distance_by_channel(_window(model, operator)))

    def fits_simd(model: Model, operator: Operator) -> bool:
        window = _window(model, operator)
        return all(axis.before < axis.filter for axis in (window.y, window.x))

    def fits_mve(model: Model, operator: Operator) -> bool:
        window = _window(model, operator)
        short = kind == "MAX_POOL_2D" or window.y.filter * window.x.filter <= _MOST_TAPS
        return fits_simd(model, operator) and short

    def fits_dsp(model: Model, operator: Operator) -> bool:
        return fits_mve(model, operator) and _window(model, operator).input_channels % 4 == 0

    def emit_lanes(model: Model, operator: Operator, extension: Extension) -> tuple[KernelCall, ...]:
        kernel = f"{kind.lower()}_s8_{extension}"
        return (
            KernelCall(
                function=f"lw_{kernel}",
                source=f"{kernel}.c",
                also=("clamp_values_s8.c",),
                params_type="lw_taps_params",
                params=(
                    ("window", _window(model, operator).initializer),
                    ("input_zero_point", "0"),
                    ("center", "0"),
                    ("clamp", clamp_initializer(model, operator)),
                ),
                arguments=("in0", "out0"),
            ),
        )

    def emit_simd(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        name = f"{kind.lower()}_s8_simd"
        return tuple(replace(call, function=f"lw_{name}", source=f"{name}.c") for call in emit(model, operator))

    def lanes(extension: Extension, fits: Callable[[Model, Operator], bool]) -> Variant:
        return Variant(
            name=extension,
            extension=extension,
            fits=fits,
            emit=lambda model, op: emit_lanes(model, op, extension),
            distance=distance,
        )

    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(1),
            activations(0),
            computed(0),
            rank(0, 4, 4),
            batch_one(0),
            FUSED_ACTIVATION,
            WINDOW_OPTIONS,
            Rule(
                text="input and output have the same scale (within 1e-6) and zero point",
                holds=_same_scale,
                remedy="convert the model again: the TensorFlow converter makes them equal",
            ),
            Rule(text="input and output shapes agree", holds=_shapes_match, remedy="export the model again"),
        ),
        emit=emit,
        distance=distance,
        variants=(
            Variant(name=SIMD, extension="simd", fits=fits_simd, emit=emit_simd),
            lanes("mve", fits_mve),
            lanes("dsp", fits_dsp),
        ),
    )

"""TRANSPOSE_CONV: weights [outputs, height, width, inputs], per-channel or per-tensor; any stride, SAME or VALID."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leadwire.model.graph import Model, Operator

from .arithmetic import letters_of, zero_point_of
from .convolution import constants_of, output_params, weight_rules
from .geometry import WINDOW_OPTIONS, Axis, in_bytes
from .rules import FUSED_ACTIVATION, activations, batch_one, computed, inputs, rank
from .spec import Distance, KernelCall, OperatorSpec, Rule
from .transpose_conv_dsp import BIAS, DATA, VARIANTS, transposed_filters, turned_window
from .walk import constants


def _shapes_match(model: Model, operator: Operator) -> bool:
    data, weights, output = model.required(operator, DATA), model.required(operator, 1), model.output(operator)
    if len(output.shape) != 4 or constants(model, operator, 0) != output.shape:
        return False
    if min(data.shape + weights.shape + output.shape) < 1 or weights.shape[3] != data.shape[3]:
        return False
    window = turned_window(model, operator)
    return weights.shape[0] == output.shape[3] and data.shape[1:3] == (window.y.output, window.x.output)


def _macs(model: Model, operator: Operator) -> int:
    outputs, height, width, _ = model.required(operator, 1).shape
    return model.required(operator, DATA).elements * outputs * height * width


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    weights, kernel = model.required(operator, 1).array, f"transpose_conv_{letters_of(model.output(operator))}"
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_convolution_params",
            params=(
                ("window", turned_window(model, operator).initializer),
                ("input_zero_point", str(zero_point_of(model.required(operator, DATA)))),
                *output_params(model, operator),
            ),
            arguments=(f"in{DATA}", "const:weights", "const:bias", "const:rescale", "out0"),
            constants=constants_of(transposed_filters(model, operator), weights, folded=False),
        ),
    )


def _lowest(axis: Axis) -> npt.NDArray[np.int64]:
    """The first place of the input that each output position or a later one reads."""
    position = np.arange(axis.size) + axis.before
    places = np.maximum(0, -(-(position - axis.filter + 1) // axis.stride))
    return np.minimum.accumulate(np.minimum(places, axis.output)[::-1])[::-1]


def _distance(model: Model, operator: Operator) -> Distance:
    window = turned_window(model, operator)
    places = _lowest(window.y)[:, None] * window.x.output + _lowest(window.x)
    first = np.minimum.accumulate((places.reshape(-1) * window.output_channels)[::-1])[::-1]
    written = np.arange(1, len(first) + 1) * window.input_channels
    return Distance(below=int((written - first).max()), position=DATA)


SPEC = OperatorSpec(
    kind="TRANSPOSE_CONV",
    rules=(
        inputs(3, optional=1),
        activations(DATA),
        computed(DATA),
        rank(DATA, 4, 4),
        batch_one(DATA),
        FUSED_ACTIVATION,
        WINDOW_OPTIONS,
        *weight_rules(output_axis=0, rank=4, data=DATA, bias=BIAS),
        Rule(
            text="the output shape is constant and agrees with input, weights, strides and padding",
            holds=_shapes_match,
            remedy="export the model again",
        ),
    ),
    emit=_emit,
    macs=_macs,
    distance=lambda model, op: in_bytes(model.output(op), _distance(model, op)),
    variants=VARIANTS,
)

"""DEPTHWISE_CONV_2D: weights [1, height, width, outputs], any depth multiplier, stride, dilation, SAME or VALID.

With a single input channel it is the same sum as CONV_2D and is emitted as that.
"""

from __future__ import annotations

import numpy as np

from leadwire.model.graph import Model, Operator

from .arithmetic import letters_of, zero_point_of
from .convolution import constants_of, filter_window, filters_of, output_params, weight_rules
from .depthwise_conv_2d_dsp import DSP
from .depthwise_conv_2d_mve import MVE
from .depthwise_conv_2d_simd import SIMD_VARIANT
from .geometry import WINDOW_OPTIONS, distance_by_position, in_bytes, window_of
from .rules import BATCHES_ARE_ROWS, FUSED_ACTIVATION, activations, computed, inputs, rank
from .spec import BACKWARD, KernelCall, OperatorSpec, Rule


def _shapes_match(model: Model, operator: Operator) -> bool:
    data, weights, output = model.required(operator, 0), model.required(operator, 1), model.output(operator)
    if len(output.shape) != 4 or weights.shape[0] != 1 or weights.shape[3] != output.shape[3]:
        return False
    if min(data.shape + weights.shape) < 1 or output.shape[3] % data.shape[3]:
        return False
    window = window_of(model, operator, weights.shape[1], weights.shape[2])
    return operator.option("depth_multiplier", output.shape[3] // data.shape[3]) == output.shape[3] // data.shape[
        3
    ] and (output.shape[0] * output.shape[1], output.shape[2]) == (window.y.output, window.x.output)


def _macs(model: Model, operator: Operator) -> int:
    _, height, width, _ = model.required(operator, 1).shape
    return model.output(operator).elements * height * width


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    weights = model.required(operator, 1).array
    single = model.required(operator, 0).shape[3] == 1
    kernel = f"{'conv_2d' if single else 'depthwise_conv_2d'}_{letters_of(model.output(operator))}"
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_convolution_params",
            params=(
                ("window", filter_window(model, operator).initializer),
                ("input_zero_point", str(zero_point_of(model.required(operator, 0)))),
                *output_params(model, operator),
                ("backward", BACKWARD),
            ),
            arguments=("in0", "const:weights", "const:bias", "const:rescale", "out0"),
            constants=constants_of(
                filters_of(model, operator, 3, broadcast=True), np.moveaxis(weights, 3, 0) if single else weights
            ),
        ),
    )


SPEC = OperatorSpec(
    kind="DEPTHWISE_CONV_2D",
    rules=(
        inputs(2, optional=1),
        activations(0),
        computed(0),
        rank(0, 4, 4),
        BATCHES_ARE_ROWS,
        FUSED_ACTIVATION,
        WINDOW_OPTIONS,
        *weight_rules(output_axis=3, rank=4),
        Rule(
            text="input, weight and output shapes and the depth multiplier agree",
            holds=_shapes_match,
            remedy="export the model again",
        ),
    ),
    emit=_emit,
    macs=_macs,
    distance=lambda model, op: in_bytes(model.output(op), distance_by_position(filter_window(model, op), 2)),
    variants=(SIMD_VARIANT, MVE, DSP),
)

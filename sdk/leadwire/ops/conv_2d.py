"""CONV_2D: weights [outputs, height, width, inputs], per-channel or per-tensor; any stride, dilation, SAME or VALID,
one group or several.
"""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import letters_of, zero_point_of
from .conv_2d_dsp import VARIANTS
from .conv_2d_grouped import GROUPED_VARIANTS, grouped_calls, grouped_distance
from .conv_2d_packed import PACKED
from .convolution import constants_of, filter_window, filters_of, output_params, weight_rules
from .geometry import WINDOW_OPTIONS, distance_by_position, groups_of, in_bytes, window_of
from .rules import BATCHES_ARE_ROWS, FUSED_ACTIVATION, activations, computed, inputs, rank
from .spec import BACKWARD, Distance, KernelCall, OperatorSpec, Rule


def _shapes_match(model: Model, operator: Operator) -> bool:
    data, weights, output = model.required(operator, 0), model.required(operator, 1), model.output(operator)
    if len(output.shape) != 4 or weights.shape[0] != output.shape[3] or min(data.shape + weights.shape) < 1:
        return False
    window = window_of(model, operator, weights.shape[1], weights.shape[2])
    return (
        data.shape[3] % weights.shape[3] == 0
        and weights.shape[0] % groups_of(model, operator) == 0
        and (output.shape[0] * output.shape[1], output.shape[2]) == (window.y.output, window.x.output)
    )


def _macs(model: Model, operator: Operator) -> int:
    _, height, width, channels = model.required(operator, 1).shape
    return model.output(operator).elements * height * width * channels


def _distance(model: Model, operator: Operator) -> Distance:
    if groups_of(model, operator) > 1:
        return grouped_distance(model, operator)
    return in_bytes(model.output(operator), distance_by_position(filter_window(model, operator).flattened, 2))


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    if groups_of(model, operator) > 1:
        return grouped_calls(model, operator)
    kernel = f"conv_2d_{letters_of(model.output(operator))}"
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_convolution_params",
            params=(
                ("window", filter_window(model, operator).flattened.initializer),
                ("input_zero_point", str(zero_point_of(model.required(operator, 0)))),
                *output_params(model, operator),
                ("backward", BACKWARD),
            ),
            arguments=("in0", "const:weights", "const:bias", "const:rescale", "out0"),
            constants=constants_of(filters_of(model, operator, 0, broadcast=True), model.required(operator, 1).array),
        ),
    )


SPEC = OperatorSpec(
    kind="CONV_2D",
    rules=(
        inputs(2, optional=1),
        activations(0),
        computed(0),
        rank(0, 4, 4),
        BATCHES_ARE_ROWS,
        FUSED_ACTIVATION,
        WINDOW_OPTIONS,
        *weight_rules(output_axis=0, rank=4),
        Rule(
            text="input, weight and output shapes agree, and groups share the channels evenly",
            holds=_shapes_match,
            remedy="export the model again",
        ),
    ),
    emit=_emit,
    macs=_macs,
    distance=_distance,
    variants=(*VARIANTS, *GROUPED_VARIANTS, *PACKED),
)

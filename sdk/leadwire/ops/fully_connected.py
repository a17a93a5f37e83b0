"""FULLY_CONNECTED: weights [outputs, depth], per-channel (TensorFlow 2.21 writes these) or per-tensor."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import letters_of, scale_of
from .convolution import constants_of, filters_of, output_params, weight_rules
from .fully_connected_dsp import VARIANTS
from .fully_connected_packed import PACKED
from .rules import FUSED_ACTIVATION, activations, computed, inputs
from .spec import KernelCall, OperatorSpec, Rule


def _shapes_match(model: Model, operator: Operator) -> bool:
    data, output = model.required(operator, 0), model.output(operator)
    outputs, depth = model.required(operator, 1).shape
    return (
        min(outputs, depth) >= 1
        and data.elements % depth == 0
        and output.elements == data.elements // depth * outputs
        and output.shape[-1:] == (outputs,)
    )


def _bias_scale_agrees(model: Model, operator: Operator) -> bool:
    """TensorFlow Lite's bound for per-tensor weights: |input * weight scale - bias scale| <= 0.02 output scale."""
    weights, bias = model.required(operator, 1), model.input(operator, 2)
    if bias is None or bias.quantization is None or weights.quantization is None or weights.quantization.per_channel:
        return True
    product = scale_of(model.required(operator, 0)) * weights.quantization.scale
    return abs(product - scale_of(bias)) <= 0.02 * scale_of(model.output(operator))


def _macs(model: Model, operator: Operator) -> int:
    return model.output(operator).elements * model.required(operator, 1).shape[1]


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    outputs, depth = model.required(operator, 1).shape
    filters = filters_of(model, operator, 0, broadcast=False)
    kernel = f"fully_connected_{letters_of(model.output(operator))}"
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_fully_connected_params",
            params=(
                ("rows", str(model.required(operator, 0).elements // depth)),
                ("depth", str(depth)),
                ("outputs", str(outputs)),
                ("rescale_step", str(int(len(filters.factors) > 1))),
                *output_params(model, operator),
            ),
            arguments=("in0", "const:weights", "const:bias", "const:rescale", "out0"),
            constants=constants_of(filters, model.required(operator, 1).array),
        ),
    )


SPEC = OperatorSpec(
    kind="FULLY_CONNECTED",
    rules=(
        inputs(2, optional=1),
        activations(0),
        computed(0),
        FUSED_ACTIVATION,
        Rule(
            text="the weights format is DEFAULT",
            holds=lambda model, op: op.option("weights_format", "DEFAULT") == "DEFAULT",
            remedy="convert for the portable kernels, without shuffled weights",
        ),
        *weight_rules(output_axis=0, rank=2),
        Rule(
            text="the bias scale is input scale * weight scale",
            holds=_bias_scale_agrees,
            remedy="convert the model again with a current converter",
        ),
        Rule(text="input, weight and output shapes agree", holds=_shapes_match, remedy="export the model again"),
    ),
    emit=_emit,
    macs=_macs,
    variants=(*VARIANTS, *PACKED),
)

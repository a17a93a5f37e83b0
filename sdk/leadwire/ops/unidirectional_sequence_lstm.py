"""UNIDIRECTIONAL_SEQUENCE_LSTM: the fused LSTM that tf_keras's layer becomes, int8 with a cell state of int16.

Source: TensorFlow Lite Micro's integer kernel. The states are variables of the file; here they are 0 at the start of
every inference, as those of a Keras layer with stateful=False, and lie in the operator's scratch.
"""

from __future__ import annotations

import math

import numpy as np

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor, TensorType

from . import sigmoid
from .arithmetic import INT16_MAX, INT16_MIN, INT32_MAX, Rescale, rescale, scale_of, zero_point_of
from .rules import computed, is_int8, is_int16
from .spec import Constant, KernelCall, OperatorSpec, Rule

_INPUTS = 24
_GATES = ((1, 5, 12), (2, 6, 13), (4, 8, 15), (3, 7, 14))
"""Positions of input weights, hidden weights and bias of the gates input, forget, output, cell."""
_HIDDEN, _CELL = 18, 19
_UNUSED = (9, 10, 11, 16, 17, 20, 21, 22, 23)
_GATE_SCALE, _RESULT_SCALE = 2.0**-12, 2.0**-15


def _sizes(model: Model, operator: Operator) -> tuple[int, int, int]:
    """Steps, inputs, units."""
    _, steps, inputs = model.required(operator, 0).shape
    return steps, inputs, model.output(operator).shape[-1]


def _plain(model: Model, op: Operator) -> bool:
    needed = (0, _HIDDEN, _CELL, *(position for gate in _GATES for position in gate))
    return (
        len(op.inputs) == _INPUTS
        and len(op.outputs) == 1
        and all(model.input(op, position) is not None for position in needed)
        and all(model.input(op, position) is None for position in _UNUSED)
    )


def _types(model: Model, op: Operator) -> bool:
    hidden, cell = model.required(op, _HIDDEN), model.required(op, _CELL)
    return (
        is_int8(model.input(op, 0))
        and is_int8(hidden)
        and hidden.variable
        and cell.variable
        and is_int8(model.output(op))
        and hidden.quantization == model.output(op).quantization
    )


def _shapes(model: Model, op: Operator) -> bool:
    given, made = model.required(op, 0).shape, model.output(op).shape
    if len(given) != 3 or len(made) != 3 or given[0] != 1 or made[:2] != given[:2] or min(given + made) < 1:
        return False
    _, inputs, units = _sizes(model, op)
    return all(model.required(op, state).elements == units for state in (_HIDDEN, _CELL)) and all(
        model.required(op, x).shape == (units, inputs)
        and model.required(op, h).shape == (units, units)
        and model.required(op, bias).shape == (units,)
        for x, h, bias in _GATES
    )


def _constants_hold(model: Model, op: Operator) -> bool:
    def weights(tensor: Tensor) -> bool:
        q = tensor.quantization
        return tensor.is_constant and is_int8(tensor) and q is not None and q.zero_points == (0,)

    return all(
        weights(model.required(op, x))
        and weights(model.required(op, h))
        and model.required(op, bias).is_constant
        and model.required(op, bias).dtype is TensorType.INT32
        for x, h, bias in _GATES
    )


def _bound(model: Model, op: Operator, position: int, bias: int | None) -> int:
    values = model.required(op, position).array.astype(np.int64)
    added = 0 if bias is None else int(np.abs(model.required(op, bias).array.astype(np.int64)).max())
    return added + 256 * int(np.abs(values).sum(axis=1).max())


def _gate_rescales(model: Model, op: Operator) -> tuple[list[Rescale | None], list[Rescale | None]]:
    """Of input and hidden state, for each gate."""

    def of(data: int, weights: int, bias: int | None) -> Rescale | None:
        factor = scale_of(model.required(op, data)) * scale_of(model.required(op, weights)) / _GATE_SCALE
        bound = _bound(model, op, weights, bias)
        return rescale(factor, bound) if bound <= INT32_MAX else None

    return [of(0, x, bias) for x, _, bias in _GATES], [of(_HIDDEN, h, None) for _, h, _ in _GATES]


def _products(model: Model, op: Operator) -> tuple[Rescale | None, ...]:
    """Of forget gate * cell, input gate * cell gate, tanh(cell) * output gate."""
    cell, hidden = scale_of(model.required(op, _CELL)), scale_of(model.required(op, _HIDDEN))
    one = _RESULT_SCALE
    factors = one * cell / cell, one * one / cell, one * one / hidden
    return tuple(rescale(factor, 2**30) for factor in factors)


def _power(model: Model, op: Operator) -> int | None:
    """The cell state's scale is 2 to this power."""
    power = math.log2(scale_of(model.required(op, _CELL)))
    return round(power) if power == round(power) and -24 <= power <= -4 else None


def _fits(model: Model, op: Operator) -> bool:
    given, hidden = _gate_rescales(model, op)
    return None not in given and None not in hidden and None not in _products(model, op)


def _clip(model: Model, op: Operator) -> tuple[int, int]:
    """Lowest and highest cell."""
    clip = float(op.option("cell_clip", 0.0))  # type: ignore[arg-type]
    if clip <= 0:
        return INT16_MIN, INT16_MAX
    high = int(min(clip / scale_of(model.required(op, _CELL)), INT16_MAX))
    return -high, high


def _scratch(model: Model, op: Operator) -> int:
    return 11 * model.output(op).shape[-1]


def _emit(model: Model, op: Operator) -> tuple[KernelCall, ...]:
    steps, inputs, units = _sizes(model, op)
    power, (given, hidden), products = _power(model, op), _gate_rescales(model, op), _products(model, op)
    assert power is not None
    zero, hidden_zero = zero_point_of(model.required(op, 0)), zero_point_of(model.required(op, _HIDDEN))

    def row(scales: list[Rescale | None]) -> str:
        return "{" + ", ".join(scale.initializer for scale in scales if scale is not None) + "}"

    def table(suffix: str, place: int) -> Constant:
        rows = [model.required(op, gate[place]).array.reshape(-1) for gate in _GATES]
        return Constant(suffix=suffix, ctype="int8_t", values=tuple(int(v) for one in rows for v in one))

    def biases(suffix: str, place: int, zero_point: int) -> Constant:
        rows = []
        for gate in _GATES:
            bias = model.required(op, gate[2]).array.astype(np.int64) if place == 0 else np.int64(0)
            rows.append(bias - zero_point * model.required(op, gate[place]).array.astype(np.int64).sum(axis=1))
        return Constant(suffix=suffix, ctype="int32_t", values=tuple(int(v) for one in rows for v in one))

    low, high = _clip(model, op)
    names = ("rescale_forget", "rescale_cell", "rescale_output")
    multiplier, right = (3 << (power + 12), 0) if power >= -12 else (3, -12 - power)
    return (
        KernelCall(
            function="lw_unidirectional_sequence_lstm_s8",
            source="unidirectional_sequence_lstm_s8.c",
            also=("sigmoid_s16.c",),
            params_type="lw_lstm_params",
            params=(
                ("steps", str(steps)),
                ("inputs", str(inputs)),
                ("units", str(units)),
                ("rescale_input", row(given)),
                ("rescale_hidden", row(hidden)),
                *((name, one.initializer) for name, one in zip(names, products, strict=True) if one is not None),
                ("sigmoid", sigmoid.initializer(3 * units, 3, 0, is_tanh=False)),
                ("tanh_gate", sigmoid.initializer(units, 3, 0, is_tanh=True)),
                ("tanh_cell", sigmoid.initializer(units, multiplier, right, is_tanh=True)),
                ("cell_min", str(low)),
                ("cell_max", str(high)),
                ("hidden_zero_point", str(hidden_zero)),
            ),
            arguments=(
                "in0",
                "const:input_weights",
                "const:input_bias",
                "const:hidden_weights",
                "const:hidden_bias",
                "out0",
                "scratch:halves",
            ),
            constants=(
                table("input_weights", 0),
                biases("input_bias", 0, zero),
                table("hidden_weights", 1),
                biases("hidden_bias", 1, hidden_zero),
            ),
        ),
    )


SPEC = OperatorSpec(
    kind="UNIDIRECTIONAL_SEQUENCE_LSTM",
    rules=(
        Rule(
            text="24 inputs, those of a plain LSTM: no peepholes, projection or layer normalization, and 1 output",
            holds=_plain,
            remedy="use a plain LSTM layer, or build it with unroll=True",
        ),
        Rule(
            text="input, output and hidden state are int8, the last two of one scale; both states are variables",
            holds=_types,
            remedy="convert with full INT8 quantization (a fused LSTM has no 16x8 form)",
        ),
        Rule(
            text="the cell state is int16 with one scale and zero point 0",
            holds=lambda model, op: is_int16(model.input(op, _CELL)),
            remedy="convert with full INT8 quantization",
        ),
        computed(0),
        Rule(
            text="batch size 1, [1, steps, inputs] to [1, steps, units], and all tables have these sizes",
            holds=_shapes,
            remedy="fix the batch size to 1 before converting",
        ),
        Rule(
            text="weights are constant int8 with one scale and zero point 0, biases constant int32",
            holds=_constants_hold,
            remedy="convert with full INT8 quantization",
        ),
        Rule(
            text="time is not the first dimension, and the activation is TANH",
            holds=lambda model, op: (
                not op.option("time_major", False) and op.option("fused_activation_function", "NONE") == "TANH"
            ),
            remedy="build the layer with its default activations and time_major=False",
        ),
        Rule(
            text="the cell state's scale is a power of two from 2^-24 to 2^-4",
            holds=lambda model, op: _power(model, op) is not None,
            remedy="convert the model again: the TensorFlow converter makes it one",
        ),
        Rule(
            text="no 32-bit accumulator can overflow, whatever the input",
            holds=_fits,
            remedy="calibrate with data of the true range, or use fewer units",
        ),
    ),
    emit=_emit,
    macs=lambda model, op: math.prod(_sizes(model, op)[:1]) * 4 * _sizes(model, op)[2] * sum(_sizes(model, op)[1:]),
    scratch_bytes=_scratch,
)

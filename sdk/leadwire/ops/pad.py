"""PAD: the zero point around the input."""

from __future__ import annotations

import math

from leadwire.model.graph import Model, Operator

from .padding import is_left_out, padding_value, paddings
from .rules import activations, computed, inputs, is_int16, rank, same_quantization
from .spec import KernelCall, OperatorSpec, Rule

_RANK = 4


def _shapes_match(model: Model, operator: Operator) -> bool:
    pairs = paddings(model, operator)
    if pairs is None:
        return False
    shape = model.required(operator, 0).shape
    return model.output(operator).shape == tuple(
        before + size + after for size, (before, after) in zip(shape, pairs, strict=True)
    )


def _value_fits(model: Model, operator: Operator) -> bool:
    if len(operator.inputs) < 3:
        return True
    value = model.input(operator, 2)
    return (
        value is not None
        and value.dtype is model.output(operator).dtype
        and value.is_constant
        and math.prod(value.shape) == 1
        and value.quantization == model.output(operator).quantization
        and not (is_int16(value) and value.array.any())
    )


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    pairs = paddings(model, operator)
    assert pairs is not None
    shape = model.required(operator, 0).shape
    size = model.output(operator).dtype.item_bytes
    pairs = [*pairs[:-1], (size * pairs[-1][0], size * pairs[-1][1])]  # of the last dimension in bytes
    shape = (*shape[:-1], size * shape[-1])
    lead = _RANK - len(shape)

    def row(values: list[int], missing: int) -> str:
        return "{" + ", ".join(str(v) for v in [missing] * lead + values) + "}"

    return (
        KernelCall(
            function="lw_pad_s8",
            source="pad_s8.c",
            params_type="lw_pad_params",
            params=(
                ("size", row(list(shape), 1)),
                ("before", row([before for before, _ in pairs], 0)),
                ("after", row([after for _, after in pairs], 0)),
                ("value", str(padding_value(model, operator))),
            ),
            arguments=("in0:bytes", "out0:bytes"),
        ),
    )


def pad(kind: str, *, values: int) -> OperatorSpec:
    """PAD, or PADV2 with an explicit value (`values` 1)."""
    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(2 + values),
            activations(0),
            computed(0),
            rank(0, 1, _RANK),
            same_quantization(lambda op: range(1)),
            Rule(
                text="paddings are constant, not negative, one pair per dimension, and give the output's shape",
                holds=_shapes_match,
                remedy="use fixed paddings",
            ),
            Rule(
                text="the padding value is one constant of the output's type, scale and zero point, 0 of int16 tensors",
                holds=_value_fits,
                remedy="pad with 0, or convert the model again",
            ),
        ),
        emit=_emit,
        left_out=Rule(
            text="the zero point is put around height and width alone, and all that reads the output are VALID "
            "convolutions whose windows are larger than what is put there; these then overhang the input",
            holds=is_left_out,
        ),
    )


SPEC = pad("PAD", values=0)

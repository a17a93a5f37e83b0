"""ABS: the magnitude of each value, on the output's scale."""

from __future__ import annotations

from collections.abc import Callable

from leadwire.model.graph import Model, Operator

from .arithmetic import Rescale, rescale, scale_of, span_of, zero_point_of
from .lookup import clamp, lookup
from .spec import KernelCall, Rule


def _rescale(model: Model, operator: Operator) -> Rescale | None:
    data = model.required(operator, 0)
    return rescale(scale_of(data) / scale_of(model.output(operator)), span_of(data))


def _value(model: Model, operator: Operator) -> Callable[[int], int]:
    factor, zero = _rescale(model, operator), zero_point_of(model.output(operator))
    assert factor is not None
    return lambda x: clamp(zero + factor.of(abs(x)))


def _wide(model: Model, operator: Operator) -> KernelCall:
    factor = _rescale(model, operator)
    assert factor is not None
    return KernelCall(
        function="lw_abs_s16",
        source="abs_s16.c",
        params_type="lw_abs_params",
        params=(("count", str(model.output(operator).elements)), ("rescale", factor.initializer)),
        arguments=("in0", "out0"),
    )


SPEC = lookup(
    "ABS",
    Rule(
        text="the input scale is less than 2^23 output scales, 2^16 of int16 tensors",
        holds=lambda model, op: _rescale(model, op) is not None,
        remedy="calibrate with data of the true range",
    ),
    value=_value,
    wide=_wide,
)

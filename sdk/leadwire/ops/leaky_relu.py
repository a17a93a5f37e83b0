"""LEAKY_RELU: x where it is positive, alpha * x elsewhere, each with a rescale of its own."""

from __future__ import annotations

from collections.abc import Callable

from leadwire.model.graph import Model, Operator

from .arithmetic import Rescale, rescale, scale_of, span_of, zero_point_of
from .lookup import clamp, lookup
from .spec import KernelCall, Rule


def _rescales(model: Model, operator: Operator) -> tuple[Rescale | None, Rescale | None]:
    """Of inputs that are not negative and of those that are."""
    given, output = scale_of(model.required(operator, 0)), scale_of(model.output(operator))
    alpha = operator.option("alpha", 0.0)
    if not isinstance(alpha, int | float) or not alpha >= 0:
        return None, None
    largest = span_of(model.required(operator, 0))
    return rescale(given / output, largest), rescale(given * alpha / output, largest)


def _value(model: Model, operator: Operator) -> Callable[[int], int]:
    above, below = _rescales(model, operator)
    assert above is not None and below is not None
    zero = zero_point_of(model.output(operator))
    return lambda x: clamp(zero + (above if x >= 0 else below).of(x))


def _wide(model: Model, operator: Operator) -> KernelCall:
    above, below = _rescales(model, operator)
    assert above is not None and below is not None
    return KernelCall(
        function="lw_leaky_relu_s16",
        source="leaky_relu_s16.c",
        params_type="lw_leaky_relu_params",
        params=(
            ("count", str(model.output(operator).elements)),
            ("rescale_above", above.initializer),
            ("rescale_below", below.initializer),
        ),
        arguments=("in0", "out0"),
    )


SPEC = lookup(
    "LEAKY_RELU",
    Rule(
        text="alpha is not negative, and the input scale and alpha times it are less than 2^23 output scales, 2^16 of "
        "int16 tensors",
        holds=lambda model, op: None not in _rescales(model, op),
        remedy="calibrate with data of the true range",
    ),
    value=_value,
    wide=_wide,
)

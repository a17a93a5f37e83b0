"""LEAKY_RELU: x where it is positive, alpha * x elsewhere, each with a rescale of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from leadwire.model.graph import Model, Operator

from .arithmetic import Rescale, rescale, scale_of, zero_point_of
from .lookup import clamp, lookup
from .spec import Rule


def _rescales(model: Model, operator: Operator) -> tuple[Rescale | None, Rescale | None]:
    """Of inputs that are not negative and of those that are; factors in float32 as TensorFlow Lite Micro forms them."""
    given, output = np.float32(scale_of(model.required(operator, 0))), np.float32(scale_of(model.output(operator)))
    option = operator.option("alpha", 0.0)
    if not isinstance(option, int | float):
        return None, None
    alpha = np.float32(option)
    with np.errstate(over="ignore", under="ignore"):
        factors = float(given / output), float(given * alpha / output)
    return rescale(factors[0], 255), rescale(factors[1], 255) if factors[1] >= 0 else None


def _value(model: Model, operator: Operator) -> Callable[[int], int]:
    above, below = _rescales(model, operator)
    assert above is not None and below is not None
    zero = zero_point_of(model.output(operator))
    return lambda x: clamp(zero + (above if x >= 0 else below).of(x))


SPEC = lookup(
    "LEAKY_RELU",
    Rule(
        text="alpha is not negative, and the input scale and alpha times it are less than 2^23 output scales",
        holds=lambda model, op: None not in _rescales(model, op),
        remedy="calibrate with data of the true range",
    ),
    value=_value,
)

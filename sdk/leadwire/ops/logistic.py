"""LOGISTIC: 1 / (1 + exp(-x))."""

from __future__ import annotations

from . import sigmoid
from .fixed_point import logistic
from .lookup import fixed_output, lookup, saturating

SPEC = lookup(
    "LOGISTIC",
    sigmoid.input_scale(0),
    fixed_output(1 / 256, -128, "1/256"),
    value=saturating(logistic, 8, -128),
    wide=sigmoid.logistic,
)

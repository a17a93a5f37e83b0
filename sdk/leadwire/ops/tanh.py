"""TANH."""

from __future__ import annotations

from . import sigmoid
from .fixed_point import tanh
from .lookup import fixed_output, lookup, saturating

SPEC = lookup(
    "TANH",
    sigmoid.input_scale(1),
    fixed_output(1 / 128, 0, "1/128"),
    value=saturating(tanh, 7, 0),
    wide=sigmoid.tanh,
)

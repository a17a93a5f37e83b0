"""TANH of an int8 tensor."""

from __future__ import annotations

from .fixed_point import tanh
from .lookup import INPUT_SCALE, fixed_output, lookup, saturating

SPEC = lookup("TANH", INPUT_SCALE, fixed_output(1 / 128, 0, "1/128"), value=saturating(tanh, 7, 0))

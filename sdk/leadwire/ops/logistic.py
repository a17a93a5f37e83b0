"""LOGISTIC: 1 / (1 + exp(-x)) of an int8 tensor."""

from __future__ import annotations

from .fixed_point import logistic
from .lookup import INPUT_SCALE, fixed_output, lookup, saturating

SPEC = lookup("LOGISTIC", INPUT_SCALE, fixed_output(1 / 256, -128, "1/256"), value=saturating(logistic, 8, -128))

"""ELU: x where it is not negative, e^x - 1 elsewhere.

Source: TensorFlow Lite Micro's kernel, which fills a table in single precision when it is prepared: real value,
function, output units, halves away from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from leadwire.model.graph import Model, Operator

from .arithmetic import scale_of, zero_point_of
from .lookup import clamp, lookup


def _value(model: Model, operator: Operator) -> Callable[[int], int]:
    output, one = model.output(operator), np.float32(1)
    scale, per_unit = np.float32(scale_of(model.required(operator, 0))), one / np.float32(scale_of(output))
    zero = zero_point_of(output)

    def of(x: int) -> int:
        real = scale * np.float32(x)
        if real < 0:
            real = np.float32(math.exp(float(real))) - one
        units = float(real * per_unit)
        return clamp(zero + int(math.copysign(math.floor(min(abs(units), 1024.0) + 0.5), units)))

    return of


SPEC = lookup("ELU", value=_value)

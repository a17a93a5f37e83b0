"""SUB: as ADD with the second input subtracted, but for its factors, which are formed in float32."""

from __future__ import annotations

import numpy as np

from leadwire.model.graph import Model, Operator

from .add_dsp import head_room
from .addition import Rescales, addition
from .arithmetic import rescale, scale_of, span_of


def _rescales(model: Model, operator: Operator) -> Rescales:
    """Of input 0, input 1 and output; None where a factor does not lie below 1."""
    a, b = (np.float32(scale_of(model.required(operator, position))) for position in (0, 1))
    output = np.float32(scale_of(model.output(operator)))
    bits = head_room(model.output(operator))
    largest = span_of(model.output(operator)) << bits
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        common = np.float32(2) * max(a, b)
        factors = float(a / common), float(b / common)
        result = float(common / (np.float32(1 << bits) * output))
    return (
        rescale(factors[0], largest),
        rescale(factors[1], largest),
        rescale(result, largest + 2) if 0 < result < 1 else None,  # the difference of two that were halved at least
    )


SPEC = addition("SUB", sign_b=-1, rescales_of=_rescales)

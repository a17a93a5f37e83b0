"""RESHAPE: another shape for the same bytes; nothing is copied."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .rules import SAME_SIZE, activations, computed, inputs, same_quantization
from .spec import OperatorSpec, Rule


def no_copy(kind: str, *, optional: int) -> OperatorSpec:
    """An operator whose output is its first input under another shape."""
    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(1, optional=optional),
            activations(0),
            computed(0),
            same_quantization(lambda op: range(1)),
            SAME_SIZE,
            Rule(text="the new shape is a constant", holds=_constant_shape, remedy="fix the batch size and all shapes"),
        ),
        emit=None,
    )


def _constant_shape(model: Model, operator: Operator) -> bool:
    shape = model.input(operator, 1)
    return shape is None or shape.is_constant


SPEC = no_copy("RESHAPE", optional=1)

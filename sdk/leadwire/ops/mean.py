"""MEAN over neighbouring dimensions: global average pooling as Keras writes it, in 1-D and 2-D."""

from __future__ import annotations

import math

from leadwire.model.graph import Model, Operator

from .arithmetic import INT32_MAX, letters_of, quantize_multiplier, scale_of, span_of, zero_point_of
from .rules import activations, batch_one, computed, inputs
from .spec import KernelCall, OperatorSpec, Rule


def _axes(model: Model, operator: Operator) -> tuple[int, ...] | None:
    """The reduced dimensions, sorted; None where they are not constants of the right range."""
    tensor, rank = model.required(operator, 1), len(model.required(operator, 0).shape)
    if not tensor.is_constant:
        return None
    axes = {int(axis) for axis in tensor.array.reshape(-1)}
    if any(not -rank <= axis < rank for axis in axes):
        return None
    return tuple(sorted({axis % rank for axis in axes}))


def _split(model: Model, operator: Operator) -> tuple[int, int, int] | None:
    """(outer, reduced, inner) sizes; None where kept and reduced dimensions alternate."""
    shape, axes = model.required(operator, 0).shape, _axes(model, operator)
    if axes is None:
        return None
    walked = [(size, axis in axes) for axis, size in enumerate(shape) if size != 1]
    reduced = [position for position, (_, is_reduced) in enumerate(walked) if is_reduced]
    if not reduced:
        return math.prod(shape), 1, 1
    first, last = reduced[0], reduced[-1] + 1
    if last - first != len(reduced):
        return None
    sizes = [size for size, _ in walked]
    return math.prod(sizes[:first]), math.prod(sizes[first:last]), math.prod(sizes[last:])


def _multiplier(model: Model, operator: Operator, reduced: int) -> tuple[int, int, int]:
    """(multiplier, left, right): the scale ratio divided by the count, in integers as TensorFlow Lite Micro does."""
    m, shift = quantize_multiplier(scale_of(model.required(operator, 0)) / scale_of(model.output(operator)))
    down = min(reduced.bit_length() - 1, 32, 31 + shift)
    m, shift = (m << down) // reduced, shift - down
    return m, max(shift, 0), max(-shift, 0)


def _no_overflow(model: Model, operator: Operator) -> bool:
    split = _split(model, operator)
    if split is None:
        return False
    _, left, _ = _multiplier(model, operator, split[1])
    return left <= 30 and (span_of(model.required(operator, 0)) * split[1]) << left <= INT32_MAX


def _output_matches(model: Model, operator: Operator) -> bool:
    split = _split(model, operator)
    return split is not None and split[0] * split[2] == model.output(operator).elements


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    split = _split(model, operator)
    assert split is not None
    outer, reduced, inner = split
    multiplier, left, right = _multiplier(model, operator, reduced)
    kernel = f"mean_{letters_of(model.output(operator))}"
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type="lw_mean_params",
            params=(
                ("outer", str(outer)),
                ("reduced", str(reduced)),
                ("inner", str(inner)),
                ("offset", str(-reduced * zero_point_of(model.required(operator, 0)))),
                ("multiplier", str(multiplier)),
                ("left", str(left)),
                ("right", str(right)),
                ("output_zero_point", str(zero_point_of(model.output(operator)))),
            ),
            arguments=("in0", "out0"),
        ),
    )


SPEC = OperatorSpec(
    kind="MEAN",
    rules=(
        inputs(2),
        activations(0),
        computed(0),
        batch_one(0),
        Rule(
            text="the reduced dimensions are constant and neighbours (1 and 2, say, but not 1 and 3)",
            holds=lambda model, op: _split(model, op) is not None,
            remedy="reduce one dimension after the other, or transpose before",
        ),
        Rule(text="input and output shapes agree", holds=_output_matches, remedy="export the model again"),
        Rule(
            text="no 32-bit accumulator can overflow, whatever the input",
            holds=_no_overflow,
            remedy="reduce fewer values at a time, or calibrate with data of the true range",
        ),
    ),
    emit=_emit,
)

"""What MEAN, REDUCE_MAX and REDUCE_MIN share: which dimensions are reduced, as one loop between two others."""

from __future__ import annotations

import math

from leadwire.model.graph import Model, Operator

from .rules import computed, inputs, int8_activations, is_index, is_int8, same_quantization
from .spec import Distance, KernelCall, OperatorSpec, Rule


def _axes(model: Model, operator: Operator) -> tuple[int, ...] | None:
    """The reduced dimensions, sorted; None where they are not constants of the right range."""
    tensor, rank = model.required(operator, 1), len(model.required(operator, 0).shape)
    if not tensor.is_constant:
        return None
    axes = {int(axis) for axis in tensor.array.reshape(-1)}
    if any(not -rank <= axis < rank for axis in axes):
        return None
    return tuple(sorted({axis % rank for axis in axes}))


def split(model: Model, operator: Operator) -> tuple[int, int, int] | None:
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


def _output_matches(model: Model, operator: Operator) -> bool:
    sizes = split(model, operator)
    return sizes is not None and sizes[0] * sizes[2] == model.output(operator).elements


SHAPES = (
    Rule(
        text="the reduced dimensions are constant and neighbours (1 and 2, say, but not 1 and 3)",
        holds=lambda model, op: split(model, op) is not None,
        remedy="reduce one dimension after the other, or transpose before",
    ),
    Rule(text="input and output shapes agree", holds=_output_matches, remedy="export the model again"),
)


def extremum(kind: str, *, minimum: bool) -> OperatorSpec:
    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        sizes = split(model, operator)
        assert sizes is not None
        return (
            KernelCall(
                function="lw_reduce_extremum_s8",
                source="reduce_extremum_s8.c",
                params_type="lw_reduce_params",
                params=(
                    *zip(("outer", "reduced", "inner"), map(str, sizes), strict=True),
                    ("minimum", str(int(minimum))),
                ),
                arguments=("in0", "out0"),
            ),
        )

    return OperatorSpec(
        kind=kind,
        rules=(inputs(2), int8_activations(0), computed(0), same_quantization(lambda op: range(1)), *SHAPES),
        emit=emit,
        distance=lambda model, op: Distance(below=0),
    )


def position(kind: str, *, minimum: bool) -> OperatorSpec:
    """Where along one dimension the largest or smallest value is."""

    def sizes_of(model: Model, operator: Operator) -> tuple[int, int, int] | None:
        axes, shape = _axes(model, operator), model.required(operator, 0).shape
        if axes is None or len(axes) != 1 or model.required(operator, 1).elements != 1 or min(shape) < 1:
            return None
        (axis,) = axes
        if model.output(operator).shape != (*shape[:axis], *shape[axis + 1 :]):
            return None
        return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])

    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        sizes = sizes_of(model, operator)
        assert sizes is not None
        return (
            KernelCall(
                function="lw_arg_extremum_s8",
                source="arg_extremum_s8.c",
                params_type="lw_reduce_params",
                params=(
                    *zip(("outer", "reduced", "inner"), map(str, sizes), strict=True),
                    ("minimum", str(int(minimum))),
                ),
                arguments=("in0", "out0"),
            ),
        )

    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(2),
            Rule(
                text="the input is int8 with one scale and zero point, the output int32 without",
                holds=lambda model, op: is_int8(model.input(op, 0)) and is_index(model.output(op)),
                remedy="quantize the model; indices are int32: tf.argmax(x, output_type=tf.int32)",
            ),
            computed(0),
            Rule(
                text="the axis is one constant, and the output has the input's shape without it",
                holds=lambda model, op: sizes_of(model, op) is not None,
                remedy="take the index along one fixed axis",
            ),
        ),
        emit=emit,
    )

"""Broadcasting of two inputs (ADD, MUL) as four nested loops with strides.

Source: NumPy's broadcasting rules, which TFLite follows. Neighbouring dimensions that both inputs walk alike merge.
"""

from __future__ import annotations

from dataclasses import dataclass

from leadwire.model.graph import Model, Operator

from .rules import ALIKE, INT8_REMEDY, QUANTIZE_REMEDY, alike, is_int8
from .spec import Rule

_LOOPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """C's lw_broadcast: sizes of the output's loops and the strides of both inputs, outermost first."""

    size: tuple[int, ...]
    stride_a: tuple[int, ...]
    stride_b: tuple[int, ...]

    @property
    def initializer(self) -> str:
        def row(values: tuple[int, ...]) -> str:
            return "{" + ", ".join(str(value) for value in values) + "}"

        return f"{{.size = {row(self.size)}, .stride_a = {row(self.stride_a)}, .stride_b = {row(self.stride_b)}}}"


def broadcast(a: tuple[int, ...], b: tuple[int, ...], output: tuple[int, ...]) -> Broadcast | None:
    """The loops for shapes `a` and `b` into `output`; None where they do not broadcast or need more than four loops."""
    rank = max(len(a), len(b))
    wide_a, wide_b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    if any(x != y and 1 not in (x, y) for x, y in zip(wide_a, wide_b, strict=True)):
        return None
    joined = tuple(max(x, y) for x, y in zip(wide_a, wide_b, strict=True))
    if output[: len(output) - rank] != (1,) * (len(output) - rank) or output[len(output) - rank :] != joined:
        return None
    loops: list[tuple[int, bool, bool]] = []
    for size, x, y in zip(joined, wide_a, wide_b, strict=True):
        walks = (x == size, y == size)
        if size == 1:
            continue
        if loops and loops[-1][1:] == walks:
            loops[-1] = (loops[-1][0] * size, *walks)
        else:
            loops.append((size, *walks))
    if len(loops) > _LOOPS:
        return None
    loops = [(1, False, False)] * (_LOOPS - len(loops)) + loops
    stride_a: list[int] = []
    stride_b: list[int] = []
    step_a = step_b = 1
    for size, walks_a, walks_b in reversed(loops):
        stride_a.insert(0, step_a if walks_a else 0)
        stride_b.insert(0, step_b if walks_b else 0)
        step_a *= size if walks_a else 1
        step_b *= size if walks_b else 1
    return Broadcast(size=tuple(size for size, _, _ in loops), stride_a=tuple(stride_a), stride_b=tuple(stride_b))


def broadcast_of(model: Model, operator: Operator) -> Broadcast:
    shape = broadcast(
        model.required(operator, 0).shape, model.required(operator, 1).shape, model.output(operator).shape
    )
    if shape is None:
        raise ValueError(f"operator {operator.index} {operator.kind} does not broadcast")
    return shape


def full_size_inputs(model: Model, operator: Operator) -> tuple[int, ...]:
    """Inputs that are not broadcast: their buffer may take the output."""
    size = model.output(operator).elements
    return tuple(
        position
        for position in (0, 1)
        if model.required(operator, position).elements == size and not model.required(operator, position).is_constant
    )


INT8_OPERANDS = Rule(
    text="both inputs and the output are int8 with one scale and zero point per tensor",
    holds=lambda model, op: is_int8(model.input(op, 0)) and is_int8(model.input(op, 1)) and is_int8(model.output(op)),
    remedy=INT8_REMEDY,
)

BROADCASTS = Rule(
    text="the inputs broadcast to the output in at most 4 dimensions",
    holds=lambda model, op: (
        broadcast(model.required(op, 0).shape, model.required(op, 1).shape, model.output(op).shape) is not None
    ),
    remedy="reshape the inputs so that fewer dimensions alternate between shared and broadcast",
)

OPERANDS = Rule(
    text=f"both inputs and the output are {ALIKE}",
    holds=lambda model, op: alike(model, op, (0, 1)),
    remedy=QUANTIZE_REMEDY,
)

ONE_COMPUTED = Rule(
    text="at least one input is not a constant",
    holds=lambda model, op: not (model.required(op, 0).is_constant and model.required(op, 1).is_constant),
    remedy="fold the constants before converting",
)

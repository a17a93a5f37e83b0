"""Operators that only move bytes: the output in order, the input in strides, as five nested loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from leadwire.model.graph import Model, Operator

from .rules import activations, computed, inputs, rank, same_quantization
from .spec import Distance, KernelCall, OperatorSpec, Rule

_LOOPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """(size, stride in the input) of each loop over the output, outermost first, from `offset` on."""

    loops: tuple[tuple[int, int], ...]
    offset: int = 0

    @property
    def merged(self) -> tuple[tuple[int, int], ...]:
        """The same walk in fewer loops."""
        found: list[tuple[int, int]] = []
        for size, stride in self.loops:
            if size == 1:
                continue
            if found and found[-1][1] == size * stride:
                found[-1] = (found[-1][0] * size, stride)
            else:
                found.append((size, stride))
        return tuple(found)


def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a dense tensor, in values."""
    return tuple(math.prod(shape[position + 1 :]) for position in range(len(shape)))


def constants(model: Model, operator: Operator, position: int) -> tuple[int, ...] | None:
    """The integers of a constant input; None where it is not one."""
    tensor = model.input(operator, position)
    if tensor is None or not tensor.is_constant or tensor.array.dtype.kind not in "iu":
        return None
    return tuple(int(value) for value in tensor.array.reshape(-1))


def moving(
    kind: str,
    *,
    given: int,
    walk: Callable[[Model, Operator], Walk | None],
    text: str,
    remedy: str,
    forward: bool = False,
) -> OperatorSpec:
    """An operator of `given` inputs; `walk` is None for what `text` rules out.

    `forward`: each place read lies behind the one before, so that the output may start where the first is read, unless
    a stride is negative.
    """

    def in_bytes(model: Model, operator: Operator) -> Walk | None:
        """The walk over bytes; None where the kernel has too few loops for it."""
        found, size = walk(model, operator), model.output(operator).dtype.item_bytes
        if found is None:
            return None
        loops = (*((count, size * stride) for count, stride in found.loops), (size, 1))
        whole = Walk(loops=loops, offset=size * found.offset)
        return whole if len(whole.merged) <= _LOOPS else None

    def distance(model: Model, operator: Operator) -> Distance | None:
        found = in_bytes(model, operator) if forward else None
        if found is None or any(stride < 0 for _, stride in found.merged):
            return None
        return Distance(below=-found.offset)

    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        found = in_bytes(model, operator)
        assert found is not None
        loops = ((1, 0),) * (_LOOPS - len(found.merged)) + found.merged
        return (
            KernelCall(
                function="lw_walk_s8",
                source="walk_s8.c",
                params_type="lw_walk_params",
                params=(
                    ("size", "{" + ", ".join(str(size) for size, _ in loops) + "}"),
                    ("stride", "{" + ", ".join(str(stride) for _, stride in loops) + "}"),
                    ("offset", str(found.offset)),
                ),
                arguments=("in0:bytes", "out0:bytes"),
            ),
        )

    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(given),
            activations(0),
            computed(0),
            rank(0, 1, 4),
            same_quantization(lambda op: range(1)),
            Rule(text=text, holds=lambda model, op: in_bytes(model, op) is not None, remedy=remedy),
        ),
        emit=emit,
        distance=distance,
    )

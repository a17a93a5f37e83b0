"""Operators that join tensors along one dimension or cut one into several: copies of evenly spaced runs of bytes."""

from __future__ import annotations

import math
from collections.abc import Callable

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor

from .rules import activations, computed, inputs, same_quantization
from .spec import Distance, KernelCall, OperatorSpec, Rule


def copy_runs(
    *,
    runs: int,
    run: int,
    input_step: int | None = None,
    input_offset: int = 0,
    output_step: int | None = None,
    output_offset: int = 0,
    arguments: tuple[str, str] = ("in0:bytes", "out0:bytes"),
) -> KernelCall:
    """`runs` times `run` bytes; without gaps on a side whose step is not given."""
    params = {
        "runs": runs,
        "run": run,
        "input_step": run if input_step is None else input_step,
        "input_offset": input_offset,
        "output_step": run if output_step is None else output_step,
        "output_offset": output_offset,
    }
    return KernelCall(
        function="lw_copy_s8",
        source="copy_s8.c",
        params_type="lw_copy_params",
        params=tuple((name, str(value)) for name, value in params.items()),
        arguments=arguments,
    )


def joined(output: Tensor, axis: int, sizes: tuple[int, ...]) -> tuple[KernelCall, ...]:
    """Inputs of `sizes` along `axis` of an output, one behind the other."""
    shape = output.shape
    inner = math.prod(shape[axis + 1 :]) * output.dtype.item_bytes
    return tuple(
        copy_runs(
            runs=math.prod(shape[:axis]),
            run=size * inner,
            output_step=shape[axis] * inner,
            output_offset=sum(sizes[:position]) * inner,
            arguments=(f"in{position}:bytes", "out0:bytes"),
        )
        for position, size in enumerate(sizes)
    )


Cut = tuple[int, tuple[int, ...]]
"""An axis and the size of each part along it."""


def cutting(
    kind: str, *, given: int, data: int = 0, cut: Callable[[Model, Operator], Cut | None], text: str, remedy: str
) -> OperatorSpec:
    """An operator that gives the parts of input `data`, one an output; `cut` is None for what `text` rules out.

    Output 0 is made last: all that lies behind it has been read then, and it may take the place of the input.
    """

    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        found, source = cut(model, operator), model.required(operator, data)
        assert found is not None
        (axis, sizes), shape = found, source.shape
        inner = math.prod(shape[axis + 1 :]) * source.dtype.item_bytes
        calls = (
            copy_runs(
                runs=math.prod(shape[:axis]),
                run=size * inner,
                input_step=shape[axis] * inner,
                input_offset=sum(sizes[:position]) * inner,
                arguments=(f"in{data}:bytes", f"out{position}:bytes"),
            )
            for position, size in enumerate(sizes)
        )
        return tuple(reversed(tuple(calls)))

    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(given, several_outputs=True),
            activations(data),
            computed(data),
            same_quantization(lambda op: range(data, data + 1)),
            Rule(text=text, holds=lambda model, op: cut(model, op) is not None, remedy=remedy),
        ),
        emit=emit,
        distance=lambda model, op: Distance(below=0, position=data),
    )


def along(axis: int, rank: int) -> int | None:
    """A dimension counted from the first, where `axis` may count from behind; None where there is no such dimension."""
    return axis % rank if -rank <= axis < rank else None


def cut_along(model: Model, operator: Operator, data: int, axis: int) -> Cut | None:
    """The parts where every output is as the input but along `axis`."""
    shape, made = model.required(operator, data).shape, model.made(operator)
    place = along(axis, len(shape))
    if place is None or any(len(one.shape) != len(shape) for one in made):
        return None
    sizes = tuple(one.shape[place] for one in made)
    if any(one.shape != (*shape[:place], size, *shape[place + 1 :]) for one, size in zip(made, sizes, strict=True)):
        return None
    return (place, sizes) if min(sizes) >= 1 and sum(sizes) == shape[place] else None

"""The constant tables of a model's kernel calls: their names, and constant tensors that calls read directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor

from .spec import KernelCall

TableNames = Mapping[tuple[int, str], str]
"""What the table of an operator and a suffix is called."""


def table_names(calls: Mapping[int, Sequence[KernelCall]]) -> TableNames:
    """Tables of one type and content are one table, named after the first operator that reads it ('op3_weights'): the
    steps of an unrolled recurrent layer share their weights. `calls` are those of each operator, in order."""
    found: dict[tuple[int, str], str] = {}
    first: dict[tuple[str, int, tuple[int, ...]], str] = {}
    for index, its in calls.items():
        for constant in (constant for call in its for constant in call.constants):
            content = (constant.ctype, constant.row, constant.values)
            found[index, constant.suffix] = first.setdefault(content, f"op{index}_{constant.suffix}")
    return found


def direct_tensors(model: Model, operator: Operator, calls: Sequence[KernelCall]) -> tuple[Tensor, ...]:
    """Constant inputs that the calls of an operator read as they are in the model."""
    tokens = (token for call in calls for token in call.arguments if token.startswith("in"))
    tensors = (model.required(operator, int(token.partition(":")[0].removeprefix("in"))) for token in tokens)
    return tuple(dict.fromkeys(tensor for tensor in tensors if tensor.is_constant))

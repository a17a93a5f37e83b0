"""The frozen model that every stage after quantize reads: tensors, operators in execution order, inputs, outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .tensor import Tensor

Option = bool | int | float | str | tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One node. `kind` is TFLite's operator name in capitals ('CONV_2D'). An absent optional input is -1.

    `options` holds the builtin options under the schema's names in snake case, enums as their names:
    stride_h, stride_w, dilation_h_factor, dilation_w_factor, padding ('SAME'|'VALID'), fused_activation_function
    ('NONE'|'RELU'|'RELU6'|...), depth_multiplier, filter_height, filter_width, axis, keep_dims, beta, ...
    """

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))

    def option(self, name: str, default: Option) -> Option:
        return self.options.get(name, default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`digest` is the SHA-256 of the .tflite file (lower-case hex), `size_bytes` its size."""

    name: str
    digest: str
    size_bytes: int
    description: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    labels: tuple[str, ...] = ()

    def input(self, operator: Operator, position: int) -> Tensor | None:
        """The tensor at an input position, None where it is absent (-1 or beyond the list)."""
        if position >= len(operator.inputs) or operator.inputs[position] < 0:
            return None
        return self.tensors[operator.inputs[position]]

    def required(self, operator: Operator, position: int) -> Tensor:
        """The tensor at an input position that the operator cannot do without."""
        tensor = self.input(operator, position)
        if tensor is None:
            raise ValueError(f"operator {operator.index} {operator.kind} lacks input {position}")
        return tensor

    def output(self, operator: Operator, position: int = 0) -> Tensor:
        return self.tensors[operator.outputs[position]]

    def made(self, operator: Operator) -> tuple[Tensor, ...]:
        """All outputs of an operator."""
        return tuple(self.tensors[index] for index in operator.outputs)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.tensors[i] for i in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.tensors[i] for i in self.outputs)

    @property
    def input_bytes(self) -> int:
        """Size of all inputs together, in graph order: what `infer` takes over the link."""
        return sum(t.size_bytes for t in self.input_tensors)

    @property
    def output_bytes(self) -> int:
        return sum(t.size_bytes for t in self.output_tensors)

    @property
    def has_state(self) -> bool:
        """Whether an operator has state, which interpreters keep from one inference to the next unless told not to."""
        return any(tensor.variable for tensor in self.tensors)

    @property
    def per_channel_dense(self) -> tuple[Operator, ...]:
        """Each FULLY_CONNECTED with a scale for each output: a TFLite Micro from before May 2024, and some
        vendors', read the first alone and compute wrongly without a word; until September 2024 it refuses."""
        dense = (operator for operator in self.operators if operator.kind == "FULLY_CONNECTED")
        return tuple(operator for operator in dense if _per_channel(self.input(operator, 1)))

    def describe(self, operator: Operator) -> str:
        """How messages name an operator: "op 7 CONV_2D 'block2/conv'"."""
        return f"op {operator.index} {operator.kind} '{self.output(operator).label}'"


def _per_channel(weights: Tensor | None) -> bool:
    return weights is not None and weights.quantization is not None and weights.quantization.per_channel

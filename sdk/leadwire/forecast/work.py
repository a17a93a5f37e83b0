"""The work of a model: cycles of each operator on an emulated Cortex-M4 with memory that never waits."""

from __future__ import annotations

from dataclasses import dataclass

from leadwire.model.graph import Model, Operator
from leadwire.ops import registry

from .tables import costs

_OTHER = "ADD"
"""An operator whose cost was not measured counts as this one, which rescales every value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorWork:
    index: int
    kind: str
    tensor: str
    macs: int
    cycles: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`code`: the core that the kernels were compiled for; `counted`: by executing them, else from multiplications,
    which give no `instructions`."""

    model_digest: str
    code: str
    how: str
    counted: bool
    operators: tuple[OperatorWork, ...]
    instructions: int | None = None

    @property
    def cycles(self) -> float:
        return sum(operator.cycles for operator in self.operators)


def work_from_macs(model: Model, code: str) -> Work:
    """The work where nothing is executed: multiplications (or values) by kind of operator times a measured cost."""
    macs = registry.macs(model)
    return Work(
        model_digest=model.digest,
        code=code,
        how=f"multiplications by kind of operator, cycles as measured with {code} code",
        counted=False,
        operators=tuple(
            OperatorWork(
                index=operator.index,
                kind=operator.kind,
                tensor=model.output(operator).label,
                macs=macs[operator.index],
                cycles=_cycles(model, operator, macs[operator.index], code),
            )
            for operator in model.operators
        ),
    )


def _cycles(model: Model, operator: Operator, macs: int, code: str) -> float:
    if registry.spec(operator.kind).is_no_copy(model, operator):
        return 0.0
    cost = costs().get((code, operator.kind), costs()[code, _OTHER])
    return cost * (macs or largest_tensor(model, operator))


def largest_tensor(model: Model, operator: Operator) -> int:
    """Values of the largest activation that the operator reads or writes."""
    tensors = [model.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
    return max((tensor.elements for tensor in tensors if not tensor.is_constant), default=0)

"""AllocateTensors done on paper: who keeps how much, and the highest mark of both ends of the arena together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from leadwire.model.graph import Model

from .greedy import Buffer, aligned, buffers, height
from .kernels import Extension, Kernels, Requests, requests
from .layout import ARENA_ALIGNMENT, PLANNER_BYTES, SCRATCH_REQUESTS, Abi, Layout, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaShare:
    """What one purpose takes of the arena, alignment included."""

    purpose: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaPrediction:
    """`total_bytes` is what `arena_used_bytes` reports: `non_persistent_bytes` (tensors and scratch) and
    `persistent_bytes`. `required_bytes` is the smallest arena, a multiple of 16 and aligned to 16, in which
    AllocateTensors succeeds; `temporary_bytes` is what it exceeds the total by.
    """

    model_digest: str
    kernels: Kernels
    abi: Abi
    persistent_bytes: int
    non_persistent_bytes: int
    temporary_bytes: int
    breakdown: tuple[ArenaShare, ...]
    basis: Literal["planned"] = "planned"

    @property
    def total_bytes(self) -> int:
        return self.persistent_bytes + self.non_persistent_bytes

    @property
    def required_bytes(self) -> int:
        return self.total_bytes + self.temporary_bytes


def predict_arena(
    model: Model,
    *,
    pointer_bytes: Literal[4, 8] = 4,
    kernels: Kernels = "reference",
    extension: Extension = "dsp",
    short_enums: bool = True,
) -> ArenaPrediction:
    """The arena of `model` as it is in the file (`read_tflite`), operators around an INT8 body included.

    `extension` says which of CMSIS-NN's scratch sizes hold, see `kernels`. `short_enums`: arm-none-eabi compilers make
    an enum as small as its values; those for RISC-V and Xtensa do not. UnsupportedModelError (3) names an operator
    whose kernel is not known.
    """
    if pointer_bytes == 8:
        return _predict(model, Layout(abi="lp64"), kernels, extension)
    return _predict(model, Layout(abi="arm-eabi" if short_enums else "int-enums-32"), kernels, extension)


def host_record(model: Model) -> ArenaPrediction:
    """What the PyPI package tflite-micro prints of its arena: 64-bit, with its recorder: the check of the method."""
    return _predict(model, Layout(abi="tflite-micro-package"), "reference", "none")


def _predict(model: Model, layout: Layout, kernels: Kernels, extension: Extension) -> ArenaPrediction:
    asked = tuple(requests(model, operator, kernels, extension) for operator in model.operators)
    planned = buffers(model, [one.scratch for one in asked])
    allocation = _Allocation(model, layout)
    allocation.start()
    allocation.prepare(asked)
    allocation.plan(planned)
    allocation.finish()
    total = allocation.tail + allocation.head
    return ArenaPrediction(
        model_digest=model.digest,
        kernels=kernels,
        abi=layout.abi,
        persistent_bytes=allocation.tail,
        non_persistent_bytes=allocation.head,
        temporary_bytes=aligned(max(allocation.peak, total)) - total,
        breakdown=(
            *(ArenaShare(purpose=purpose, bytes=size) for purpose, size in allocation.shares.items()),
            ArenaShare(purpose="tensors and scratch buffers", bytes=allocation.head),
        ),
    )


class _Allocation:
    """AllocateTensors in an arena as large as it wants: `tail` grows from the end, `head` from the start, `peak` is the
    most that both needed at once."""

    def __init__(self, model: Model, layout: Layout) -> None:
        self.model, self.layout = model, layout
        self.tail = self.head = self.peak = 0
        self.shares: dict[str, int] = {}

    def start(self) -> None:
        for name in ("arena buffer allocator", "memory planner", "allocator", "options allocator"):
            self._keep("interpreter", self.layout.record(name))
        self._note_requests(0)
        self._keep("interpreter", self.layout.record("subgraph"))
        self._keep("tensor records", self.layout.record("tensor in use"), len(self.model.tensors))
        self._keep("operator records", self.layout.record("operator"), len(self.model.operators))

    def prepare(self, asked: Sequence[Requests]) -> None:
        """Options of all operators, then their data, then each kernel's tables and scratch requests."""
        for one in asked:
            if one.options:
                self._keep("operator options", self.layout.record(one.options))
        for one in asked:
            if one.data:
                self._keep_buffer("kernel data", self.layout.record(one.data).size_bytes)
        noted = 0
        for one in asked:
            for table in one.tables:
                size = self.layout.record(table).size_bytes if isinstance(table, str) else table
                self._keep_buffer("per-channel tables", size)
            temporary = self.head
            for tensor in one.tensors:
                for record in self._tensor(tensor):
                    temporary = aligned(temporary, record.alignment_bytes) + record.size_bytes
            self._reach(temporary)
            noted += len(one.scratch)
            self._note_requests(noted)

    def plan(self, planned: Sequence[Buffer]) -> None:
        """The plan is drawn in what is left of the arena, then takes the place of the scratch requests."""
        scratch = sum(buffer.tensor < 0 for buffer in planned)
        if scratch:
            self._keep("scratch handles", self.layout.record("pointer"), scratch)
        pointer, info = self.layout.record("pointer"), self.layout.record("planned buffer")
        temporary = aligned(self.head, pointer.alignment_bytes) + pointer.size_bytes
        temporary = aligned(temporary, info.alignment_bytes) + info.size_bytes * (len(self.model.tensors) + scratch)
        tables = aligned(temporary) + PLANNER_BYTES * len(planned)
        self.peak = max(self.peak, tables + aligned(self.tail))
        self.head = height(planned)
        self._reach(self.head)

    def finish(self) -> None:
        """The full records of the model's inputs and outputs."""
        for tensors in (self.model.inputs, self.model.outputs):
            pointers = self.layout.record("pointer").size_bytes * len(tensors)
            self._keep_buffer("inputs and outputs", pointers)
            for tensor in tensors:
                for record in self._tensor(tensor):
                    self._keep("inputs and outputs", record)

    def _tensor(self, index: int) -> tuple[Record, ...]:
        """A tensor's full record with its quantization: zero points are copied, one int each behind their count."""
        quantization = self.model.tensors[index].quantization
        if quantization is None:
            return (self.layout.record("tensor"),)
        zero_points = Record(size_bytes=4 + 4 * len(quantization.scales), alignment_bytes=4)
        return self.layout.record("tensor"), self.layout.record("quantization"), zero_points

    def _note_requests(self, count: int) -> None:
        self.head = self.layout.record("scratch request").size_bytes * (count + SCRATCH_REQUESTS)
        self._reach(self.head)

    def _keep_buffer(self, purpose: str, size: int) -> None:
        self._keep(purpose, Record(size_bytes=size, alignment_bytes=ARENA_ALIGNMENT))

    def _keep(self, purpose: str, record: Record, count: int = 1) -> None:
        before = self.tail
        self.tail = aligned(before + record.size_bytes * count, record.alignment_bytes)
        self.shares[purpose] = self.shares.get(purpose, 0) + self.tail - before
        self._reach(self.head)

    def _reach(self, top: int) -> None:
        self.peak = max(self.peak, top + self.tail)

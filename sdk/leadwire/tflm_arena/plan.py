"""TFLite Micro's arena as a memory plan, so that budget, report and firmware speak of the same arena."""

from __future__ import annotations

from leadwire.artifacts import MemoryPlan, Placement
from leadwire.model.graph import Model

from .greedy import buffers, plan
from .kernels import Kernels, requests
from .layout import ARENA_ALIGNMENT
from .prediction import predict_arena
from .sizes import arena_sizes


def plan_tflm(model: Model, arena_bytes: int | None = None) -> MemoryPlan:
    """Where TFLite Micro places tensors and scratch of `model`, for the kernels that need most.

    `arena_bytes` is the arena given to it, None: the computed one with its margin. BadInputError where it is too small,
    UnsupportedModelError (3) for an operator whose kernel is not known.
    """
    sizes = arena_sizes(model, arena_bytes)
    kernels: Kernels = "cmsis-nn" if sizes.cmsis_nn_needed >= sizes.reference_needed else "reference"
    resident = predict_arena(model, kernels=kernels).persistent_bytes
    wanted = buffers(model, [requests(model, operator, kernels, "dsp").scratch for operator in model.operators])
    placed = [
        Placement(
            tensor=buffer.tensor,
            offset_bytes=offset,
            size_bytes=buffer.size_bytes,
            first_operator=max(0, buffer.first - 1),
            last_operator=max(0, buffer.last - 1),
        )
        for buffer, offset in zip(wanted, plan(wanted), strict=True)
        if buffer.first >= 0
    ]
    live = [
        sum(one.size_bytes for one in placed if one.first_operator <= operator.index <= one.last_operator)
        for operator in model.operators
    ]
    return MemoryPlan(
        model_digest=model.digest,
        arena_bytes=sizes.given,
        lower_bound_bytes=max(live) + resident,
        peak_operator=live.index(max(live)),
        alignment_bytes=ARENA_ALIGNMENT,
        placements=tuple(sorted((one for one in placed if one.tensor >= 0), key=lambda one: one.tensor)),
        scratch=tuple(one for one in placed if one.tensor < 0),
        in_place=(),
        resident_bytes=resident,
    )

"""The arena that firmware is given: what the kernels need, and a margin."""

from __future__ import annotations

from dataclasses import dataclass

from leadwire.errors import BadInputError, UnsupportedModelError
from leadwire.model.graph import Model

from .greedy import aligned
from .prediction import host_record, predict_arena

MARGIN_BYTES = 64
MARGIN_FRACTION = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaSizes:
    """Smallest arena by kernels and pointer width; `given` and `wide` are what the 32-bit and 64-bit build get."""

    reference_needed: int
    cmsis_nn_needed: int
    wide_needed: int
    given: int
    wide: int


def arena_sizes(model: Model, given: int | None = None) -> ArenaSizes:
    """`given` None: what the hungriest kernels need and the margin. BadInputError where it is less than any need."""
    reference = predict_arena(model, kernels="reference").required_bytes
    cmsis_nn = predict_arena(model, kernels="cmsis-nn").required_bytes
    wide = predict_arena(model, pointer_bytes=8).required_bytes
    if given is not None and given < min(reference, cmsis_nn):
        raise BadInputError(
            f"an arena of {given} B is too small for '{model.name}': "
            f"{reference} B are needed, {cmsis_nn} B with CMSIS-NN",
            hint=f"give at least {with_margin(max(reference, cmsis_nn))} B, or leave the size to leadwire",
        )
    return ArenaSizes(
        reference_needed=reference,
        cmsis_nn_needed=cmsis_nn,
        wide_needed=wide,
        given=with_margin(max(reference, cmsis_nn)) if given is None else given,
        wide=with_margin(wide),
    )


def trust_arena(model: Model, recorded: int | None) -> None:
    """UnsupportedModelError where the package tflite-micro recorded more on this computer than is computed for it: then
    the computed arena of the device is not to be trusted either. None: there is no record."""
    computed = host_record(model).total_bytes
    if recorded is not None and recorded > computed:
        raise UnsupportedModelError(
            f"model '{model.name}'",
            f"its arena is computed as {computed} B for this computer, TensorFlow Lite Micro takes {recorded} B",
            hint="measure what init() needs on the device and give --arena-bytes or [tflm] arena_bytes",
        )


def with_margin(needed: int) -> int:
    """64 bytes or 2 % more, the larger, for a TFLite Micro whose records are longer than those computed with."""
    return aligned(needed + max(MARGIN_BYTES, round(needed * MARGIN_FRACTION)))

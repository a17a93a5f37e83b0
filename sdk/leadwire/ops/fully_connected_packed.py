"""FULLY_CONNECTED with packed weights: portable as a convolution of its vectors, and on Armv7E-M."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .convolution import Filters, filters_of
from .fully_connected_dsp import distance, is_single, scratch_bytes, window_of_vectors
from .geometry import distance_by_blocks
from .packed import (
    TOGETHER,
    Packing,
    live_packing,
    packed_calls,
    packed_columns_calls,
    packed_row_calls,
    packed_scratch,
)
from .spec import PORTABLE, KernelCall, Variant


def _filters(model: Model, operator: Operator, *, broadcast: bool = False) -> Filters:
    return filters_of(model, operator, 0, broadcast=broadcast)


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    calls = packed_row_calls if is_single(model, operator) else packed_columns_calls
    return calls(model, operator, window_of_vectors(model, operator), _filters(model, operator))


PACKED = (
    Variant(
        name="packed",
        extension=None,
        packs=PORTABLE,
        fits=lambda model, op: Packing.of(_filters(model, op).weights) is not None,
        emit=lambda model, op: packed_calls(
            model, op, window_of_vectors(model, op), _filters(model, op, broadcast=True)
        ),
        scratch_bytes=lambda model, op: packed_scratch(window_of_vectors(model, op)),
        distance=lambda model, op: distance_by_blocks(window_of_vectors(model, op), TOGETHER),
    ),
    Variant(
        name="dsp-packed",
        extension="dsp",
        packs="dsp",
        fits=lambda model, op: live_packing(_filters(model, op)) is not None,
        emit=_emit,
        scratch_bytes=scratch_bytes,
        distance=distance,
    ),
)

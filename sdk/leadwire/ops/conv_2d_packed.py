"""CONV_2D with packed weights: portable, and on Armv7E-M."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .conv_2d_dsp import columns_distance, columns_fit, columns_scratch
from .convolution import Filters, filter_window, filters_of
from .geometry import Window, distance_by_blocks, groups_of
from .packed import (
    TOGETHER,
    Packing,
    packed_calls,
    packed_columns_calls,
    packed_columns_fit,
    packed_scratch,
)
from .spec import PORTABLE, Variant


def _window(model: Model, operator: Operator) -> Window:
    return filter_window(model, operator).flattened


def _filters(model: Model, operator: Operator) -> Filters:
    return filters_of(model, operator, 0, broadcast=True)


def _fits_dsp(model: Model, operator: Operator) -> bool:
    window, filters = _window(model, operator), _filters(model, operator)
    return groups_of(model, operator) == 1 and columns_fit(window, filters) and packed_columns_fit(window, filters)


def _fits(model: Model, operator: Operator) -> bool:
    return groups_of(model, operator) == 1 and Packing.of(_filters(model, operator).weights) is not None


PACKED = (
    Variant(
        name="packed",
        extension=None,
        packs=PORTABLE,
        fits=_fits,
        emit=lambda model, op: packed_calls(model, op, _window(model, op), _filters(model, op)),
        scratch_bytes=lambda model, op: packed_scratch(_window(model, op)),
        distance=lambda model, op: distance_by_blocks(_window(model, op), TOGETHER),
    ),
    Variant(
        name="dsp-packed",
        extension="dsp",
        packs="dsp",
        fits=_fits_dsp,
        emit=lambda model, op: packed_columns_calls(model, op, _window(model, op), _filters(model, op)),
        scratch_bytes=lambda model, op: columns_scratch(_window(model, op)),
        distance=lambda model, op: columns_distance(_window(model, op)),
    ),
)

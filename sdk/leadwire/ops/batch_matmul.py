"""BATCH_MATMUL: products of matrices, as attention and Dot layers make them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadwire.model.graph import Model, Operator

from .arithmetic import Rescale, WideRescale, c_int32, is_wide, rescale, scale_of, span_of, wide_rescale, zero_point_of
from .broadcast import ONE_COMPUTED, OPERANDS, Broadcast, broadcast
from .dsp import center_of, lane_scale
from .rules import inputs
from .spec import KernelCall, OperatorSpec, Rule, Variant

_STRIP = 16
"""Columns that the kernel for Armv7E-M widens at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Product:
    """left [batch, rows, depth] times right [batch, depth, columns], either turned in memory."""

    batch: Broadcast
    rows: int
    depth: int
    columns: int
    left_turned: bool
    right_turned: bool


def _product(model: Model, operator: Operator) -> _Product | None:
    left, right, output = model.required(operator, 0).shape, model.required(operator, 1).shape, model.output(operator)
    if min(len(left), len(right)) < 2 or max(len(left), len(right)) > 5 or len(output.shape) < 2:
        return None
    turned = bool(operator.option("adj_x", False)), bool(operator.option("adj_y", False))
    rows, depth = reversed(left[-2:]) if turned[0] else left[-2:]
    again, columns = reversed(right[-2:]) if turned[1] else right[-2:]
    batch = broadcast(left[:-2], right[:-2], output.shape[:-2])
    if batch is None or again != depth or output.shape[-2:] != (rows, columns):
        return None
    return _Product(batch=batch, rows=rows, depth=depth, columns=columns, left_turned=turned[0], right_turned=turned[1])


def _rescale(model: Model, operator: Operator) -> Rescale | WideRescale | None:
    """Input scales are multiplied in float32, as TensorFlow Lite Micro does here."""
    product = _product(model, operator)
    left, right = (np.float32(scale_of(model.required(operator, position))) for position in (0, 1))
    if product is None:
        return None
    with np.errstate(over="ignore", under="ignore"):
        scales = float(left * right)
    wide = is_wide(model.output(operator))
    return (wide_rescale if wide else rescale)(scales / scale_of(model.output(operator)), _largest(model, operator))


def _largest(model: Model, operator: Operator) -> int:
    """The largest magnitude of a sum."""
    product = _product(model, operator)
    return 0 if product is None else span_of(model.output(operator)) ** 2 * product.depth


def _macs(model: Model, operator: Operator) -> int:
    product = _product(model, operator)
    return 0 if product is None else model.output(operator).elements * product.depth


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    product, factor = _product(model, operator), _rescale(model, operator)
    assert product is not None and factor is not None
    left_row, left_step = (1, product.rows) if product.left_turned else (product.depth, 1)
    right_column, right_step = (product.depth, 1) if product.right_turned else (1, product.columns)
    wide = is_wide(model.output(operator))
    kernel = f"batch_matmul_{'s16' if wide else 's8'}"
    zero_points = (
        ("left_zero_point", str(zero_point_of(model.required(operator, 0)))),
        ("right_zero_point", str(zero_point_of(model.required(operator, 1)))),
        ("output_zero_point", str(zero_point_of(model.output(operator)))),
    )
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            params_type=f"lw_batch_matmul{'_s16' * wide}_params",
            params=(
                ("batch", product.batch.initializer),
                ("rows", str(product.rows)),
                ("depth", str(product.depth)),
                ("columns", str(product.columns)),
                ("left_row", str(left_row)),
                ("left_step", str(left_step)),
                ("right_column", str(right_column)),
                ("right_step", str(right_step)),
                *(() if wide else zero_points),
                ("rescale", factor.initializer),
            ),
            arguments=("in0", "in1", "out0"),
        ),
    )


def _lane_scale(model: Model, operator: Operator) -> tuple[int, int] | None:
    factor = _rescale(model, operator)
    return lane_scale(factor, _largest(model, operator)) if isinstance(factor, Rescale) else None


def _fits_dsp(model: Model, operator: Operator) -> bool:
    """Rows of the left matrix are read in one piece."""
    product = _product(model, operator)
    return product is not None and not product.left_turned and _lane_scale(model, operator) is not None


def _emit_dsp(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    product, scale = _product(model, operator), _lane_scale(model, operator)
    assert product is not None and scale is not None
    return (
        KernelCall(
            function="lw_batch_matmul_s8_dsp",
            source="batch_matmul_s8_dsp.c",
            also=("multiply_row_s8_dsp.c",),
            params_type="lw_matrices_params",
            params=(
                ("batch", product.batch.initializer),
                ("rows", str(product.rows)),
                ("depth", str(product.depth)),
                ("columns", str(product.columns)),
                ("turned", str(int(product.right_turned))),
                ("left_zero_point", str(zero_point_of(model.required(operator, 0)))),
                ("right_zero_point", str(zero_point_of(model.required(operator, 1)))),
                ("center", str(center_of(model, operator))),
                ("scale", f"{{{c_int32(scale[0])}, {scale[1]}}}"),
            ),
            arguments=("in0", "in1", "scratch", "out0"),
        ),
    )


def _scratch_dsp(model: Model, operator: Operator) -> int:
    product = _product(model, operator)
    assert product is not None
    return 2 * (product.depth + 3 & ~3) * (1 + min(product.columns + 3 & ~3, _STRIP))


SPEC = OperatorSpec(
    kind="BATCH_MATMUL",
    rules=(
        inputs(2),
        OPERANDS,
        ONE_COMPUTED,
        Rule(
            text="2 to 5 dimensions; matrices fit each other and the output, and batches broadcast",
            holds=lambda model, op: _product(model, op) is not None,
            remedy="export the model again",
        ),
        Rule(
            text="no accumulator (32 bits of int8, 48 bits of int16) can overflow, whatever the input",
            holds=lambda model, op: _rescale(model, op) is not None,
            remedy="multiply smaller matrices, or calibrate with data of the true range",
        ),
    ),
    emit=_emit,
    macs=_macs,
    variants=(Variant(name="dsp", extension="dsp", fits=_fits_dsp, emit=_emit_dsp, scratch_bytes=_scratch_dsp),),
)

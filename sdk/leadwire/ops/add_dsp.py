"""ADD of two tensors of one shape as a single linear form, found and proven by trying every pair of input bytes.

TensorFlow Lite Micro brings both inputs to a common scale, adds, and rescales: four roundings. The form
(a * multiplier_a + offset + b * multiplier_b) >> 22, the second sum saturating, has one; where it gives the same byte
for all 65,536 pairs it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from leadwire.model.graph import Model, Operator

from .addition import rescales_of
from .arithmetic import INT32_MAX, Rescale, activation_range, scale_of, zero_point_of
from .broadcast import broadcast_of, full_size_inputs
from .dsp import clamp_initializer
from .spec import SIMD, KernelCall, Variant

_SHIFT = 22
_REACH = 24
"""How far from the real factors, in units of 2^-22, integers are tried."""

Bytes = npt.NDArray[np.int64]


def rescaled(x: Bytes, scale: Rescale) -> Bytes:
    """C's lw_rescale_s32."""
    high = (((x << scale.left) * scale.m) + (1 << 30)) >> 31
    nudge = ((1 << scale.right) + (high >> 63)) >> 1
    return (high + nudge) >> scale.right


def sums(scales: tuple[Rescale, Rescale, Rescale], zeros: tuple[int, int, int], low: int, high: int) -> Bytes:
    """lw_add_s8 of all pairs: [a + 128, b + 128]."""
    values = np.arange(-128, 128, dtype=np.int64)
    a = rescaled((values - zeros[0]) << 20, scales[0])
    b = rescaled((values - zeros[1]) << 20, scales[1])
    return np.clip(rescaled(a[:, None] + b[None, :], scales[2]) + zeros[2], low, high)


@lru_cache(maxsize=64)
def linear_form(
    scales: tuple[Rescale, Rescale, Rescale],
    zeros: tuple[int, int, int],
    limits: tuple[int, int],
    factors: tuple[float, float],
) -> tuple[int, int, int] | None:
    """(multiplier_a, multiplier_b, offset) that give every byte of `sums`; None where none near `factors` does, or 32
    bits cannot hold both terms."""
    values = np.arange(-128, 128, dtype=np.int64)
    wanted = sums(scales, zeros, *limits)
    above, below = wanted > limits[0], wanted < limits[1]
    start = [round(factor * 2**_SHIFT) for factor in factors]
    tried = sorted(
        ((i, j) for i in range(-_REACH, _REACH + 1) for j in range(-_REACH, _REACH + 1)),
        key=lambda d: (d[0] * d[0] + d[1] * d[1], d),
    )
    edge_least = np.where(above, wanted << _SHIFT, -(2**62))
    edge_most = np.where(below, (wanted + 1) << _SHIFT, 2**62)
    for i, j in tried:
        multipliers = start[0] + i, start[1] + j
        form = values[:, None] * multipliers[0] + values[None, :] * multipliers[1]
        least, most = int((edge_least - form).max()), int((edge_most - form).min()) - 1
        if least > most:
            continue
        offset = (least + most) // 2
        terms = values * multipliers[0] + offset, values * multipliers[1]
        fits = max(int(abs(term).max()) for term in terms) <= INT32_MAX and abs(offset) <= INT32_MAX
        return (*multipliers, offset) if fits else None
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """`inputs`: which input is a, which b."""

    inputs: tuple[int, int]
    integers: tuple[int, int, int]


def _form(model: Model, operator: Operator) -> _Form | None:
    output = model.output(operator)
    *scales, result = rescales_of(model, operator)
    assert scales[0] is not None and scales[1] is not None and result is not None
    limits = activation_range(str(operator.option("fused_activation_function", "NONE")), output)
    for one, other in ((0, 1), (1, 0)):
        pair = model.required(operator, one), model.required(operator, other)
        found = linear_form(
            (scales[one], scales[other], result),
            (zero_point_of(pair[0]), zero_point_of(pair[1]), zero_point_of(output)),
            limits,
            (scale_of(pair[0]) / scale_of(output), scale_of(pair[1]) / scale_of(output)),
        )
        if found is not None:
            return _Form(inputs=(one, other), integers=found)
    return None


def _fits(model: Model, operator: Operator) -> bool:
    shape = broadcast_of(model, operator)
    flat = shape.size[:3] == (1, 1, 1) and shape.stride_a[3] == shape.stride_b[3] == 1
    return flat and _form(model, operator) is not None


def _emit(model: Model, operator: Operator, kernel: str = "add_s8_dsp") -> tuple[KernelCall, ...]:
    form = _form(model, operator)
    assert form is not None
    return (
        KernelCall(
            function=f"lw_{kernel}",
            source=f"{kernel}.c",
            also=("clamp_values_s8.c",),
            params_type="lw_sum_params",
            params=(
                ("multiplier_a", str(form.integers[0])),
                ("multiplier_b", str(form.integers[1])),
                ("offset", str(form.integers[2])),
                ("clamp", clamp_initializer(model, operator)),
            ),
            arguments=(*(f"in{position}" for position in form.inputs), "out0"),
        ),
    )


def _emit_simd(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    form, output = _form(model, operator), model.output(operator)
    assert form is not None
    low, high = activation_range(str(operator.option("fused_activation_function", "NONE")), output)
    return (
        KernelCall(
            function="lw_add_s8_simd",
            source="add_s8_simd.c",
            params_type="lw_simd_sum_params",
            params=(
                ("count", str(output.elements)),
                ("multiplier_a", str(form.integers[0])),
                ("multiplier_b", str(form.integers[1])),
                ("offset", str(form.integers[2])),
                ("low", str(low)),
                ("high", str(high)),
            ),
            arguments=(*(f"in{position}" for position in form.inputs), "out0"),
        ),
    )


SIMD_VARIANT = Variant(name=SIMD, extension="simd", fits=_fits, emit=_emit_simd, in_place=full_size_inputs)
MVE = Variant(
    name="mve",
    extension="mve",
    fits=_fits,
    emit=lambda model, op: _emit(model, op, "add_s8_mve"),
    in_place=full_size_inputs,
)
DSP = Variant(name="dsp", extension="dsp", fits=_fits, emit=_emit, in_place=full_size_inputs)

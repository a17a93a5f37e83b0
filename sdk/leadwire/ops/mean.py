"""MEAN over neighbouring dimensions: global average pooling as Keras writes it, in 1-D and 2-D."""

from __future__ import annotations

from dataclasses import replace

from leadwire.model.graph import Model, Operator

from .arithmetic import INT32_MAX, letters_of, quantize_multiplier, scale_of, span_of, zero_point_of
from .reduction import SHAPES, split
from .rules import activations, batch_one, computed, inputs
from .spec import SIMD, KernelCall, OperatorSpec, Rule, Variant


def _multiplier(model: Model, operator: Operator, reduced: int) -> tuple[int, int, int]:
    """(multiplier, left, right): the scale ratio divided by the count (MEAN), in integers as TensorFlow Lite Micro
    does."""
    m, shift = quantize_multiplier(scale_of(model.required(operator, 0)) / scale_of(model.output(operator)))
    down = min(reduced.bit_length() - 1, 32, 31 + shift)
    m, shift = (m << down) // reduced, shift - down
    return m, max(shift, 0), max(-shift, 0)


def _divisor(reduced: int, *, divided: bool) -> int:
    return reduced if divided else 1


def reduction(kind: str, *, divided: bool) -> OperatorSpec:
    """MEAN, or SUM where the sum is not `divided` by the count."""

    def no_overflow(model: Model, operator: Operator) -> bool:
        sizes = split(model, operator)
        if sizes is None:
            return False
        _, left, _ = _multiplier(model, operator, _divisor(sizes[1], divided=divided))
        return left <= 30 and (span_of(model.required(operator, 0)) * sizes[1]) << left <= INT32_MAX

    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        sizes = split(model, operator)
        assert sizes is not None
        outer, reduced, inner = sizes
        multiplier, left, right = _multiplier(model, operator, _divisor(reduced, divided=divided))
        kernel = f"mean_{letters_of(model.output(operator))}"
        return (
            KernelCall(
                function=f"lw_{kernel}",
                source=f"{kernel}.c",
                params_type="lw_mean_params",
                params=(
                    ("outer", str(outer)),
                    ("reduced", str(reduced)),
                    ("inner", str(inner)),
                    ("offset", str(-reduced * zero_point_of(model.required(operator, 0)))),
                    ("multiplier", str(multiplier)),
                    ("left", str(left)),
                    ("right", str(right)),
                    ("output_zero_point", str(zero_point_of(model.output(operator)))),
                ),
                arguments=("in0", "out0"),
            ),
        )

    def emit_simd(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        calls = emit(model, operator)
        return tuple(replace(call, function="lw_mean_s8_simd", source="mean_s8_simd.c") for call in calls)

    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(2),
            activations(0),
            computed(0),
            batch_one(0),
            *SHAPES,
            Rule(
                text="no 32-bit accumulator can overflow, whatever the input",
                holds=no_overflow,
                remedy="reduce fewer values at a time, or calibrate with data of the true range",
            ),
        ),
        emit=emit,
        variants=(Variant(name=SIMD, extension="simd", fits=lambda model, op: True, emit=emit_simd),),
    )


SPEC = reduction("MEAN", divided=True)

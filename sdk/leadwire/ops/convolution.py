"""What CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED share: windows, weights, folded biases, and rescales that cannot
overflow.

Folding: sum(w * (x - zi)) + b = sum(w * x) + (b - zi * sum(w)); the bracket is known at generation time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor, TensorType

from .arithmetic import (
    INT32_MAX,
    Rescale,
    WideRescale,
    activation_range,
    is_wide,
    rescale,
    scale_of,
    wide_rescale,
    zero_point_of,
)
from .geometry import Window, window_of
from .padding import margins_of
from .spec import Constant, Rule


def filter_window(model: Model, operator: Operator) -> Window:
    """The window of a CONV_2D or DEPTHWISE_CONV_2D over its input as it is held: without a PAD that is left out."""
    _, height, width, _ = model.required(operator, 1).shape
    return window_of(model, operator, height, width, margins_of(model, operator))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """`weights` has shape [outputs, taps]; `bias` (int64) is the bias of the file, 0 where there is none.

    `factors` holds the real rescale factor of every output, or one for all of them. `wide`: inputs are int16, biases
    and accumulators have 64 bits.
    """

    weights: npt.NDArray[np.int64]
    bias: npt.NDArray[np.int64]
    factors: tuple[float, ...]
    input_zero_point: int
    wide: bool = False

    @property
    def folded_bias(self) -> npt.NDArray[np.int64]:
        return np.asarray(self.bias - self.input_zero_point * self.weights.sum(axis=1), np.int64)

    @property
    def largest(self) -> npt.NDArray[np.int64]:
        """A bound of every intermediate sum of each output, whatever the input bytes and their order."""
        values = 2**15 if self.wide else 256
        return np.asarray(np.abs(self.bias) + values * np.abs(self.weights).sum(axis=1), np.int64)

    @property
    def bounds(self) -> tuple[int, ...]:
        """The largest accumulator of each factor."""
        largest = self.largest
        return (int(largest.max(initial=0)),) if len(self.factors) == 1 else tuple(int(value) for value in largest)

    @property
    def rescales(self) -> tuple[Rescale | None, ...]:
        """One per factor of int8 inputs; None where 32 bits cannot hold an intermediate value."""
        return tuple(
            rescale(factor, bound) if bound <= INT32_MAX else None
            for factor, bound in zip(self.factors, self.bounds, strict=True)
        )

    @property
    def wide_rescales(self) -> tuple[WideRescale | None, ...]:
        """One per factor of int16 inputs; None where an intermediate value would leave its range."""
        return tuple(wide_rescale(factor, bound) for factor, bound in zip(self.factors, self.bounds, strict=True))


def filters_of(
    model: Model, operator: Operator, output_axis: int, *, broadcast: bool, data: int = 0, bias: int = 2
) -> Filters:
    """Weights and rescales of an operator whose weights (input 1) have their outputs along `output_axis`.

    Input scale * weight scale is formed in double, as TensorFlow Lite Micro does; `broadcast` repeats the one factor of
    per-tensor weights for every output. `data` and `bias` are the positions of these inputs.
    """
    given, weights, biases = model.required(operator, data), model.required(operator, 1), model.input(operator, bias)
    assert weights.quantization is not None
    table = np.moveaxis(weights.array, output_axis, 0).astype(np.int64)
    table = table.reshape(table.shape[0], -1)
    scales = weights.quantization.scales
    out = scale_of(model.output(operator))
    factors = tuple(scale_of(given) * scale / out for scale in scales)
    if broadcast and len(factors) == 1:
        factors = factors * table.shape[0]
    return Filters(
        weights=table,
        bias=np.zeros(table.shape[0], np.int64) if biases is None else biases.array.astype(np.int64).reshape(-1),
        factors=factors,
        input_zero_point=zero_point_of(given),
        wide=is_wide(given),
    )


def constants_of(filters: Filters, weights: npt.NDArray[np.generic], *, folded: bool = True) -> tuple[Constant, ...]:
    """The tables of a kernel: `weights` as the kernel reads them, biases, `folded` or as they are, rescales."""
    taps = Constant(suffix="weights", ctype="int8_t", values=tuple(int(v) for v in weights.reshape(-1)))
    if filters.wide:
        pairs = [scale.values for scale in filters.wide_rescales if scale is not None]
        return (
            taps,
            Constant(suffix="bias", ctype="int64_t", values=tuple(int(v) for v in filters.bias)),
            Constant(suffix="rescale", ctype="lw_wide_rescale", values=tuple(v for row in pairs for v in row), row=2),
        )
    bias = filters.folded_bias if folded else filters.bias
    rows = [scale.values for scale in filters.rescales if scale is not None]
    return (
        taps,
        Constant(suffix="bias", ctype="int32_t", values=tuple(int(v) for v in bias)),
        Constant(suffix="rescale", ctype="lw_rescale", values=tuple(v for row in rows for v in row), row=3),
    )


def output_params(model: Model, operator: Operator) -> tuple[tuple[str, str], ...]:
    output = model.output(operator)
    low, high = activation_range(str(operator.option("fused_activation_function", "NONE")), output)
    return (
        ("output_zero_point", str(zero_point_of(output))),
        ("activation_min", str(low)),
        ("activation_max", str(high)),
    )


def _int8_weights(weights: Tensor | None, output_axis: int, rank: int) -> bool:
    if weights is None or not weights.is_constant or weights.dtype is not TensorType.INT8 or len(weights.shape) != rank:
        return False
    q = weights.quantization
    if q is None or any(scale <= 0 for scale in q.scales) or any(q.zero_points):
        return False
    return len(q.scales) == 1 or (q.axis == output_axis and len(q.scales) == weights.shape[output_axis])


def weight_rules(output_axis: int, rank: int, *, data: int = 0, bias: int = 2) -> tuple[Rule, ...]:
    """Rules of weights with outputs along `output_axis` of `rank` dimensions, bias and rescales."""

    def bias_fits(model: Model, op: Operator) -> bool:
        found, wide = model.input(op, bias), is_wide(model.required(op, data))
        if found is None:
            return not wide or op.option("quantized_bias_type", "INT64") != "INT32"
        outputs = model.required(op, 1).shape[output_axis]
        wanted = TensorType.INT64 if wide else TensorType.INT32
        return found.is_constant and found.dtype is wanted and found.elements == outputs

    def no_overflow(model: Model, op: Operator) -> bool:
        found = model.input(op, bias)
        if found is not None and any(abs(int(value)) >= 2**47 for value in found.array.reshape(-1)):
            return False
        filters = filters_of(model, op, output_axis, broadcast=False, data=data, bias=bias)
        if filters.wide:
            return all(scale is not None for scale in filters.wide_rescales)
        largest = np.abs(filters.folded_bias).max(initial=0)
        return int(largest) <= INT32_MAX and all(scale is not None for scale in filters.rescales)

    return (
        Rule(
            text="weights are constant int8, symmetric (zero point 0), with one scale or one per output channel",
            holds=lambda model, op: _int8_weights(model.input(op, 1), output_axis, rank),
            remedy="quantize with int8 weights; 4-bit, float and computed weights have no kernel",
        ),
        Rule(
            text="the bias is absent or constant, one value per output channel, int32 beside int8, int64 beside int16",
            holds=bias_fits,
            remedy="convert the model again: the TensorFlow converter makes it so",
        ),
        Rule(
            text="no accumulator (32 bits of int8, 48 bits of int16) can overflow, whatever the input",
            holds=no_overflow,
            remedy="split the layer, or quantize again with calibration data of the true range",
        ),
    )

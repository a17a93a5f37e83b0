"""What each operator's kernel asks of the arena: options, data, per-channel tables, scratch, and tensors it looks at.

Source: the init and prepare of the kernels in TensorFlow Lite Micro's micro/kernels (reference) and
micro/kernels/cmsis_nn, with CMSIS-NN's get_buffer_size functions (July 2026, 99f736a6). CMSIS-NN's scratch depends on
the core: 'dsp' for Cortex-M4, M7 and M33 with DSP, 'mve' for M55 and M85, 'none' for M0, M3 and M23. With 'mve' the
sums of a fully connected kernel are counted as lasting, as a build for speed keeps them; one for size needs less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import TensorType
from leadwire.ops.geometry import Axis, integer

Kernels = Literal["reference", "cmsis-nn"]
Extension = Literal["none", "dsp", "mve"]

_LEAST_TURNED_CHANNELS: Final = 16
"""CMSIS-NN turns the filters of a transposed convolution around for more input channels than these."""
_MVE_LANES: Final = 16
_MVE_CHANNEL_BLOCK: Final = 124
_MVE_ONE_CHANNEL_OUTPUTS: Final = 8
_MVE_WIDE_LANES: Final = 8
_WIDE_FAST_TAPS: Final = 512
_SOFTMAX_TABLE: Final = 2 * 513
"""Bytes of exp and of 1 / (1 + x), which the kernel for int16 fills while it is prepared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """`options` and `data` name records of the layout, '' for none. `tables` are persistent buffers and `scratch` ones
    for the operator's time, in bytes and in the order asked for; a table may also name a record. `tensors` are those
    looked at while preparing, each as often as it is looked at.
    """

    options: str = ""
    data: str = ""
    tables: tuple[int | str, ...] = ()
    scratch: tuple[int, ...] = ()
    tensors: tuple[int, ...] = ()


def requests(model: Model, operator: Operator, kernels: Kernels, extension: Extension) -> Requests:
    """UnsupportedModelError for an operator whose kernel is not in the table."""
    found = _KERNELS.get(operator.kind)
    if operator.kind in REFUSED:
        reason, hint = REFUSED[operator.kind]
        raise UnsupportedModelError(model.describe(operator), reason, hint=hint)
    if operator.kind in _INT8_KNOWN and model.output(operator).dtype is TensorType.INT16:
        raise UnsupportedModelError(
            model.describe(operator),
            "what TFLite Micro's kernel for int16 asks of the arena is not known",
            hint="backend aot has the kernel; or quantize with --mode int8",
        )
    if found is None:
        raise UnsupportedModelError(
            model.describe(operator),
            "what TFLite Micro's kernel asks of the arena is not known",
            hint=f"operators in the table: {', '.join(_KERNELS)}",
        )
    return found(model, operator, extension if kernels == "cmsis-nn" else None)


def known() -> tuple[str, ...]:
    """The operators in the table."""
    return tuple(_KERNELS)


_Found = Callable[[Model, Operator, Extension | None], Requests]
"""The last argument is None for the reference kernels."""


def _simple(options: str, data: str, *looked_at: str) -> _Found:
    """A kernel that looks at the tensors named ('in0', 'out0', 'inputs' for all) and asks for nothing else."""

    def found(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
        return Requests(options=options, data=data, tensors=_looked_at(operator, looked_at))

    return found


def _looked_at(operator: Operator, names: tuple[str, ...]) -> tuple[int, ...]:
    def indices() -> Iterator[int]:
        for name in names:
            if name == "inputs":
                yield from operator.inputs
            else:
                side = operator.inputs if name.startswith("in") else operator.outputs
                position = int(name[-1])
                yield side[position] if position < len(side) else -1

    return tuple(index for index in indices() if index >= 0)


def _convolution(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
    depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    channels = model.required(operator, 1).shape[3 if depthwise else 0]
    first = ("out0", "in0", "in1") if cmsis is None else ("in0", "in1", "out0")
    size = 0
    if cmsis is not None and _is_wide(model, operator):
        size = (_wide_depthwise_scratch if depthwise else _wide_convolution_scratch)(_Shapes.of(model, operator), cmsis)
    elif cmsis is not None:
        size = (_depthwise_scratch if depthwise else _convolution_scratch)(_Shapes.of(model, operator), cmsis)
    return Requests(
        options="CONV_2D options",
        data="CONV_2D data" if cmsis is None else "CMSIS-NN CONV_2D data",
        tables=(4 * channels, 4 * channels),
        scratch=(size,) if size else (),
        tensors=_looked_at(operator, (*first, "in0", "in1", "in2", "out0")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shapes:
    """Of a convolution. `filter_channels` is what a filter reads of the input, in a depthwise one the outputs."""

    batches: int
    y: Axis
    x: Axis
    input_channels: int
    filter_channels: int
    output_channels: int

    @classmethod
    def of(cls, model: Model, operator: Operator) -> _Shapes:
        batches, *sizes, input_channels = model.required(operator, 0).shape
        filters = model.required(operator, 1).shape
        same = operator.option("padding", "VALID") == "SAME"
        y, x = (
            Axis(
                size=size,
                filter=filters[1 + position],
                stride=integer(operator, f"stride_{letter}", 1),
                dilation=integer(operator, f"dilation_{letter}_factor", 1),
                same=same,
            )
            for position, (size, letter) in enumerate(zip(sizes, "hw", strict=True))
        )
        return cls(
            batches=batches,
            y=y,
            x=x,
            input_channels=input_channels,
            filter_channels=filters[3],
            output_channels=model.output(operator).shape[3],
        )

    @property
    def column(self) -> int:
        """Values of a column of im2col."""
        return self.x.filter * self.y.filter * self.input_channels

    @property
    def undilated(self) -> bool:
        return self.x.dilation == self.y.dilation == 1


def _convolution_scratch(s: _Shapes, extension: Extension) -> int:
    whole = s.input_channels == s.filter_channels
    one_by_one = s.x.filter == s.y.filter == 1 and s.x.before == s.y.before == 0 and s.undilated and whole
    if one_by_one:
        return 0
    if extension != "mve":
        return 2 * 2 * (s.column + -s.column % 4)
    row = s.y.size == s.y.filter == 1 and s.x.dilation == 1 and s.x.stride * s.input_channels % 4 == 0 and whole
    return (_mve_row_scratch(s) if row else 0) or 4 * (s.column + -s.column % _MVE_LANES)


def _mve_row_scratch(s: _Shapes) -> int:
    """CMSIS-NN's 1 x n convolution, 0 where its padded ends do not add up and the general one runs."""
    pad, stride = s.x.before, s.x.stride
    total = (s.x.output - 1) * stride + s.x.filter - s.x.size
    uneven = total - int(total / 2) * 2  # C's remainder
    right = max(1, int((pad + uneven + stride - 1) / stride)) if pad + uneven else 0
    left = max(1, (pad + stride - 1) // stride) if pad else 0
    if right + left + max(s.x.output - right - left, 0) != s.x.output:
        return 0
    before = pad * s.input_channels
    after = right * s.input_channels if uneven else before
    values = s.x.filter * s.input_channels
    return max(values + before, values - s.input_channels + after)


def _depthwise_scratch(s: _Shapes, extension: Extension) -> int:
    if extension == "mve" and s.input_channels == 1 and s.output_channels > _MVE_ONE_CHANNEL_OUTPUTS:
        turned = replace(s, filter_channels=1)  # it runs as a convolution with its filters turned around
        return _convolution_scratch(turned, extension) + s.output_channels * s.x.filter * s.y.filter
    if s.input_channels != s.output_channels or s.batches != 1 or not s.undilated:
        return 0
    if extension == "mve":
        return 4 * _MVE_CHANNEL_BLOCK * s.x.filter * s.y.filter
    if extension == "none" or (s.x.filter == s.y.filter == 3 and s.x.before <= 1 and s.y.before <= 1):
        return 0
    return 2 * s.column


def _wide_convolution_scratch(s: _Shapes, extension: Extension) -> int:
    """Of int16: im2col of two positions, with 'mve' of four in whole vectors."""
    if extension != "mve":
        return 2 * 2 * s.column
    return 4 * 2 * (s.column + -s.column % _MVE_WIDE_LANES)


def _wide_depthwise_scratch(s: _Shapes, extension: Extension) -> int:
    taps = s.x.filter * s.y.filter
    fast = s.input_channels == s.output_channels and s.undilated and taps < _WIDE_FAST_TAPS
    if not fast or extension == "none":
        return 0
    return 2 * s.column if extension == "dsp" else 4 * 2 * s.column + 8


def _is_wide(model: Model, operator: Operator) -> bool:
    return model.required(operator, 0).dtype is TensorType.INT16


def _fully_connected(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
    weights, output = model.required(operator, 1), model.output(operator)
    scales = len(weights.quantization.scales) if weights.quantization is not None else 0
    scratch: list[int] = []
    tables = [4 * scales, 4 * scales] if scales > 1 else []
    if cmsis is not None and not _is_wide(model, operator):
        as_convolution = len(output.shape) > 2 and weights.shape[-1] % 4 == 0
        if as_convolution and scales <= 1:
            scratch.append(8 * output.shape[-1])
        elif not as_convolution and cmsis == "mve":
            tables.append(4 * output.shape[-1])
    return Requests(
        options="FULLY_CONNECTED options",
        data="FULLY_CONNECTED data" if cmsis is None else "CMSIS-NN FULLY_CONNECTED data",
        tables=tuple(tables),
        scratch=tuple(scratch),
        tensors=_looked_at(operator, ("in0", "in1", "in2", "out0")),
    )


def _pooling(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
    average = operator.kind == "AVERAGE_POOL_2D" and cmsis is not None
    return Requests(
        options="POOL_2D options",
        data="POOL_2D data" if cmsis is None else "CMSIS-NN POOL_2D data",
        scratch=(4 * model.output(operator).shape[3],) if average and cmsis == "dsp" else (),
        tensors=_looked_at(operator, ("in0", "out0") * (2 if average else 1)),
    )


def _softmax(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
    return Requests(
        options="SOFTMAX options",
        data="SOFTMAX data" if cmsis is None else "CMSIS-NN SOFTMAX data",
        tables=(_SOFTMAX_TABLE, _SOFTMAX_TABLE) if _is_wide(model, operator) else (),
        tensors=_looked_at(operator, ("in0", "out0")),
    )


def _mean(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
    source, axes = model.required(operator, 0), model.required(operator, 1)
    quantized = source.dtype in (TensorType.INT8, TensorType.INT16)
    sums = (4 * model.output(operator).elements,) if quantized else ()
    return Requests(
        options="MEAN options",
        data="MEAN data",
        scratch=(*sums, 4 * len(source.shape), 4 * axes.elements),
        tensors=_looked_at(operator, ("in0", "out0", "in1", "in0", "in1", *(("out0",) if quantized else ()))),
    )


def _reduce_extremum(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
    source, axes = model.required(operator, 0), model.required(operator, 1)
    return Requests(
        options="MEAN options",
        data="MEAN data",
        scratch=(4 * len(source.shape), 4 * axes.elements),
        tensors=_looked_at(operator, ("in0", "in1", "out0", "in0", "out0", "in1")),
    )


def _transpose_conv(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
    outputs, height, width, given = model.required(operator, 1).shape
    output = model.output(operator)
    scratch = [4 * output.elements]
    if cmsis is not None:
        strides = [integer(operator, f"stride_{letter}", 1) for letter in "hw"]
        if max(strides) <= 2 and given > _LEAST_TURNED_CHANNELS:  # as a convolution with its filters turned around
            column = height * width * given
            lanes = 4 * (column + -column % _MVE_LANES) if cmsis == "mve" else 2 * 2 * (column + -column % 4)
            scratch = [lanes, column * outputs]
        else:
            row = (model.required(operator, 2).shape[2] - 1) * strides[1] + max(width, strides[0])
            scratch = [4 * row * output.shape[3] * max(height, strides[0]), 0]
    return Requests(
        options="TRANSPOSE_CONV options",
        data="TRANSPOSE_CONV data" if cmsis is None else "CMSIS-NN TRANSPOSE_CONV data",
        tables=(4 * outputs, 4 * outputs),
        scratch=tuple(scratch),
        tensors=_looked_at(operator, ("out0", "in2", "in1", "in2", "in1", "in3", "out0")),
    )


def _batch_matmul(model: Model, operator: Operator, cmsis: Extension | None) -> Requests:
    """A matrix that is not given as the kernel wants it is turned into a lasting copy."""
    copies: list[int | str] = []
    for position, is_copied in ((0, operator.option("adj_x", False)), (1, not operator.option("adj_y", False))):
        if is_copied:
            tensor = model.required(operator, position)
            copies += ["tensor in use", 4 + 4 * len(tensor.shape), tensor.elements]
    output = model.output(operator)
    dimensions = 4 + 4 * len(output.shape)
    quantization = "BATCH_MATMUL quantization"
    return Requests(
        options="BATCH_MATMUL options",
        data="BATCH_MATMUL data" if cmsis is None else "CMSIS-NN BATCH_MATMUL data",
        tables=(quantization, *copies, dimensions) if cmsis is None else (*copies, dimensions, quantization),
        scratch=(4 * output.shape[-1],) if cmsis == "mve" else (),
        tensors=_looked_at(operator, ("in0", "in1", "out0")),
    )


_ARENA_NOT_KNOWN: Final = (
    "what TFLite Micro's kernel asks of the arena is not known",
    "backend aot, which has the kernel and needs no such arena",
)
REFUSED: Final = {
    **dict.fromkeys(("ABS", "ELU", "REVERSE_V2", "SUM"), _ARENA_NOT_KNOWN),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "TFLite Micro's kernel keeps the fused LSTM's state from one inference to the next, where aot starts anew in "
        "each: the same input would not give the same bytes; nor is known what it asks of the arena",
        "backend aot; or build the layer with unroll=True, which both backends run",
    ),
}
"""What backend tflm does not take: why, and what to do."""
_INT8_KNOWN: Final = ("BATCH_MATMUL", "TRANSPOSE_CONV")
_KERNELS: Final[dict[str, _Found]] = {
    "ADD": _simple("ADD options", "ADD data", "in0", "in1", "out0"),
    "ARG_MAX": _simple("ARG_MAX options", ""),
    "ARG_MIN": _simple("ARG_MAX options", ""),
    "AVERAGE_POOL_2D": _pooling,
    "BATCH_MATMUL": _batch_matmul,
    "BATCH_TO_SPACE_ND": _simple("", "", "in0", "out0"),
    "CAST": _simple("CAST options", "", "in0", "out0"),
    "CONCATENATION": _simple("CONCATENATION options", "CONCATENATION data", "in0", "out0", "inputs"),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "DEQUANTIZE": _simple("", "DEQUANTIZE data", "in0", "out0"),
    "EXPAND_DIMS": _simple("", "", "in0", "in1", "out0"),
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _simple("", "HARD_SWISH data", "in0", "out0"),
    "L2_NORMALIZATION": _simple("L2_NORMALIZATION options", "L2_NORMALIZATION data", "in0", "out0"),
    "LEAKY_RELU": _simple("LEAKY_RELU options", "LEAKY_RELU data", "in0", "out0"),
    "LOGISTIC": _simple("", "LOGISTIC data", "in0", "out0"),
    "MAX_POOL_2D": _pooling,
    "MAXIMUM": _simple("", ""),
    "MEAN": _mean,
    "MINIMUM": _simple("", ""),
    "MUL": _simple("MUL options", "MUL data", "in0", "in1", "out0"),
    "PACK": _simple("PACK options", ""),
    "PAD": _simple("", "PAD data", "in0", "in1", "in2", "out0"),
    "PADV2": _simple("", "PAD data", "in0", "in1", "in2", "out0"),
    "PRELU": _simple("", "PRELU data", "in0", "in1", "out0"),
    "QUANTIZE": _simple("", "QUANTIZE data", "in0", "out0"),
    "REDUCE_MAX": _reduce_extremum,
    "REDUCE_MIN": _reduce_extremum,
    "RELU": _simple("", "RELU data", "in0", "out0"),
    "RELU6": _simple("", "RELU6 data", "in0"),
    "RESHAPE": _simple("RESHAPE options", "", "in0", "out0"),
    "RESIZE_BILINEAR": _simple("RESIZE_NEAREST_NEIGHBOR options", "", "in0", "in1", "out0"),
    "RESIZE_NEAREST_NEIGHBOR": _simple("RESIZE_NEAREST_NEIGHBOR options", "", "in0", "in1", "out0"),
    "SLICE": _simple("", "", "in0", "in1", "in2", "out0"),
    "SOFTMAX": _softmax,
    "SPACE_TO_BATCH_ND": _simple("", "SPACE_TO_BATCH_ND data", "in0", "out0"),
    "SPLIT": _simple("SPLIT options", "", "in0"),
    "SPLIT_V": _simple("SPLIT_V options", "", "in2"),
    "SQUEEZE": _simple("SQUEEZE options", "", "in0", "out0"),
    "STRIDED_SLICE": _simple("STRIDED_SLICE options", "STRIDED_SLICE data", "in0", "in1", "in2", "in3", "out0"),
    "SUB": _simple("ADD options", "SUB data", "in0", "in1", "out0"),
    "TANH": _simple("", "LOGISTIC data", "in0", "in0", "out0"),
    "TRANSPOSE": _simple("", "", "in0", "in1", "out0"),
    "TRANSPOSE_CONV": _transpose_conv,
    "UNPACK": _simple("UNPACK options", ""),
}

"""What a PAD writes around an input, and where no one has to: the window of a convolution may overhang its input, and
taps out there count as the zero point. Causal convolutions and ZeroPadding come as PAD and a VALID convolution.

Such a PAD is left out: its output, under whatever shapes it is read, is held as the bytes of its input, and the
convolutions read beyond these.
"""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import zero_point_of
from .geometry import NO_MARGINS, Margins, integer
from .rules import is_quantized

PADS = ("PAD", "PADV2")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_OTHER_SHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")

Paddings = list[tuple[int, int]]
"""(before, after) of each dimension."""


def paddings(model: Model, pad: Operator) -> Paddings | None:
    """None where they are not constants, or negative."""
    tensor, rank = model.required(pad, 1), len(model.required(pad, 0).shape)
    if not tensor.is_constant or tensor.elements != 2 * rank:
        return None
    pairs = [(int(before), int(after)) for before, after in tensor.array.reshape(rank, 2)]
    return pairs if all(before >= 0 and after >= 0 for before, after in pairs) else None


def padding_value(model: Model, pad: Operator) -> int:
    value = model.input(pad, 2)
    return zero_point_of(model.output(pad)) if value is None else int(value.array.reshape(-1)[0])


def is_left_out(model: Model, operator: Operator) -> bool:
    """Whether this is a PAD of the zero point, of height and width alone, whose readers are all VALID convolutions with
    larger windows."""
    if operator.kind not in PADS:
        return False
    made, pairs = model.output(operator), paddings(model, operator)
    if pairs is None or not is_quantized(made) or padding_value(model, operator) != zero_point_of(made):
        return False
    shapes = _shapes(model, operator)
    readers = [op for op in model.operators if shapes & {*op.inputs} and not shapes & {*op.outputs}]
    return (
        bool(readers)
        and not shapes & {*model.outputs}
        and min(model.required(operator, 0).shape) > 0
        and all(shapes.isdisjoint(op.inputs[1:]) and _takes(model, operator, op) for op in readers)
    )


def left_out(model: Model) -> dict[int, int]:
    """The tensors that are not made because their PAD is left out, and how many bytes each is held as."""
    return {
        tensor: model.required(operator, 0).size_bytes
        for operator in model.operators
        if is_left_out(model, operator)
        for tensor in _shapes(model, operator)
    }


def margins_of(model: Model, convolution: Operator) -> Margins:
    """How far around its input a convolution reads in place of a PAD that is left out."""
    pad = _pad_behind(model, convolution.inputs[0])
    if pad is None or not is_left_out(model, pad):
        return NO_MARGINS
    return _margins(model, pad, convolution) or NO_MARGINS


def _writer(model: Model, tensor: int) -> Operator | None:
    return next((op for op in model.operators if tensor in op.outputs), None)


def _pad_behind(model: Model, tensor: int) -> Operator | None:
    writer = _writer(model, tensor)
    while writer is not None and writer.kind in _OTHER_SHAPES:
        writer = _writer(model, writer.inputs[0])
    return writer if writer is not None and writer.kind in PADS else None


def _shapes(model: Model, pad: Operator) -> set[int]:
    """The output of a PAD and what other shapes of it there are. Operators stand in the order in which they run."""
    found = {pad.outputs[0]}
    for op in model.operators[pad.index + 1 :]:
        if op.kind in _OTHER_SHAPES and not found.isdisjoint(op.inputs[:1]):
            found.add(op.outputs[0])
    return found


def _margins(model: Model, pad: Operator, convolution: Operator) -> Margins | None:
    """The paddings as those of height and width of a convolution's input, which may have another number of dimensions
    of size 1; None where they are none such."""
    pairs, shape = paddings(model, pad), model.required(convolution, 0).shape
    assert pairs is not None
    long = [(size, pair) for size, pair in zip(model.output(pad).shape, pairs, strict=True) if size > 1]
    if [size for size, _ in long] != [size for size in shape if size > 1] or len(shape) != 4:
        return None
    left = iter([pair for _, pair in long])
    batch, height, width, channels = (next(left) if size > 1 else (0, 0) for size in shape)
    return (height, width) if batch == channels == (0, 0) else None


def _takes(model: Model, pad: Operator, reader: Operator) -> bool:
    if reader.kind not in _CONVOLUTIONS or reader.option("padding", "VALID") != "VALID":
        return False
    margins, weights = _margins(model, pad, reader), model.input(reader, 1)
    if margins is None or weights is None or len(weights.shape) != 4:
        return False
    reach = (
        (weights.shape[1] - 1) * integer(reader, "dilation_h_factor", 1),
        (weights.shape[2] - 1) * integer(reader, "dilation_w_factor", 1),
    )
    return all(max(pair) <= beyond for pair, beyond in zip(margins, reach, strict=True))

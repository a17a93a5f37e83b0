"""Every kernel gives the bytes of TensorFlow Lite Micro: shapes, strides, paddings, dilations, scales, zero points and
corner values drawn by hypothesis, under address and undefined-behaviour sanitizers.

LEADWIRE_KERNEL_EXAMPLES sets the number of examples per operator.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from leadwire.errors import UnsupportedModelError
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from single_operator import EXAMPLES, Op, T, Witness, assert_same_as_tflm, run_tflite, run_witness, write_tflite
from sixteen_bit import INT8_ONLY, sixteen_bit

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")

checked = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # each example compiles a program: shrinking would take minutes
    print_blob=True,
)

SCALES = st.one_of(
    st.sampled_from([1.0, 0.5, 2**-7, 1 / 255, 0.1]), st.floats(-9, 1).map(lambda e: float(np.float32(2.0**e)))
)
ZEROS = st.one_of(st.sampled_from([-128, 127, 0]), st.integers(-128, 127))
ACTIVATIONS = st.sampled_from([0, 1, 2, 3])  # NONE, RELU, RELU_N1_TO_1, RELU6
SEEDS = st.integers(0, 2**32 - 1)
CHANNELS = st.one_of(st.sampled_from([4, 8, 12]), st.integers(1, 9))
RATIOS = st.floats(-3, 3).map(lambda e: 2.0**e)


def out_size(size: int, effective: int, stride: int, same: bool) -> int:
    return math.ceil(size / stride) if same else math.ceil((size - effective + 1) / stride)


def compare(data: bytes, seed: int, witness: Witness = run_witness) -> None:
    """Bytes as TFLM's or another witness's, where the operator keeps the rules; for odd seeds those of the model's 16x8
    sibling where it has one."""
    if seed % 2 and not {op.kind for op in parse_tflite(data, "single").operators} & INT8_ONLY:
        data = sixteen_bit(data, seed)
    try:
        registry.check(parse_tflite(data, "single"))
    except UnsupportedModelError:
        assume(False)
    assert_same_as_tflm(data, seed, witness)


def weights_and_bias(
    draw: st.DrawFn, shape: tuple[int, ...], axis: int, input_scale: float, per_channel: bool
) -> tuple[T, T | None, float]:
    """Weights with corner values, a bias or none, and a typical magnitude of the accumulated real value."""
    seed = draw(SEEDS)
    random = np.random.default_rng(seed)
    values = random.integers(-127, 128, shape).astype(np.int8)
    if draw(st.booleans()):
        values = np.where(random.random(shape) < 0.3, np.int8(127), values).astype(np.int8)
    base = draw(SCALES) / 16
    outputs = shape[axis]
    scale = (
        tuple(float(np.float32(base * 2.0 ** random.uniform(-2, 2))) for _ in range(outputs))
        if per_channel
        else (float(np.float32(base)),)
    )
    weights = T(shape=shape, array=values, scale=scale, axis=axis)
    bias = None
    if draw(st.booleans()):
        bias_scale = tuple(input_scale * s for s in scale)
        array = random.integers(-20000, 20001, outputs).astype(np.int32)
        bias = T(shape=(outputs,), array=array, scale=bias_scale)
    return weights, bias, input_scale * base * 5000 * math.sqrt(math.prod(shape) / outputs) / 128


@pytest.mark.parametrize("groups", [1, 2, 3])
@checked
@given(data=st.data())
def test_conv_2d(groups: int, data: st.DataObject) -> None:
    draw = data.draw
    kh, kw = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    sy, sx = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dy, dx = draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([1, 1, 2, 3]))
    same = draw(st.booleans())
    h, w = draw(st.integers(1, 6)), draw(st.integers(1, 16))
    eh, ew = (kh - 1) * dy + 1, (kw - 1) * dx + 1
    assume(same or (h >= eh and w >= ew))
    cin, cout = draw(CHANNELS), draw(st.integers(1, 6))
    if groups > 1:
        cin, cout = groups * draw(st.integers(1, 6)), groups * draw(st.integers(1, 3))
    scale = draw(SCALES)
    weights, bias, magnitude = weights_and_bias(draw, (cout, kh, kw, cin // groups), 0, scale, draw(st.booleans()))
    oh, ow = out_size(h, eh, sy, same), out_size(w, ew, sx, same)
    tensors = [
        T(shape=(1, h, w, cin), scale=scale, zero_point=draw(ZEROS)),
        weights,
        T(shape=(1, oh, ow, cout), scale=magnitude * draw(RATIOS), zero_point=draw(ZEROS)),
        *([bias] if bias else []),
    ]
    op = Op(
        kind="CONV_2D",
        inputs=(0, 1, 3) if bias else (0, 1),
        outputs=(2,),
        options="Conv2DOptions",
        fields={
            "padding": 0 if same else 1, "strideH": sy, "strideW": sx, "dilationHFactor": dy, "dilationWFactor": dx,
            "fusedActivationFunction": draw(ACTIVATIONS),
        },
    )  # fmt: skip
    compare(write_tflite(tensors, [op], [0], [2]), draw(SEEDS))


@checked
@given(st.data())
def test_depthwise_conv_2d(data: st.DataObject) -> None:
    draw = data.draw
    kh, kw = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    stride = draw(st.integers(1, 3))
    dy, dx = draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([1, 1, 2]))
    same = draw(st.booleans())
    h, w = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    eh, ew = (kh - 1) * dy + 1, (kw - 1) * dx + 1
    assume(same or (h >= eh and w >= ew))
    cin, multiplier = draw(CHANNELS), draw(st.sampled_from([1, 1, 1, 2]))
    cout = cin * multiplier
    scale = draw(SCALES)
    weights, bias, magnitude = weights_and_bias(draw, (1, kh, kw, cout), 3, scale, draw(st.booleans()))
    oh, ow = out_size(h, eh, stride, same), out_size(w, ew, stride, same)
    tensors = [
        T(shape=(1, h, w, cin), scale=scale, zero_point=draw(ZEROS)),
        weights,
        T(shape=(1, oh, ow, cout), scale=magnitude * draw(RATIOS), zero_point=draw(ZEROS)),
        *([bias] if bias else []),
    ]
    op = Op(
        kind="DEPTHWISE_CONV_2D",
        inputs=(0, 1, 3) if bias else (0, 1),
        outputs=(2,),
        options="DepthwiseConv2DOptions",
        fields={
            "padding": 0 if same else 1, "strideH": stride, "strideW": stride, "dilationHFactor": dy,
            "dilationWFactor": dx,
            "depthMultiplier": multiplier, "fusedActivationFunction": draw(ACTIVATIONS),
        },
    )  # fmt: skip
    compare(write_tflite(tensors, [op], [0], [2]), draw(SEEDS))


@checked
@given(st.data())
def test_transpose_conv(data: st.DataObject) -> None:
    draw = data.draw
    kh, kw = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    sy, sx = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    same = draw(st.booleans())
    h, w = draw(st.integers(1, 7)), draw(st.integers(1, 17))
    assume(same or (h >= kh and w >= kw))
    cin, cout = draw(CHANNELS), draw(st.integers(1, 6))
    scale = draw(SCALES)
    weights, bias, magnitude = weights_and_bias(draw, (cout, kh, kw, cin), 0, scale, draw(st.booleans()))
    tensors = [
        T(shape=(4,), array=np.array([1, h, w, cout], np.int32), quantized=False),
        weights,
        T(shape=(1, out_size(h, kh, sy, same), out_size(w, kw, sx, same), cin), scale=scale, zero_point=draw(ZEROS)),
        T(shape=(1, h, w, cout), scale=magnitude * draw(RATIOS), zero_point=draw(ZEROS)),
        *([bias] if bias else []),
    ]
    fields = {"padding": 0 if same else 1, "strideH": sy, "strideW": sx, "fusedActivationFunction": draw(ACTIVATIONS)}
    op = Op(
        kind="TRANSPOSE_CONV", inputs=(0, 1, 2, 4) if bias else (0, 1, 2), outputs=(3,),
        options="TransposeConvOptions", fields=fields,
    )  # fmt: skip
    compare(write_tflite(tensors, [op], [2], [3]), draw(SEEDS))


@checked
@given(st.data())
def test_batch_matmul(data: st.DataObject) -> None:
    """Batches alike, broadcast or absent; either matrix turned, or a constant; columns beside the strips of 16."""
    draw = data.draw
    rows, depth = draw(st.integers(1, 6)), draw(st.integers(1, 17))
    columns = draw(st.integers(1, 6) | st.integers(14, 35))
    batch = tuple(draw(st.integers(1, 3)) for _ in range(draw(st.integers(0, 2))))
    ones = tuple(1 for _ in batch)
    left_batch, right_batch = draw(st.sampled_from([(batch, batch), (batch, ones), (ones, batch)]))
    if len(batch) == 2 and draw(st.booleans()):
        right_batch = right_batch[1:]
    turned = draw(st.booleans()), draw(st.booleans())
    left = (*left_batch, *((depth, rows) if turned[0] else (rows, depth)))
    right = (*right_batch, *((columns, depth) if turned[1] else (depth, columns)))
    scales = draw(SCALES), draw(SCALES)
    constant = draw(st.booleans())
    random = np.random.default_rng(draw(SEEDS))
    typical = float(np.float32(scales[0] * scales[1] * 40 * math.sqrt(depth)))
    tensors = [
        T(shape=left, scale=scales[0], zero_point=draw(ZEROS)),
        T(
            shape=right, scale=scales[1], zero_point=draw(ZEROS),
            array=random.integers(-128, 128, right).astype(np.int8) if constant else None,
        ),
        T(shape=(*batch, rows, columns), scale=typical * draw(RATIOS), zero_point=draw(ZEROS)),
    ]  # fmt: skip
    op = Op(
        kind="BATCH_MATMUL", inputs=(0, 1), outputs=(2,), options="BatchMatMulOptions",
        fields={"adjX": turned[0], "adjY": turned[1]},
    )  # fmt: skip
    compare(write_tflite(tensors, [op], [0] if constant else [0, 1], [2]), draw(SEEDS))


@checked
@given(st.data())
def test_prelu(data: st.DataObject) -> None:
    draw = data.draw
    shape = tuple(draw(st.integers(1, 5)) for _ in range(draw(st.integers(1, 4))))
    slopes = tuple(1 if draw(st.booleans()) else size for size in shape)
    slopes = slopes[draw(st.integers(0, len(slopes))) :]
    scale, alpha = draw(SCALES), draw(SCALES)
    random = np.random.default_rng(draw(SEEDS))
    tensors = [
        T(shape=shape, scale=scale, zero_point=draw(ZEROS)),
        T(
            shape=slopes, scale=alpha, zero_point=draw(ZEROS),
            array=random.integers(-128, 128, slopes).astype(np.int8),
        ),
        T(shape=shape, scale=scale * draw(RATIOS), zero_point=draw(ZEROS)),
    ]  # fmt: skip
    compare(write_tflite(tensors, [Op(kind="PRELU", inputs=(0, 1), outputs=(2,))], [0], [2]), draw(SEEDS))


@checked
@given(st.data())
def test_resize_bilinear(data: st.DataObject) -> None:
    draw = data.draw
    height, width, channels = draw(st.integers(1, 7)), draw(st.integers(1, 9)), draw(st.integers(1, 5))
    size = [draw(st.integers(1, 17)), draw(st.integers(1, 19))]
    corners = draw(st.booleans())
    fields = {"alignCorners": corners, "halfPixelCenters": not corners and draw(st.booleans())}
    op = Op(kind="RESIZE_BILINEAR", inputs=(), outputs=(), options="ResizeBilinearOptions", fields=fields)
    moved((1, height, width, channels), (1, *size, channels), op, size, draw=draw)


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@checked
@given(data=st.data())
def test_batches_of_a_convolution(kind: str, data: st.DataObject) -> None:
    """Windows of one row, as between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND."""
    draw = data.draw
    batches, h, w, kw = (
        draw(st.integers(2, 4)),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 9)),
        draw(st.integers(1, 4)),
    )
    same, stride = draw(st.booleans()), draw(st.integers(1, 2))
    assume(same or w >= kw)
    cin = draw(CHANNELS)
    depthwise = kind == "DEPTHWISE_CONV_2D"
    cout = cin if depthwise else draw(st.integers(1, 6))
    shape, axis = ((1, 1, kw, cout), 3) if depthwise else ((cout, 1, kw, cin), 0)
    scale = draw(SCALES)
    weights, bias, magnitude = weights_and_bias(draw, shape, axis, scale, draw(st.booleans()))
    tensors = [
        T(shape=(batches, h, w, cin), scale=scale, zero_point=draw(ZEROS)),
        weights,
        T(
            shape=(batches, h, out_size(w, kw, stride, same), cout), scale=magnitude * draw(RATIOS),
            zero_point=draw(ZEROS),
        ),
        *([bias] if bias else []),
    ]  # fmt: skip
    fields = {
        "padding": 0 if same else 1,
        "strideH": 1,
        "strideW": stride,
        **({"depthMultiplier": 1} if depthwise else {}),
    }
    op = Op(
        kind=kind, inputs=(0, 1, 3) if bias else (0, 1), outputs=(2,), fields=fields,
        options="DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
    )  # fmt: skip
    compare(write_tflite(tensors, [op], [0], [2]), draw(SEEDS))


@pytest.mark.parametrize("witness", [run_witness, run_tflite])
@pytest.mark.parametrize("kind", ["SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"])
@checked
@given(data=st.data())
def test_blocks(kind: str, witness: Witness, data: st.DataObject) -> None:
    """TensorFlow Lite Micro pads with a byte that it never sets: padding is compared with TensorFlow Lite alone."""
    draw = data.draw
    dimensions = draw(st.integers(1, 2))
    blocks = [draw(st.integers(1, 4)) for _ in range(dimensions)]
    counts = [draw(st.integers(1, 4)) for _ in range(dimensions)]
    channels = draw(st.integers(1, 5))
    padded = witness is run_tflite or kind == "BATCH_TO_SPACE_ND"
    edges = [[0, 0] for _ in range(dimensions)]
    for axis, (block, count) in enumerate(zip(blocks, counts, strict=True)):
        if padded:
            before = draw(st.integers(0, block * count - 1))
            edges[axis] = [before, draw(st.integers(0, block * count - 1 - before))]
    space = tuple(block * count - sum(edge) for block, count, edge in zip(blocks, counts, edges, strict=True))
    shapes = (1, *space, channels), (math.prod(blocks), *counts, channels)
    scale, zero = draw(SCALES), draw(ZEROS)
    first, second = shapes if kind == "SPACE_TO_BATCH_ND" else shapes[::-1]
    tensors = [
        T(shape=first, scale=scale, zero_point=zero),
        T(shape=(dimensions,), array=np.array(blocks, np.int32), quantized=False),
        T(shape=(dimensions, 2), array=np.array(edges, np.int32), quantized=False),
        T(shape=second, scale=scale, zero_point=zero),
    ]
    options = "".join(word.capitalize() for word in kind.split("_")[:3]) + "NDOptions"
    op = Op(kind=kind, inputs=(0, 1, 2), outputs=(3,), options=options)
    compare(write_tflite(tensors, [op], [0], [3]), draw(SEEDS), witness)


@checked
@given(st.data())
def test_l2_normalization(data: st.DataObject) -> None:
    draw = data.draw
    outer = tuple(draw(st.integers(1, 3)) for _ in range(draw(st.integers(0, 3))))
    shape = (*outer, draw(st.sampled_from([1, 2, 3, 16, 900])))
    tensors = [T(shape=shape, scale=draw(SCALES), zero_point=draw(ZEROS)), T(shape=shape, scale=1 / 128)]
    op = Op(kind="L2_NORMALIZATION", inputs=(0,), outputs=(1,), options="L2NormOptions")
    compare(write_tflite(tensors, [op], [0], [1]), draw(SEEDS))


def test_lengths_of_every_size() -> None:
    """Vectors of one value, of few large ones, of many: sums from 0 to beyond 2^29, with TensorFlow Lite Micro."""
    for depth in (1, 2, 9, 300, 9000, 33025):
        tensors = [T(shape=(1, depth), scale=0.1, zero_point=-128), T(shape=(1, depth), scale=1 / 128)]
        op = Op(kind="L2_NORMALIZATION", inputs=(0,), outputs=(1,), options="L2NormOptions")
        assert_same_as_tflm(write_tflite(tensors, [op], [0], [1]), depth)


@pytest.mark.parametrize("kind", ["ARG_MAX", "ARG_MIN"])
@checked
@given(data=st.data())
def test_position(kind: str, data: st.DataObject) -> None:
    draw = data.draw
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    axis = draw(st.integers(0, len(shape) - 1))
    written = axis - len(shape) if draw(st.booleans()) else axis
    tensors = [
        T(shape=shape, scale=draw(SCALES), zero_point=draw(ZEROS)),
        T(shape=(1,), array=np.array([written], np.int32), quantized=False),
        T(shape=(*shape[:axis], *shape[axis + 1 :]), dtype="int32", quantized=False),
    ]
    options = "ArgMaxOptions" if kind == "ARG_MAX" else "ArgMinOptions"
    op = Op(kind=kind, inputs=(0, 1), outputs=(2,), options=options, fields={"outputType": 2})
    compare(write_tflite(tensors, [op], [0], [2]), draw(SEEDS))


@checked
@given(st.data())
def test_cast(data: st.DataObject) -> None:
    """There and back: a byte's index through int16, int32 and narrower again."""
    draw = data.draw
    names = [draw(st.sampled_from(["int8", "int16", "int32"])) for _ in range(2)]
    count = draw(st.integers(1, 9))
    codes = {"int8": 9, "int16": 7, "int32": 2}
    chain = ["int8", *names, "int32"]
    tensors = [T(shape=(1, count), scale=0.5, zero_point=3)]
    tensors += [T(shape=(1, count), dtype=name, quantized=False) for name in chain[1:]]
    operators = [
        Op(
            kind="CAST", inputs=(index,), outputs=(index + 1,), options="CastOptions",
            fields={"inDataType": codes[chain[index]], "outDataType": codes[chain[index + 1]]},
        )
        for index in range(3)
    ]  # fmt: skip
    compare(write_tflite(tensors, operators, [0], [3]), draw(SEEDS))


@checked
@given(st.data())
def test_fully_connected(data: st.DataObject) -> None:
    draw = data.draw
    rows, depth, outputs = draw(st.sampled_from([1, 1, 2, 3])), draw(st.integers(1, 70)), draw(st.integers(1, 11))
    scale = draw(SCALES)
    weights, bias, magnitude = weights_and_bias(draw, (outputs, depth), 0, scale, draw(st.booleans()))
    tensors = [
        T(shape=(rows, depth), scale=scale, zero_point=draw(ZEROS)),
        weights,
        T(shape=(rows, outputs), scale=magnitude * draw(RATIOS), zero_point=draw(ZEROS)),
        *([bias] if bias else []),
    ]
    op = Op(
        kind="FULLY_CONNECTED",
        inputs=(0, 1, 3 if bias else -1),
        outputs=(2,),
        options="FullyConnectedOptions",
        fields={"fusedActivationFunction": draw(ACTIVATIONS), "keepNumDims": False},
    )
    compare(write_tflite(tensors, [op], [0], [2]), draw(SEEDS))


@st.composite
def broadcast_shapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    rank = draw(st.integers(1, 4))
    output = tuple(draw(st.integers(1, 5)) for _ in range(rank))
    first = tuple(1 if draw(st.integers(0, 3)) == 0 else size for size in output)
    second = tuple(1 if draw(st.integers(0, 3)) == 0 else size for size in output)
    if draw(st.booleans()):
        second = second[draw(st.integers(0, rank)) :]
    joined = tuple(max(a, b) for a, b in zip(first, (1,) * (rank - len(second)) + second, strict=True))
    return (first, second, joined) if draw(st.booleans()) else (second, first, joined)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
@checked
@given(data=st.data())
def test_elementwise(kind: str, data: st.DataObject) -> None:
    draw = data.draw
    first, second, joined = draw(broadcast_shapes())
    a, b = draw(SCALES), draw(SCALES)
    compared = kind in ("MAXIMUM", "MINIMUM")
    typical = a * b * 64 if kind == "MUL" else a + b
    zeros = [draw(ZEROS)] * 3 if compared else [draw(ZEROS) for _ in range(3)]
    constant = draw(st.booleans())
    random = np.random.default_rng(draw(SEEDS))
    tensors = [
        T(shape=first, scale=a, zero_point=zeros[0]),
        T(
            shape=second, scale=a if compared else b, zero_point=zeros[1],
            array=random.integers(-128, 128, second).astype(np.int8) if constant else None,
        ),
        T(shape=joined, scale=a if compared else typical * draw(RATIOS), zero_point=zeros[2]),
    ]  # fmt: skip
    op = Op(
        kind=kind,
        inputs=(0, 1),
        outputs=(2,),
        options="MaximumMinimumOptions" if compared else f"{kind.capitalize()}Options",
        fields={} if compared else {"fusedActivationFunction": draw(ACTIVATIONS)},
    )
    compare(write_tflite(tensors, [op], [0] if constant else [0, 1], [2]), draw(SEEDS))


@pytest.mark.parametrize("kind", ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"])
@checked
@given(data=st.data())
def test_reduction(kind: str, data: st.DataObject) -> None:
    draw = data.draw
    rank = draw(st.integers(2, 4))
    shape = (1, *(draw(st.integers(1, 9)) for _ in range(rank - 1)))
    first = draw(st.integers(1, rank - 1))
    last = draw(st.integers(first, rank - 1))
    axes = draw(st.permutations(range(first, last + 1)))
    axes = [axis - rank if draw(st.booleans()) else axis for axis in axes]
    keep = draw(st.booleans())
    reduced = {axis % rank for axis in axes}
    output = tuple(1 if axis in reduced else size for axis, size in enumerate(shape) if keep or axis not in reduced)
    scale, zero = draw(SCALES), draw(ZEROS)
    made = (scale * draw(RATIOS), draw(ZEROS)) if kind in ("MEAN", "SUM") else (scale, zero)
    tensors = [
        T(shape=shape, scale=scale, zero_point=zero),
        T(shape=(len(axes),), array=np.array(axes, np.int32), quantized=False),
        T(shape=output, scale=made[0], zero_point=made[1]),
    ]
    op = Op(kind=kind, inputs=(0, 1), outputs=(2,), options="ReducerOptions", fields={"keepDims": keep})
    compare(write_tflite(tensors, [op], [0], [2]), draw(SEEDS))


@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
@checked
@given(data=st.data())
def test_pool(kind: str, data: st.DataObject) -> None:
    draw = data.draw
    kh, kw = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    sy, sx = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    same = draw(st.booleans())
    h, w, channels = draw(st.integers(1, 7)), draw(st.integers(1, 9)), draw(CHANNELS)
    assume(same or (h >= kh and w >= kw))
    scale, zero = draw(SCALES), draw(ZEROS)
    tensors = [
        T(shape=(1, h, w, channels), scale=scale, zero_point=zero),
        T(shape=(1, out_size(h, kh, sy, same), out_size(w, kw, sx, same), channels), scale=scale, zero_point=zero),
    ]
    op = Op(
        kind=kind,
        inputs=(0,),
        outputs=(1,),
        options="Pool2DOptions",
        fields={
            "padding": 0 if same else 1, "strideH": sy, "strideW": sx, "filterHeight": kh, "filterWidth": kw,
            "fusedActivationFunction": draw(ACTIVATIONS),
        },
    )  # fmt: skip
    compare(write_tflite(tensors, [op], [0], [1]), draw(SEEDS))


@checked
@given(st.data())
def test_softmax(data: st.DataObject) -> None:
    draw = data.draw
    shape = (*tuple(draw(st.integers(1, 3)) for _ in range(draw(st.integers(0, 2)))), draw(st.integers(1, 40)))
    tensors = [
        T(shape=shape, scale=draw(SCALES), zero_point=draw(ZEROS)),
        T(shape=shape, scale=1 / 256, zero_point=-128),
    ]
    op = Op(
        kind="SOFTMAX",
        inputs=(0,),
        outputs=(1,),
        options="SoftmaxOptions",
        fields={"beta": draw(st.sampled_from([1.0, 1.0, 0.3, 2.5]))},
    )
    compare(write_tflite(tensors, [op], [0], [1]), draw(SEEDS))


@pytest.mark.parametrize("kind", ["PAD", "PADV2"])
@checked
@given(data=st.data())
def test_pad(kind: str, data: st.DataObject) -> None:
    draw = data.draw
    rank = draw(st.integers(1, 4))
    shape = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    pairs = np.array([[draw(st.integers(0, 3)), draw(st.integers(0, 3))] for _ in range(rank)], np.int32)
    scale, zero = draw(SCALES), draw(ZEROS)
    value = T(shape=(1,), array=np.array([draw(ZEROS)], np.int8), scale=scale, zero_point=zero)
    tensors = [
        T(shape=shape, scale=scale, zero_point=zero),
        T(shape=(rank, 2), array=pairs, quantized=False),
        T(shape=tuple(int(n) for n in np.array(shape) + pairs.sum(axis=1)), scale=scale, zero_point=zero),
        *([value] if kind == "PADV2" else []),
    ]
    op = Op(
        kind=kind,
        inputs=(0, 1, 3) if kind == "PADV2" else (0, 1),
        outputs=(2,),
        options="PadOptions" if kind == "PAD" else "PadV2Options",
    )
    compare(write_tflite(tensors, [op], [0], [2]), draw(SEEDS))


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "grouped"])
@checked
@given(data=st.data())
def test_convolutions_behind_a_pad(kind: str, data: st.DataObject) -> None:
    """One or two that read one PAD, causal or on any side, as it is or behind a RESHAPE. A PAD larger than a window, of
    another value, read by a SAME convolution or given out stays."""
    draw = data.draw
    depthwise, signal, twice = kind == "DEPTHWISE_CONV_2D", draw(st.booleans()), draw(st.booleans())
    h, w = 1 if signal else draw(st.integers(1, 5)), draw(st.integers(1, 12))
    kh, kw = 1 if signal else draw(st.integers(1, 3)), draw(st.integers(1, 5))
    dy, dx = draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([1, 1, 2, 4]))
    eh, ew = (kh - 1) * dy + 1, (kw - 1) * dx + 1
    beyond = draw(st.sampled_from([0, 0, 0, 1]))  # 1: a window may lie outside as a whole

    def margin(effective: int) -> tuple[int, int]:
        sizes = st.integers(0, effective - 1 + beyond)
        return (effective - 1, 0) if draw(st.booleans()) else (draw(sizes), draw(sizes))

    pairs = np.array([(0, 0), (0, 0) if signal else margin(eh), margin(ew), (0, 0)], np.int32)
    groups = draw(st.sampled_from([2, 3])) if kind == "grouped" else 1
    cin, scale, zero = groups * draw(CHANNELS), draw(SCALES), draw(ZEROS)
    shape = (1, h + int(pairs[1].sum()), w + int(pairs[2].sum()), cin)
    assume(shape[1] >= eh and shape[2] >= ew)
    like, amounts = {"scale": scale, "zero_point": zero}, np.delete(pairs, 1, 0) if signal else pairs
    value = draw(st.sampled_from([zero, zero, zero, zero ^ 1]))
    tensors = [
        T(shape=(1, w, cin) if signal else (1, h, w, cin), **like),
        T(shape=amounts.shape, array=amounts, quantized=False),
        T(shape=(1, *shape[2:]) if signal else shape, **like),
        T(shape=shape, **like),
        T(shape=(1,), array=np.array([value], np.int8), **like),
    ]
    explicit = value != zero or draw(st.booleans())
    ops = [
        Op(kind="PADV2", inputs=(0, 1, 4), outputs=(2,), options="PadV2Options")
        if explicit
        else Op(kind="PAD", inputs=(0, 1), outputs=(2,), options="PadOptions"),
        *([Op(kind="RESHAPE", inputs=(2,), outputs=(3,), options="ReshapeOptions")] if signal else []),
    ]
    outputs = [3 if signal else 2] if draw(st.sampled_from([False] * 5 + [True])) else []
    for _ in range(1 + twice):
        cout = cin * draw(st.sampled_from([1, 1, 2])) if depthwise else groups * draw(st.integers(1, 4))
        taps = (1, kh, kw, cout) if depthwise else (cout, kh, kw, cin // groups)
        weights, bias, magnitude = weights_and_bias(draw, taps, 3 if depthwise else 0, scale, draw(st.booleans()))
        same = draw(st.sampled_from([False] * 5 + [True]))
        sy = draw(st.integers(1, 3))
        sx = sy if depthwise else draw(st.integers(1, 3))
        made = (1, out_size(shape[1], eh, sy, same), out_size(shape[2], ew, sx, same), cout)
        first = len(tensors)
        tensors += [
            weights, T(shape=made, scale=magnitude * draw(RATIOS), zero_point=draw(ZEROS)), *([bias] if bias else [])
        ]  # fmt: skip
        ops.append(
            Op(
                kind="DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
                inputs=(3 if signal else 2, first, *([first + 2] if bias else [])),
                outputs=(first + 1,),
                options="DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
                fields={
                    "padding": 0 if same else 1, "strideH": sy, "strideW": sx, "dilationHFactor": dy,
                    "dilationWFactor": dx, "fusedActivationFunction": draw(ACTIVATIONS),
                    **({"depthMultiplier": cout // cin} if depthwise else {}),
                },
            )
        )  # fmt: skip
        outputs.append(first + 1)
    compare(write_tflite(tensors, ops, [0], outputs), draw(SEEDS))


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "QUANTIZE"])
@checked
@given(data=st.data())
def test_one_to_one(kind: str, data: st.DataObject) -> None:
    draw = data.draw
    shape = (1, draw(st.integers(1, 30)))
    scale, zero = draw(SCALES), draw(ZEROS)
    tensors = [
        T(shape=shape, scale=scale, zero_point=zero),
        T(
            shape=shape, scale=scale if kind == "RELU6" else scale * draw(RATIOS),
            zero_point=zero if kind == "RELU6" else draw(ZEROS),
        ),
    ]  # fmt: skip
    options = "QuantizeOptions" if kind == "QUANTIZE" else ""
    compare(write_tflite(tensors, [Op(kind=kind, inputs=(0,), outputs=(1,), options=options)], [0], [1]), draw(SEEDS))


def moved(shape: tuple[int, ...], output: tuple[int, ...], op: Op, *values: list[int], draw: st.DrawFn) -> None:
    """An operator that moves bytes: input, constant integers, output."""
    scale, zero = draw(SCALES), draw(ZEROS)
    tensors = [
        T(shape=shape, scale=scale, zero_point=zero),
        *(T(shape=(len(one),), array=np.array(one, np.int32), quantized=False) for one in values),
        T(shape=output, scale=scale, zero_point=zero),
    ]
    last = len(tensors) - 1
    op = replace(op, inputs=tuple(range(last)), outputs=(last,))
    compare(write_tflite(tensors, [op], [0], [last]), draw(SEEDS))


@checked
@given(st.data())
def test_transpose(data: st.DataObject) -> None:
    draw = data.draw
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    order = draw(st.permutations(range(len(shape))))
    op = Op(kind="TRANSPOSE", inputs=(), outputs=(), options="TransposeOptions")
    moved(shape, tuple(shape[axis] for axis in order), op, list(order), draw=draw)


@checked
@given(st.data())
def test_slice(data: st.DataObject) -> None:
    draw = data.draw
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    begin = [draw(st.integers(0, size - 1)) for size in shape]
    sizes = [draw(st.integers(1, size - first)) for size, first in zip(shape, begin, strict=True)]
    written = [-1 if first + n == whole and draw(st.booleans()) else n
               for whole, first, n in zip(shape, begin, sizes, strict=True)]  # fmt: skip
    op = Op(kind="SLICE", inputs=(), outputs=(), options="SliceOptions")
    moved(shape, tuple(sizes), op, begin, written, draw=draw)


@checked
@given(st.data())
def test_strided_slice(data: st.DataObject) -> None:
    """Bounds beyond the ends, negative ones, masks and dropped dimensions; the output's shape is NumPy's."""
    draw = data.draw
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    rank = len(shape)
    begin = [draw(st.integers(-size, size - 1)) for size in shape]
    end = [draw(st.integers(-size - 2, size + 2)) for size in shape]
    steps = [draw(st.sampled_from([1, 1, 2, 3, -1, -2])) for _ in shape]
    masks = {f"{name}Mask": draw(st.integers(0, 2**rank - 1)) for name in ("begin", "end")}
    shrink = draw(st.integers(0, 2**rank - 2)) if draw(st.booleans()) else 0
    index = tuple(
        (0 if masks["beginMask"] >> axis & 1 else begin[axis])
        if shrink >> axis & 1
        else slice(
            None if masks["beginMask"] >> axis & 1 else begin[axis],
            None if masks["endMask"] >> axis & 1 else end[axis],
            steps[axis],
        )
        for axis in range(rank)
    )
    output = np.zeros(shape)[index].shape
    assume(0 not in output)
    op = Op(
        kind="STRIDED_SLICE",
        inputs=(),
        outputs=(),
        options="StridedSliceOptions",
        fields={**masks, "shrinkAxisMask": shrink, "ellipsisMask": 0, "newAxisMask": 0},
    )
    moved(shape, output, op, begin, end, steps, draw=draw)


@checked
@given(st.data())
def test_reverse(data: st.DataObject) -> None:
    draw = data.draw
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    first = draw(st.integers(0, len(shape) - 1))
    axes = draw(st.permutations(range(first, draw(st.integers(first + 1, len(shape))))))
    written = [axis - len(shape) if draw(st.booleans()) else axis for axis in axes]
    moved(shape, shape, Op(kind="REVERSE_V2", inputs=(), outputs=(), options="ReverseV2Options"), written, draw=draw)


@checked
@given(st.data())
def test_resize_nearest_neighbor(data: st.DataObject) -> None:
    draw = data.draw
    batch, height, width, channels = (draw(st.integers(1, 5)) for _ in range(4))
    size = [height * draw(st.integers(1, 4)), width * draw(st.integers(1, 7))]
    fields = {"alignCorners": draw(st.integers(0, 3)) == 0, "halfPixelCenters": draw(st.booleans())}
    op = Op(
        kind="RESIZE_NEAREST_NEIGHBOR", inputs=(), outputs=(), options="ResizeNearestNeighborOptions", fields=fields
    )
    moved((batch, height, width, channels), (batch, *size, channels), op, size, draw=draw)


FIXED_OUTPUT = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}


def tabulated(kind: str, shape: tuple[int, ...], data: st.DataObject) -> bytes:
    """A model of one operator whose output byte is a function of the input byte."""
    scale = data.draw(st.one_of(SCALES, st.floats(-27, 3.9).map(lambda e: float(np.float32(2.0**e)))))
    given_, zero = FIXED_OUTPUT.get(kind, (scale * data.draw(RATIOS), data.draw(ZEROS)))
    tensors = [T(shape=shape, scale=scale, zero_point=data.draw(ZEROS)), T(shape=shape, scale=given_, zero_point=zero)]
    leaky = kind == "LEAKY_RELU"
    fields = {"alpha": data.draw(st.sampled_from([0.0, 0.01, 0.1, 0.3, 1.0, 2.5]))} if leaky else {}
    op = Op(kind=kind, inputs=(0,), outputs=(1,), options="LeakyReluOptions" if leaky else "", fields=fields)
    return write_tflite(tensors, [op], [0], [1])


TABULATED = ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "ABS", "ELU")


@pytest.mark.parametrize("kind", TABULATED)
@checked
@given(data=st.data())
def test_lookup(kind: str, data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    compare(tabulated(kind, shape, data), data.draw(SEEDS))


@pytest.mark.parametrize("kind", TABULATED)
@settings(checked, max_examples=40 * EXAMPLES)
@given(data=st.data())
def test_every_byte_of_a_table(kind: str, data: st.DataObject) -> None:
    """All 256 inputs, at many more scales than programs are compiled for."""
    written = tabulated(kind, (1, 256), data)
    model = parse_tflite(written, "single")
    try:
        registry.check(model)
    except UnsupportedModelError:
        assume(False)
    emit = registry.spec(kind).emit
    assert emit is not None
    [table] = emit(model, model.operators[0])[0].constants
    order = np.arange(256).astype(np.uint8).view(np.int8)
    assert run_witness(written, model, order[None, :])[0].tolist() == list(table.values)


@checked
@given(st.data())
def test_concatenation(data: st.DataObject) -> None:
    draw = data.draw
    rank = draw(st.integers(1, 4))
    axis = draw(st.integers(0, rank - 1))
    base = [draw(st.integers(1, 4)) for _ in range(rank)]
    sizes = [draw(st.integers(1, 5)) for _ in range(draw(st.integers(1, 4)))]
    scale, zero = draw(SCALES), draw(ZEROS)

    def shape(size: int) -> tuple[int, ...]:
        return tuple(size if position == axis else length for position, length in enumerate(base))

    tensors = [T(shape=shape(size), scale=scale, zero_point=zero) for size in (*sizes, sum(sizes))]
    given_ = tuple(range(len(sizes)))
    op = Op(
        kind="CONCATENATION",
        inputs=given_,
        outputs=(len(sizes),),
        options="ConcatenationOptions",
        fields={"axis": axis - rank if draw(st.booleans()) else axis},
    )
    compare(write_tflite(tensors, [op], list(given_), [len(sizes)]), draw(SEEDS))


@pytest.mark.parametrize("kind", ["SPLIT", "SPLIT_V", "UNPACK", "PACK"])
@checked
@given(data=st.data())
def test_cut_and_pack(kind: str, data: st.DataObject) -> None:
    draw = data.draw
    rank = draw(st.integers(1, 4))
    axis = draw(st.integers(0, rank - 1))
    parts = draw(st.integers(1, 5))
    sizes = [draw(st.integers(1, 4))] * parts if kind == "SPLIT" else [draw(st.integers(1, 4)) for _ in range(parts)]
    base = [draw(st.integers(1, 4)) for _ in range(rank)]
    scale, zero = draw(SCALES), draw(ZEROS)

    def along(size: int) -> T:
        shape = (size if place == axis else length for place, length in enumerate(base))
        return T(shape=tuple(shape), scale=scale, zero_point=zero)

    written = axis - rank if draw(st.booleans()) else axis
    where = T(shape=(1,), array=np.array([written], np.int32), quantized=False)
    if kind in ("PACK", "UNPACK"):
        slices = [T(shape=(*base[:axis], *base[axis + 1 :]), scale=scale, zero_point=zero)] * parts
        tensors = [along(parts), *slices]
        whole, cut = (0,), tuple(range(1, parts + 1))
        op = Op(kind=kind, inputs=whole, outputs=cut, options="UnpackOptions", fields={"num": parts, "axis": written})
        if kind == "PACK":
            fields = {"valuesCount": parts, "axis": written}
            op = Op(kind=kind, inputs=cut, outputs=whole, options="PackOptions", fields=fields)
    else:
        left_open = draw(st.integers(-1, parts - 1))
        given_sizes = [-1 if place == left_open else size for place, size in enumerate(sizes)]
        lengths = T(shape=(parts,), array=np.array(given_sizes, np.int32), quantized=False)
        tensors = [along(sum(sizes)), lengths, where, *map(along, sizes)]
        read = (2, 0) if kind == "SPLIT" else (0, 1, 2)
        options = "SplitOptions" if kind == "SPLIT" else "SplitVOptions"
        made = tuple(range(3, 3 + parts))
        op = Op(kind=kind, inputs=read, outputs=made, options=options, fields={"numSplits": parts})
    given_ = [index for index in op.inputs if tensors[index].array is None]
    compare(write_tflite(tensors, [op], given_, list(op.outputs)), draw(SEEDS))


@checked
@given(st.data())
def test_no_copy(data: st.DataObject) -> None:
    """RESHAPE, EXPAND_DIMS and SQUEEZE around a RELU6: the same bytes under another shape."""
    draw = data.draw
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    scale, zero = draw(SCALES), draw(ZEROS)

    def tensor(*shape: int) -> T:
        return T(shape=shape, scale=scale, zero_point=zero)

    def constant(values: list[int], *shape: int) -> T:
        return T(shape=shape, array=np.array(values, np.int32).reshape(shape), quantized=False)

    tensors = [
        tensor(1, n * m), constant([1, n, m], 3), tensor(1, n, m), constant([1]), tensor(1, 1, n, m),
        tensor(1, 1, n, m), tensor(1, n, m),
    ]  # fmt: skip
    operators = [
        Op(kind="RESHAPE", inputs=(0, 1), outputs=(2,), options="ReshapeOptions", fields={"newShape": [1, n, m]}),
        Op(kind="EXPAND_DIMS", inputs=(2, 3), outputs=(4,), options="ExpandDimsOptions"),
        Op(kind="RELU6", inputs=(4,), outputs=(5,)),
        Op(kind="SQUEEZE", inputs=(5,), outputs=(6,), options="SqueezeOptions", fields={"squeezeDims": [1]}),
    ]
    compare(write_tflite(tensors, operators, [0], [6]), draw(SEEDS))

"""Which PADs are left out, and what the convolutions behind them read instead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.ops.padding import _OTHER_SHAPES, is_left_out, left_out, margins_of
from single_operator import Op, T, write_tflite

SIGNAL = {"scale": 0.5, "zero_point": 3}


def padded(
    pairs: list[tuple[int, int]], *, kind: str = "CONV_2D", same: bool = False, value: int = 3, out: bool = False
) -> Model:
    """A PADV2 of [1, 4, 6, 2], a RESHAPE to what it is and a convolution of 2 x 3 taps, two columns apart."""
    made = tuple(size + sum(pair) for size, pair in zip((1, 4, 6, 2), pairs, strict=True))
    pool = kind == "MAX_POOL_2D"
    weights = np.ones((1 if kind == "DEPTHWISE_CONV_2D" else made[3], 2, 3, made[3]), np.int8)
    fields = {"padding": 0 if same else 1} | dict.fromkeys(("strideH", "strideW"), 1)
    fields |= {"filterHeight": 2, "filterWidth": 3} if pool else {"dilationHFactor": 1, "dilationWFactor": 2}
    reach = (2 if pool else 4) * (not same)
    tensors = [
        T(shape=(1, 4, 6, 2), **SIGNAL),
        T(shape=(4, 2), array=np.array(pairs, np.int32), quantized=False),
        T(shape=(1,), array=np.array([value], np.int8), **SIGNAL),
        T(shape=made, **SIGNAL),
        T(shape=made, **SIGNAL),
        T(shape=weights.shape, array=weights, scale=0.02),
        T(shape=(made[0], made[1] - (not same), made[2] - reach, made[3]), **SIGNAL),
    ]
    operators = [
        Op(kind="PADV2", inputs=(0, 1, 2), outputs=(3,), options="PadV2Options"),
        Op(kind="RESHAPE", inputs=(3,), outputs=(4,), options="ReshapeOptions"),
        Op(
            kind=kind, inputs=(4,) if pool else (4, 5, -1), outputs=(6,), fields=fields,
            options="Pool2DOptions" if pool else f"{'Depthwise' * (kind != 'CONV_2D')}Conv2DOptions",
        ),
    ]  # fmt: skip
    return parse_tflite(write_tflite(tensors, operators, [0], [6, *([3] if out else [])]), "m")


INSIDE = [(0, 0), (1, 0), (4, 2), (0, 0)]


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_left_out(kind: str) -> None:
    model = padded(INSIDE, kind=kind)
    assert left_out(model) == {3: 48, 4: 48}
    assert margins_of(model, model.operators[2]) == ((1, 0), (4, 2))
    assert registry.spec("PADV2").is_no_copy(model, model.operators[0])


@pytest.mark.parametrize(
    "model",
    [
        padded([(0, 0), (2, 0), (4, 0), (0, 0)]),  # above the window's two rows
        padded([(0, 0), (0, 0), (0, 5), (0, 0)]),
        padded([(0, 0), (0, 0), (4, 0), (0, 1)]),
        padded(INSIDE, same=True),
        padded(INSIDE, value=4),
        padded(INSIDE, out=True),
        padded(INSIDE, kind="MAX_POOL_2D"),
    ],
    ids=["rows", "columns", "channels", "same", "value", "output", "pool"],
)
def test_not_left_out(model: Model) -> None:
    assert left_out(model) == {}
    assert margins_of(model, model.operators[2]) == ((0, 0), (0, 0))


def test_a_pad_that_nothing_reads_stays() -> None:
    model = padded(INSIDE)
    alone = replace(model, operators=model.operators[:1], outputs=(0,))
    assert not is_left_out(alone, alone.operators[0])


def test_other_shapes_are_those_that_copy_nothing() -> None:
    assert set(_OTHER_SHAPES) == {kind for kind, found in registry.operators().items() if found.emit is None}

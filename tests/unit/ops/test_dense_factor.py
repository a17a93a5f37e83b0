"""The rescale factor of a per-tensor FULLY_CONNECTED: the product of the scales in double, not in float32."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leadwire.model.tflite import parse_tflite
from leadwire.ops.arithmetic import quantize_multiplier
from leadwire.ops.convolution import filters_of
from single_operator import Op, T, run_witness, write_tflite

GIVEN = (127, 127, 127, 127, 127, 127, 1, 1)


def rescaled(sums: np.ndarray, factor: float) -> np.ndarray:
    """`sums` times `factor` with the two roundings of TensorFlow Lite Micro, for factors below 1."""
    m, shift = quantize_multiplier(factor)
    high = (sums * m + (1 << 30)) >> 31
    mask = (1 << -shift) - 1
    return np.asarray((high >> -shift) + ((high & mask) > (mask >> 1) + (high < 0)))


def weights_for(total: int) -> list[int]:
    """Weights whose products with GIVEN add up to `total`, |total| <= 6 * 127 * 127."""
    found = []
    for value in GIVEN[:6]:
        found.append(max(-127, min(127, math.trunc(total / value))))
        total -= found[-1] * value
    found += [max(-127, min(127, total)), 0]
    assert found[6] == total
    return found


@pytest.mark.parametrize("with_bias", [True, False])
def test_the_product_of_scales_is_formed_in_double(with_bias: bool) -> None:
    """Sums where the two products give different bytes, found by trying: the witness takes the double one."""
    pytest.importorskip("tflite_micro")
    draw, sums, decided = np.random.default_rng(5), np.arange(-90_000, 90_000), 0
    for _ in range(150):
        given, weight = (np.float32(scale) for scale in draw.uniform(0.005, 0.05, 2))
        out = np.float32(0.3)
        double, single = float(given) * float(weight) / float(out), float(given * weight) / float(out)
        expected = rescaled(sums, double)
        telling = np.flatnonzero((expected != rescaled(sums, single)) & (abs(expected) < 120))
        if not len(telling):
            continue
        decided += 1
        bias = [T(shape=(1,), array=np.zeros(1, np.int32), scale=float(given) * float(weight))] if with_bias else []
        tensors = [
            T(shape=(1, 8), scale=float(given), zero_point=0),
            T(shape=(1, 8), array=np.array([weights_for(int(sums[telling[0]]))], np.int8), scale=float(weight)),
            *bias,
            T(shape=(1, 1), scale=float(out), zero_point=0),
        ]
        last = len(tensors) - 1
        dense = Op(
            kind="FULLY_CONNECTED",
            inputs=(0, 1, 2 if with_bias else -1),
            outputs=(last,),
            options="FullyConnectedOptions",
        )
        data = write_tflite(tensors, [dense], [0], [last], [str(index) for index in range(len(tensors))])
        model = parse_tflite(data, "dense")
        assert run_witness(data, model, np.array([GIVEN], np.int8))[0][0] == expected[telling[0]]
        assert filters_of(model, model.operators[0], 0, broadcast=False).factors == (double,)
    assert decided >= 5

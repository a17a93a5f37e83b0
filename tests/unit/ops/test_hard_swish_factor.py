"""HARD_SWISH's factor to the output is formed in double: scales where single precision gives another byte."""

from __future__ import annotations

import numpy as np
import pytest

from leadwire import reference
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from single_operator import Op, T, run_witness, write_tflite


@pytest.mark.skipif(not reference.has_tflm(), reason="needs TensorFlow Lite Micro's interpreter")
def test_a_factor_at_a_tie_is_tensorflow_lite_micros() -> None:
    """1 / 128 / 2^0.4 is 24833.4994 units of 2^-22, and 24833.5 once it is rounded to float32."""
    scales = (1.0, 2.0**0.4)
    tensors = [T(shape=(1, 256), scale=scale, zero_point=-108) for scale in scales]
    data = write_tflite(tensors, [Op(kind="HARD_SWISH", inputs=(0,), outputs=(1,))], [0], [1])
    model = parse_tflite(data, "tie")
    emit = registry.spec("HARD_SWISH").emit
    assert emit is not None
    [table] = emit(model, model.operators[0])[0].constants
    every = np.arange(256).astype(np.uint8).view(np.int8)
    assert run_witness(data, model, every[None, :])[0].tolist() == list(table.values)
    assert table.values[212] == -60

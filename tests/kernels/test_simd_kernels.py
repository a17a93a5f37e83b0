"""The kernels for the processor of this computer, in every way in which runtime/simd.h is written that it can run:
drawn operators give the bytes of TensorFlow Lite Micro, under sanitizers."""

from __future__ import annotations

import numpy as np
import pytest

from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.ops.choice import choose_kernels
from leadwire.ops.spec import SIMD
from leadwire.planner import plan_memory
from many_operators import many_operators
from single_operator import SANITIZE, SIMD_FLAGS, compile_program, run_program, run_witness, sample_rows, spread_plan

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")

WITH_SIMD = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN"}


@pytest.mark.requirement("LW-ENG-001")
def test_every_way_gives_the_same_bytes() -> None:
    data = many_operators(5, each=4)
    model = parse_tflite(data, "many")
    registry.check(model)
    kernels = choose_kernels(model, [SIMD])
    assert {op.kind for op, kernel in zip(model.operators, kernels, strict=True) if kernel == SIMD} >= WITH_SIMD
    rows = sample_rows(model, 5, count=2)
    expected = run_witness(data, model, rows)
    for flags in SIMD_FLAGS:
        program = compile_program(model, spread_plan(model, kernels), instrument=(*SANITIZE, *flags))
        different = np.argwhere(run_program(program, model, rows) != expected)
        assert different.size == 0, _first(model, kernels, different, flags)
    planned = plan_memory(model, kernels=kernels)
    program = compile_program(model, planned, guard=0, instrument=(*SANITIZE, *SIMD_FLAGS[-1]))
    assert np.array_equal(run_program(program, model, rows), expected)


def _first(model, kernels: tuple[str, ...], different: np.ndarray, flags: tuple[str, ...]) -> str:  # type: ignore[no-untyped-def]
    at, place = 0, int(different[0][1])
    for operator, kernel in zip(model.operators, kernels, strict=True):
        size = sum(tensor.size_bytes for tensor in model.made(operator))
        if place < at + size:
            return f"{flags}: {model.describe(operator)} by '{kernel}' differs at byte {place - at} of {size}"
        at += size
    return f"{flags}: no operator"

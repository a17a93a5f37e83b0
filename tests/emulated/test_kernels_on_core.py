"""The kernels as they run on a Cortex-M4: the bytes of TensorFlow Lite Micro, in a number of instructions that no input
changes. By both compilers, whose code differs; the assembly of the kernels for Armv7E-M runs nowhere else.

LEADWIRE_KERNEL_EXAMPLES (10) sets how many models of 40 to 80 operators are drawn: a tenth as many.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from many_operators import many_operators
from on_core import load
from single_operator import EXAMPLES, every_choice, run_witness, sample_rows, spread_plan

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")

TOOLCHAINS = ["zig", pytest.param("arm-none-eabi-gcc", marks=pytest.mark.arm_gcc)]


@pytest.mark.requirement("LW-TIM-001")
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("seed", range(max(1, EXAMPLES // 10)))
def test_bytes_and_constant_time(seed: int, toolchain: str) -> None:
    if toolchain != "zig" and not shutil.which(toolchain):
        pytest.skip(f"needs {toolchain}")
    data = many_operators(seed, each=10)
    model = parse_tflite(data, "many")
    registry.check(model)
    rows = sample_rows(model, seed, count=3)
    expected = run_witness(data, model, rows)
    for kernels in every_choice(model):
        core = load(model, spread_plan(model, kernels), toolchain)
        assert (core.run(rows) == expected).all(), _first_difference(model, core.run(rows), expected, kernels)
        steps = np.array([core.steps(row) for row in rows])
        varying = [
            (model.describe(model.operators[i]), kernels[i], sorted(set(steps[:, i].tolist())))
            for i in np.flatnonzero((steps != steps[0]).any(axis=0))
        ]
        assert not varying, varying


def _first_difference(model, ours: np.ndarray, theirs: np.ndarray, kernels: tuple[str, ...]) -> str:  # type: ignore[no-untyped-def]
    at, place = 0, int(np.argwhere(ours != theirs)[0][1])
    for operator, kernel in zip(model.operators, kernels, strict=True):
        size = model.output(operator).size_bytes
        if place < at + size:
            return f"{model.describe(operator)} by '{kernel}' differs at byte {place - at} of {size}"
        at += size
    return "no operator"

"""Chains of convolutions and pools in a planned arena, where outputs are written over inputs that are still read, give
the bytes of TensorFlow Lite Micro. LEADWIRE_KERNEL_EXAMPLES sets how many chains.
"""

from __future__ import annotations

import pytest

from few_levels import few_levels
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.planner import plan_memory
from many_operators import chain
from single_operator import EXAMPLES, compile_program, every_choice, run_program, run_witness, sample_rows
from sixteen_bit import sixteen_bit

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")


@pytest.mark.requirement("LW-MEM-001")
@pytest.mark.parametrize("weights", ["int8", "16x8", "packed"])
@pytest.mark.parametrize("seed", range(EXAMPLES // 2))
def test_a_chain_in_its_planned_arena(seed: int, weights: str) -> None:
    data = chain(seed)
    if weights == "16x8":
        data = sixteen_bit(data, seed)
    if weights == "packed":
        data = few_levels(data, seed, alone=False)
    model = parse_tflite(data, "chain")
    registry.check(model)
    rows = sample_rows(model, seed)
    expected = run_witness(data, model, rows)
    for kernels in every_choice(model):
        plan = plan_memory(model, kernels=kernels)
        assert plan.overlaps
        assert (run_program(compile_program(model, plan, guard=0), model, rows) == expected).all(), (kernels, plan)

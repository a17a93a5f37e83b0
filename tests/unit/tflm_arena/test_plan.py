"""TFLite Micro's arena as a plan: no two tensors in one place, the predicted sizes, the budget's figures."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from leadwire.board import load_board
from leadwire.budget import check_plan
from leadwire.errors import BadInputError, UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.pipeline.alone import live_bytes
from leadwire.pipeline.sources import plan_model
from leadwire.planner import plan_memory
from leadwire.tflm_arena import arena_sizes, host_record, plan_tflm, predict_arena, trust_arena
from single_operator import Op, T, write_tflite


@pytest.fixture
def model() -> Model:
    """Two convolutions of 128 B each, a tensor in between that both need not, and an ADD of first and last."""
    same = {"padding": 0, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    weights = [np.ones((8, 1, 3, 8), np.int8)] * 2
    tensors = [
        T(shape=(1, 1, 16, 8)),
        T(shape=weights[0].shape, array=weights[0], scale=(0.1,) * 8),
        T(shape=(1, 1, 16, 8)),
        T(shape=weights[1].shape, array=weights[1], scale=(0.1,) * 8),
        T(shape=(1, 1, 16, 8)),
        T(shape=(1, 1, 16, 8)),
    ]
    operators = [
        Op(kind="CONV_2D", inputs=(0, 1), outputs=(2,), options="Conv2DOptions", fields=same),
        Op(kind="CONV_2D", inputs=(2, 3), outputs=(4,), options="Conv2DOptions", fields=same),
        Op(kind="ADD", inputs=(0, 4), outputs=(5,), options="AddOptions"),
    ]
    return parse_tflite(write_tflite(tensors, operators, [0], [5]), "three")


def test_nothing_that_is_alive_shares_bytes(model: Model) -> None:
    plan = plan_tflm(model)
    for one, other in combinations((*plan.placements, *plan.scratch), 2):
        apart = one.last_operator < other.first_operator or other.last_operator < one.first_operator
        below = one.offset_bytes + one.size_bytes <= other.offset_bytes
        assert apart or below or other.offset_bytes + other.size_bytes <= one.offset_bytes


def test_its_sizes_are_the_predictions(model: Model) -> None:
    plan = plan_tflm(model)
    predicted = predict_arena(model, kernels="cmsis-nn")
    top = max(one.offset_bytes + one.size_bytes for one in (*plan.placements, *plan.scratch))
    assert top == predicted.non_persistent_bytes
    assert plan.resident_bytes == predicted.persistent_bytes
    assert plan.arena_bytes == arena_sizes(model).given > predicted.required_bytes
    assert predicted.total_bytes >= plan.lower_bound_bytes == live_bytes(plan, plan.peak_operator)
    assert {one.tensor for one in plan.placements} == {0, 2, 4, 5}


def test_an_arena_of_the_users_choice(model: Model) -> None:
    needed = predict_arena(model).required_bytes
    assert plan_tflm(model, needed).arena_bytes == needed
    with pytest.raises(BadInputError, match=f"{needed - 1} B is too small for 'three': {needed} B are needed"):
        plan_tflm(model, needed - 1)
    with pytest.raises(BadInputError, match="backend aot plans its arena itself"):
        plan_model(model, load_board("host"), "aot", needed)
    assert plan_model(model, load_board("host"), "aot").placements == plan_memory(model).placements


def test_a_record_that_is_larger_than_computed_is_not_passed_over(model: Model) -> None:
    computed = host_record(model).total_bytes
    trust_arena(model, computed)
    trust_arena(model, None)
    with pytest.raises(UnsupportedModelError, match=f"computed as {computed} B .* takes {computed + 16} B") as caught:
        trust_arena(model, computed + 16)
    assert "--arena-bytes" in caught.value.hint


@pytest.mark.requirement("LW-TFL-002")
def test_the_planned_budget_of_tflm_counts_tflms_arena_and_file(model: Model) -> None:
    board = load_board("virtual-stm32f405")
    plan = plan_model(model, board, "tflm")
    exact = replace(board.budget, flash_bytes=model.size_bytes, ram_bytes=plan.arena_bytes)
    report = check_plan(plan, model, replace(board, budget=exact))
    assert {line.resource: line.used for line in report.lines} == {"flash": model.size_bytes, "ram": plan.arena_bytes}
    assert report.fits
    assert f"records of TFLite Micro {plan.resident_bytes:,}".replace(",", " ") in report.peak
    less = replace(exact, ram_bytes=plan.arena_bytes - 1)
    assert not check_plan(plan, model, replace(board, budget=less)).fits
    assert check_plan(plan_memory(model), model, replace(board, budget=less)).fits

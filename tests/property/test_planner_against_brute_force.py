"""The planner against a second witness that shares nothing with it: exhaustive placement on the grid of offsets.

The witness knows tensors, not blocks: it tries every offset for every tensor and asks for each pair alive during the
same operator whether they overlap, where only a no-copy view and a legal in-place output may coincide.
"""

from __future__ import annotations

import os
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadwire.artifacts import MemoryPlan, Placement
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor, TensorType
from leadwire.ops.spec import Distance, KernelCall, OperatorSpec
from leadwire.planner import plan_memory

EXAMPLES = int(os.environ.get("LEADWIRE_PLAN_EXAMPLES", "50"))
OPERATORS = 4 if EXAMPLES > 100 else 3
"""Of a graph placed by trying everything, which can take half a minute with four."""


def call(model: Model, operator: Operator) -> KernelCall:
    return KernelCall(function="f", source="f.c", params_type="p", params=(), arguments=())


SPECS = {
    "PLAIN": OperatorSpec(kind="PLAIN", rules=(), emit=call),
    "ANY": OperatorSpec(kind="ANY", rules=(), emit=call, in_place=lambda m, o: tuple(range(len(o.inputs)))),
    "VIEW": OperatorSpec(kind="VIEW", rules=(), emit=None),
    "SCRATCH": OperatorSpec(kind="SCRATCH", rules=(), emit=call, scratch_bytes=lambda model, operator: 2),
}
WALKERS = {
    "DOWN": Distance(below=1),
    "BOTH": Distance(below=2, above=1),
    "EASY": Distance(below=-1, above=0),
    "FREE": Distance(below=-100, above=-100),
}
"""Operators that read input 0 as they write their output, with how these may overlap."""
OVERLAPPING = {
    kind: OperatorSpec(kind=kind, rules=(), emit=call, distance=lambda model, operator: WALKERS[operator.kind])
    for kind in WALKERS
} | {kind: SPECS[kind] for kind in ("PLAIN", "VIEW", "SCRATCH")}


@st.composite
def graphs(draw: st.DrawFn, *, max_operators: int, max_size: int, specs: dict[str, OperatorSpec] = SPECS) -> Model:
    sizes = [draw(st.integers(1, max_size)) for _ in range(draw(st.integers(1, 2)))]
    inputs = tuple(range(len(sizes)))
    operators = []
    for index in range(draw(st.integers(1, max_operators))):
        kind = draw(st.sampled_from(sorted(specs)))
        arity = 1 if kind == "VIEW" else draw(st.integers(1, 2))
        read = tuple(draw(st.integers(max(0, len(sizes) - 4), len(sizes) - 1)) for _ in range(arity))
        made = 1 if kind == "VIEW" else draw(st.sampled_from([1, 1, 2]))
        outputs = tuple(range(len(sizes), len(sizes) + made))
        operators.append(Operator(index=index, kind=kind, inputs=read, outputs=outputs))
        sizes += [sizes[read[0]] if kind == "VIEW" else draw(st.integers(1, max_size)) for _ in range(made)]
    results = {len(sizes) - 1} | draw(st.sets(st.sampled_from(range(len(sizes))), max_size=1))
    return Model(
        name="random", digest="0" * 64, size_bytes=0, description="",
        tensors=tuple(Tensor(index=i, name=f"t{i}", shape=(n,), dtype=TensorType.INT8) for i, n in enumerate(sizes)),
        operators=tuple(operators), inputs=inputs, outputs=tuple(sorted(results)),
    )  # fmt: skip


def lives(model: Model) -> list[tuple[int, int, int]]:
    """(size, first, last) of each tensor, then of each operator's scratch. An output outlives the last operator."""
    found = []
    for tensor in model.tensors:
        born = [o.index for o in model.operators if tensor.index in o.outputs] or [0]
        read = [o.index for o in model.operators if tensor.index in o.inputs]
        last = len(model.operators) if tensor.index in model.outputs else max(born + read)
        found.append((tensor.size_bytes, born[0], last))
    return found + [(2, o.index, o.index) for o in model.operators if o.kind == "SCRATCH"]


def family(model: Model) -> list[int]:
    """Each tensor's first ancestor through views."""
    found = list(range(len(model.tensors)))
    for o in model.operators:
        if o.kind == "VIEW":
            found[o.outputs[0]] = found[o.inputs[0]]
    return found


def may_coincide(model: Model, a: int, b: int) -> bool:
    """Whether tensor b may be written over tensor a: by an ANY operator, a large enough, every view of a dead after it,
    and the operator reads a's bytes under a's name only."""
    families, alive = family(model), lives(model)
    root_a, root_b = families[a], families[b]
    makers = [o for o in model.operators if o.outputs == (root_b,) and o.kind == "ANY"]
    return any(
        families[read] == root_a
        and model.tensors[read].size_bytes >= model.tensors[root_b].size_bytes
        and all(alive[t][2] <= o.index for t in range(len(families)) if families[t] == root_a)
        and len({t for t in o.inputs if families[t] == root_a}) == 1
        for o in makers
        for read in o.inputs
    )


def may_overlap(model: Model, given: int, at: int, made: int, there: int) -> bool:
    """Whether `made` may be written at `there` while `given`, at `at`, is read: by a walker that no one follows."""
    families, alive = family(model), lives(model)
    for o in model.operators:
        distance = WALKERS.get(o.kind)
        if distance is None or families[o.inputs[0]] != families[given] or o.outputs[0] != made:
            continue
        dead = all(alive[t][2] <= o.index for t in range(len(families)) if families[t] == families[given])
        once = sum(families[t] == families[given] for t in o.inputs) == 1
        apart = at >= there + distance.below or (distance.above is not None and there >= at + distance.above)
        if dead and once and apart:
            return True
    return False


def fits(model: Model, arena: int) -> bool:
    """Whether some placement needs at most `arena` bytes: every offset of every tensor is tried.

    An output that takes the place of an input at operator k coincides with everything that shares that place, which is
    legal only if all of it is dead: pairwise checks suffice, because whoever shares the place and is alive at k would
    overlap the output in time and in space.
    """
    items, families = lives(model), family(model)
    tensors = len(model.tensors)

    def compatible(i: int, at: int, j: int, there: int) -> bool:
        (size, first, last), (other, begin, end) = items[i], items[j]
        if i < tensors and j < tensors and families[i] == families[j]:
            return at == there
        if last < begin or end < first or at + size <= there or there + other <= at:
            return True
        if i >= tensors or j >= tensors:
            return False
        if may_overlap(model, i, at, j, there) or may_overlap(model, j, there, i, at):
            return True
        return at == there and (may_coincide(model, i, j) or may_coincide(model, j, i))

    def extend(offsets: list[int]) -> bool:
        i = len(offsets)
        if i == len(items):
            return True
        return any(
            all(compatible(i, at, j, there) for j, there in enumerate(offsets)) and extend([*offsets, at])
            for at in range(arena - items[i][0] + 1)
        )

    return extend([])


def check_direction(model: Model, plan: MemoryPlan, given: Placement, made: Placement) -> None:
    """The way the kernel walks is one that its distances allow."""
    (o,) = (o for o in model.operators if made.tensor in o.outputs)
    distance, above = WALKERS[o.kind], made.offset_bytes - given.offset_bytes
    if o.index in plan.backward:
        assert distance.above is not None and above >= distance.above
    else:
        assert -above >= distance.below


def check_sound(model: Model, plan: MemoryPlan) -> None:
    """No two buffers alive together overlap, except where sharing was planned."""
    families = family(model)
    shared = {(tensor, model.operators[operator].outputs[0]) for operator, tensor in plan.in_place}
    for a, b in combinations((*plan.placements, *plan.scratch), 2):
        together = a.first_operator <= b.last_operator and b.first_operator <= a.last_operator
        apart = a.offset_bytes + a.size_bytes <= b.offset_bytes or b.offset_bytes + b.size_bytes <= a.offset_bytes
        if together and not apart:
            if may_overlap(model, a.tensor, a.offset_bytes, b.tensor, b.offset_bytes):
                check_direction(model, plan, a, b)
                continue
            if may_overlap(model, b.tensor, b.offset_bytes, a.tensor, a.offset_bytes):
                check_direction(model, plan, b, a)
                continue
            assert a.tensor >= 0 and b.tensor >= 0 and a.offset_bytes == b.offset_bytes
            same = families[a.tensor] == families[b.tensor]
            in_place = any({families[x], families[y]} == {families[a.tensor], families[b.tensor]} for x, y in shared)
            assert same or in_place
            if not same:
                assert may_coincide(model, a.tensor, b.tensor) or may_coincide(model, b.tensor, a.tensor)
    assert plan.arena_bytes == max(p.offset_bytes + p.size_bytes for p in (*plan.placements, *plan.scratch))
    assert {p.tensor for p in plan.placements} == set(range(len(model.tensors)))


@pytest.mark.requirement("LW-MEM-001")
@settings(max_examples=EXAMPLES, deadline=None)
@given(graphs(max_operators=OPERATORS, max_size=4))
def test_no_placement_is_smaller_than_the_plan(model: Model) -> None:
    plan = plan_memory(model, alignment_bytes=1, spec=SPECS.__getitem__)
    check_sound(model, plan)
    assert fits(model, plan.arena_bytes)
    assert not fits(model, plan.arena_bytes - 1)
    assert not fits(model, plan.lower_bound_bytes - 1)


@pytest.mark.requirement("LW-MEM-001")
@settings(max_examples=EXAMPLES, deadline=None)
@given(graphs(max_operators=25, max_size=2000), st.sampled_from([1, 4, 16]))
def test_large_plans_are_sound_and_repeat(model: Model, alignment: int) -> None:
    plan = plan_memory(model, alignment_bytes=alignment, spec=SPECS.__getitem__)
    check_sound(model, plan)
    assert plan == plan_memory(model, alignment_bytes=alignment, spec=SPECS.__getitem__)
    assert all(p.offset_bytes % alignment == 0 for p in (*plan.placements, *plan.scratch))
    assert plan.arena_bytes >= plan.lower_bound_bytes


@pytest.mark.requirement("LW-MEM-001")
@settings(max_examples=EXAMPLES, deadline=None)
@given(graphs(max_operators=OPERATORS, max_size=4, specs=OVERLAPPING))
def test_no_placement_is_smaller_where_outputs_overlap_inputs(model: Model) -> None:
    plan = plan_memory(model, alignment_bytes=1, spec=OVERLAPPING.__getitem__)
    check_sound(model, plan)
    assert fits(model, plan.arena_bytes)
    assert not fits(model, plan.arena_bytes - 1)
    assert not fits(model, plan.lower_bound_bytes - 1)


@pytest.mark.requirement("LW-MEM-001")
@settings(max_examples=EXAMPLES, deadline=None)
@given(graphs(max_operators=25, max_size=2000, specs=SPECS | OVERLAPPING), st.sampled_from([1, 4, 16]))
def test_large_plans_with_overlaps_are_sound(model: Model, alignment: int) -> None:
    plan = plan_memory(model, alignment_bytes=alignment, spec=(SPECS | OVERLAPPING).__getitem__)
    check_sound(model, plan)
    assert plan.arena_bytes >= plan.lower_bound_bytes

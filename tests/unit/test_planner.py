"""Plans of small graphs whose best arrangement is known by hand."""

from __future__ import annotations

import pytest

from leadwire.artifacts import MemoryPlan
from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor, TensorType
from leadwire.ops.spec import KernelCall, OperatorSpec
from leadwire.planner import plan_memory


def call(model: Model, operator: Operator) -> KernelCall:
    return KernelCall(function="f", source="f.c", params_type="p", params=(), arguments=())


SPECS = {
    "CONV": OperatorSpec(kind="CONV", rules=(), emit=call),
    "SCRATCHED": OperatorSpec(kind="SCRATCHED", rules=(), emit=call, scratch_bytes=lambda model, operator: 30),
    "ADD": OperatorSpec(kind="ADD", rules=(), emit=call, in_place=lambda model, operator: (0, 1)),
    "RELU": OperatorSpec(kind="RELU", rules=(), emit=call, in_place=lambda model, operator: (0,)),
    "RESHAPE": OperatorSpec(kind="RESHAPE", rules=(), emit=None),
}


def graph(sizes: dict[str, int], *operators: tuple[str, str, str], inputs: str = "a", outputs: str) -> Model:
    """Tensors by one-letter names and sizes; an upper-case name is a constant. operators: (kind, inputs, outputs)."""
    names = list(sizes)
    tensors = tuple(
        Tensor(index=i, name=name, shape=(sizes[name],), dtype=TensorType.INT8,
               data=bytes(sizes[name]) if name.isupper() else None)
        for i, name in enumerate(names)
    )  # fmt: skip
    return Model(
        name="hand", digest="0" * 64, size_bytes=0, description="", tensors=tensors,
        operators=tuple(
            Operator(index=i, kind=kind, inputs=tuple(map(names.index, read)), outputs=tuple(map(names.index, written)))
            for i, (kind, read, written) in enumerate(operators)
        ),
        inputs=tuple(map(names.index, inputs)), outputs=tuple(map(names.index, outputs)),
    )  # fmt: skip


def plan(model: Model, alignment_bytes: int = 1) -> MemoryPlan:
    return plan_memory(model, alignment_bytes=alignment_bytes, spec=SPECS.__getitem__)


def test_a_chain_needs_its_two_largest_neighbours() -> None:
    found = plan(
        graph(
            {"a": 10, "b": 40, "c": 30, "d": 5}, ("CONV", "a", "b"), ("CONV", "b", "c"), ("CONV", "c", "d"), outputs="d"
        )
    )
    assert (found.arena_bytes, found.lower_bound_bytes, found.peak_operator) == (70, 70, 1)
    assert found.in_place == ()


def test_in_place_takes_the_bytes_of_a_dying_input() -> None:
    found = plan(graph({"a": 40, "b": 40, "c": 40}, ("RELU", "a", "b"), ("RELU", "b", "c"), outputs="c"))
    assert found.arena_bytes == 40
    assert found.in_place == ((0, 0), (1, 1))
    assert {placement.offset_bytes for placement in found.placements} == {0}


def test_in_place_never_over_an_input_that_is_read_again() -> None:
    found = plan(graph({"a": 40, "b": 40, "c": 40}, ("RELU", "a", "b"), ("ADD", "ba", "c"), outputs="c"))
    assert found.in_place == ((1, 1),)
    assert found.arena_bytes == 80


def test_in_place_never_over_a_graph_output() -> None:
    found = plan(graph({"a": 40, "b": 40, "c": 40}, ("CONV", "a", "b"), ("RELU", "b", "c"), outputs="bc"))
    assert found.in_place == ()
    assert found.offset(1) != found.offset(2)


def test_in_place_never_over_a_smaller_input_or_a_constant() -> None:
    found = plan(graph({"a": 8, "B": 40, "c": 40}, ("ADD", "aB", "c"), outputs="c"))
    assert found.in_place == ()
    assert found.arena_bytes == 48


def test_in_place_never_while_another_view_of_the_same_bytes_is_read() -> None:
    """r is a view of b that lives on after the RELU would have overwritten b."""
    found = plan(
        graph(
            {"a": 40, "b": 40, "r": 40, "c": 40, "d": 40},
            ("CONV", "a", "b"),
            ("RESHAPE", "b", "r"),
            ("RELU", "b", "c"),
            ("ADD", "rc", "d"),
            outputs="d",
        )
    )
    assert (2, 1) not in found.in_place
    assert found.offset(1) == found.offset(2) != found.offset(3)


def test_in_place_never_when_the_operator_reads_the_same_bytes_as_two_different_tensors() -> None:
    """ADD of b and its view r: a broadcast could read a byte after it was overwritten."""
    found = plan(
        graph(
            {"a": 40, "b": 40, "r": 40, "d": 40},
            ("CONV", "a", "b"),
            ("RESHAPE", "b", "r"),
            ("ADD", "br", "d"),
            outputs="d",
        )
    )
    assert found.in_place == ()


def test_in_place_when_a_tensor_is_added_to_itself() -> None:
    found = plan(graph({"a": 40, "b": 40, "d": 40}, ("CONV", "a", "b"), ("ADD", "bb", "d"), outputs="d"))
    assert found.in_place == ((1, 1),)


def test_no_copy_shares_bytes_and_extends_life() -> None:
    found = plan(
        graph(
            {"a": 40, "r": 40, "b": 10, "c": 10},
            ("RESHAPE", "a", "r"),
            ("CONV", "r", "b"),
            ("CONV", "b", "c"),
            outputs="c",
        )
    )
    assert found.offset(0) == found.offset(1)
    assert found.arena_bytes == 50


def test_graph_inputs_are_all_alive_at_the_start() -> None:
    """b is first read by the second operator, but the application writes it before the first."""
    found = plan(
        graph({"a": 16, "b": 16, "c": 16, "d": 16}, ("CONV", "a", "c"), ("CONV", "cb", "d"), inputs="ab", outputs="d")
    )
    assert found.arena_bytes == 48
    assert len({found.offset(0), found.offset(1), found.offset(2)}) == 3


def test_scratch_lives_with_its_operator_only() -> None:
    found = plan(graph({"a": 10, "b": 10, "c": 50}, ("SCRATCHED", "a", "b"), ("CONV", "b", "c"), outputs="c"))
    assert [(s.tensor, s.size_bytes, s.first_operator, s.last_operator) for s in found.scratch] == [(-1, 30, 0, 0)]
    assert found.arena_bytes == found.lower_bound_bytes == 60


def test_offsets_are_aligned_and_the_bound_is_in_plain_bytes() -> None:
    found = plan(graph({"a": 5, "b": 7, "c": 3}, ("CONV", "a", "b"), ("CONV", "ab", "c"), outputs="c"), 16)
    assert all(placement.offset_bytes % 16 == 0 for placement in found.placements)
    assert found.lower_bound_bytes == 15
    assert found.arena_bytes <= 16 + 16 + 7


def test_where_every_greedy_order_misses_the_bound_the_search_finds_it() -> None:
    """The textbook case for first fit: it fragments, an optimal stacking exists."""
    model = graph(
        {"a": 4, "b": 2, "c": 2, "d": 3, "e": 3, "f": 1, "g": 4, "h": 2},
        ("CONV", "a", "b"), ("CONV", "a", "c"), ("CONV", "b", "d"), ("CONV", "cd", "e"), ("CONV", "e", "f"),
        ("CONV", "fe", "g"), ("CONV", "gf", "h"), outputs="h",
    )  # fmt: skip
    found = plan(model)
    assert found.arena_bytes == found.lower_bound_bytes


def test_no_copy_of_a_constant_or_of_another_size_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="constant"):
        plan(graph({"a": 4, "B": 4, "c": 4, "d": 4}, ("RESHAPE", "B", "c"), ("ADD", "ac", "d"), outputs="d"))
    with pytest.raises(UnsupportedModelError, match="4 B in and 5 B out"):
        plan(graph({"a": 4, "b": 5}, ("RESHAPE", "a", "b"), outputs="b"))

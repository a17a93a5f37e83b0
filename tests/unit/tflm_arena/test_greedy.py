"""The planner's rule on cases worked out by hand."""

from __future__ import annotations

from leadwire.model.tflite import parse_tflite
from leadwire.tflm_arena.greedy import Buffer, buffers, height, plan
from single_operator import Op, T, write_tflite


def buffer(size: int, first: int, last: int) -> Buffer:
    return Buffer(tensor=0, size_bytes=size, first=first, last=last)


def test_nothing_needs_nothing() -> None:
    assert plan(()) == ()
    assert height(()) == 0


def test_the_largest_lies_lowest_and_those_apart_in_time_share_its_place() -> None:
    wanted = (buffer(16, 0, 1), buffer(64, 1, 2), buffer(32, 3, 3))
    assert plan(wanted) == (64, 0, 0)
    assert height(wanted) == 80


def test_of_two_as_large_the_later_one_comes_first() -> None:
    assert plan((buffer(32, 0, 1), buffer(32, 1, 2))) == (32, 0)


def test_a_gap_below_is_filled_before_the_top_is_raised() -> None:
    # 96 lies at 0 in scopes 0..1, 64 above it in 1..2; what is alive in scope 2 alone finds 96 bytes free below
    wanted = (buffer(96, 0, 1), buffer(64, 1, 2), buffer(48, 2, 2))
    assert plan(wanted) == (0, 96, 0)


def test_a_gap_that_is_one_step_too_small_is_passed_by() -> None:
    # in scope 2 there are 16 bytes free between 112 and 128
    wanted = (buffer(128, 0, 1), buffer(96, 1, 2), buffer(112, 2, 3), buffer(32, 2, 2))
    assert plan(wanted) == (0, 128, 0, 224)
    assert plan((*wanted[:3], buffer(16, 2, 2)))[3] == 112


def test_lifetimes_reach_from_the_writer_to_the_last_reader_and_outputs_to_the_end() -> None:
    tensors = [T(shape=(1, 8)) for _ in range(4)]
    operators = [
        Op(kind="RELU", inputs=(0,), outputs=(1,)),
        Op(kind="RELU", inputs=(1,), outputs=(2,)),
        Op(kind="ADD", inputs=(1, 2), outputs=(3,), options="AddOptions"),
    ]
    found = buffers(parse_tflite(write_tflite(tensors, operators, [0], [2, 3]), "m"), [(), (), (5, 0)])
    assert [(b.tensor, b.size_bytes, b.first, b.last) for b in found] == [
        (0, 16, 0, 1),
        (1, 16, 1, 3),
        (2, 16, 2, 3),
        (3, 16, 3, 3),
        (-1, 16, 3, 3),
        (-1, 0, 3, 3),
    ]


def test_a_tensor_that_nothing_uses_is_planned_too() -> None:
    tensors = [T(shape=(1, 8)), T(shape=(1, 8)), T(shape=(1, 64))]
    data = write_tflite(tensors, [Op(kind="RELU", inputs=(0,), outputs=(1,))], [0], [1])
    found = buffers(parse_tflite(data, "m"), [()])
    assert found[2] == Buffer(tensor=2, size_bytes=64, first=-1, last=-1)
    assert height(found) == 64

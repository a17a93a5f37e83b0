"""Cells of answers: found among anything, never invented, and a fault costs little."""

from __future__ import annotations

import random
import zlib

from hypothesis import given
from hypothesis import strategies as st

from leadwire.device.cells import ANSWER_SYNC, CellAnswer, CellCoder, CellReader, Kind
from leadwire.device.correction import parity

SESSION, OUTPUTS = 0xC0FFEE, 5
SIZE = 33 + OUTPUTS


def answer(run: int, kind: Kind = Kind.RESULT) -> bytes:
    """As the device seals it (stream.c), by hand."""
    content = bytes([kind]) + run.to_bytes(2) + run.to_bytes(4) + bytes(12) + bytes(2) + bytes([run % 256] * OUTPUTS)
    crc = zlib.crc32(content, zlib.crc32(SESSION.to_bytes(4)))
    block = ANSWER_SYNC + content + crc.to_bytes(4)
    return block + parity(block)


def runs(found: list[CellAnswer]) -> list[int]:
    return [one.run for one in found]


def test_answers_are_found_and_read() -> None:
    (found,) = CellReader(SESSION, SIZE).feed(answer(7))
    assert found == CellAnswer(Kind.RESULT, 7, 7, 0, 0, 0, 0, b"\7" * OUTPUTS)


@given(st.lists(st.integers(1, 90), max_size=12))
def test_any_cut_gives_the_same(cuts: list[int]) -> None:
    stream, reader, found, at = b"noise\xd2" + b"".join(map(answer, range(9))), CellReader(SESSION, SIZE), [], 0
    for cut in [*cuts, len(stream)]:
        found += reader.feed(stream[at : at + cut])
        at += cut
    assert runs(found) == list(range(9))


@given(st.integers(0, 9 * SIZE - 1), st.binary(min_size=0, max_size=3), st.booleans())
def test_a_lost_or_added_byte_costs_one_cell_and_between_two_cells_both(
    at: int, inserted: bytes, dropped: bool
) -> None:
    stream = b"".join(map(answer, range(9)))
    bad = stream[:at] + inserted + stream[at + dropped :]
    found = runs(CellReader(SESSION, SIZE).feed(bad + answer(9) + answer(10)))
    assert found == sorted(found)
    assert found[-1] == 10
    between = at % SIZE > SIZE - 8 or at % SIZE < 4
    assert len(found) >= 10 - between


def test_three_wrong_bytes_of_each_cell_are_put_right_the_sync_too() -> None:
    chance, reader = random.Random(1), CellReader(SESSION, SIZE)
    for run in range(200):
        cell = bytearray(answer(run))
        for place in chance.sample(range(SIZE if run else SIZE - 2), 3):
            cell[place if run else place + 2] ^= chance.randrange(1, 256)
        assert runs(reader.feed(bytes(cell))) == [run]
    assert reader.corrected > 190  # damage to the parity alone needs no correction


@given(st.binary(max_size=3000))
def test_garbage_is_no_answer(data: bytes) -> None:
    reader = CellReader(SESSION, SIZE)
    assert reader.feed(data) == []
    assert len(reader._bytes) < 2 * SIZE
    assert runs(reader.feed(bytes(SIZE) + answer(3) + answer(4)))[-1] == 4


def test_another_session_and_an_echo_are_no_answers() -> None:
    reader = CellReader(SESSION + 1, SIZE)
    assert reader.feed(answer(1)) == []
    coder = CellCoder(SESSION, SIZE)
    assert CellReader(SESSION, SIZE).feed(coder.data(1, b"abc") + coder.question(5)) == []

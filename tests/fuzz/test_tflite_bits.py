"""A damaged .tflite file is either refused by one of leadwire's errors or still a sound model: nothing else happens,
neither in the reader nor in the check of operators and the planner that come after it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadwire.errors import LeadwireError
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.planner import plan_memory

DATA = Path(os.environ.get("LEADWIRE_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = DATA / "models" / "ecg_cnn_int8.tflite"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="no models in LEADWIRE_DATA")
SOUND = FILE.read_bytes() if FILE.is_file() else bytes(64)
EXAMPLES = int(os.environ.get("LEADWIRE_FUZZ_EXAMPLES", "300"))
quick = settings(max_examples=EXAMPLES, deadline=2000, suppress_health_check=[HealthCheck.too_slow])


def check(data: bytes) -> None:
    try:
        model = parse_tflite(data, "damaged")
    except LeadwireError as error:
        assert error.exit_code in (2, 3)
        assert str(error)
        return
    check_sound(model)
    for stage in (registry.check, plan_memory, registry.macs):
        try:
            stage(model)
        except LeadwireError as error:
            assert error.exit_code in (2, 3)
            break


def check_sound(model: Model) -> None:
    written = set(model.inputs)
    for operator in model.operators:
        for index in operator.inputs:
            assert index == -1 or model.tensors[index].is_constant or index in written
        written.update(operator.outputs)
    assert set(model.outputs) <= written
    for tensor in model.tensors:
        if tensor.is_constant and tensor.dtype != "OTHER":
            assert tensor.array.size == tensor.elements
        if tensor.quantization is not None:
            assert all(0 < scale < float("inf") for scale in tensor.quantization.scales)


@quick
@given(st.integers(0, 8 * len(SOUND) - 1))
def test_one_flipped_bit(bit: int) -> None:
    data = bytearray(SOUND)
    data[bit // 8] ^= 1 << (bit % 8)
    check(bytes(data))


@quick
@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=2, max_size=40))
def test_many_changed_bytes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for position, value in changes:
        data[position] = value
    check(bytes(data))


@quick
@given(st.integers(0, len(SOUND) // 4 - 1), st.sampled_from([0, 1, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0]))
def test_one_word_at_an_extreme(word: int, value: int) -> None:
    data = bytearray(SOUND)
    data[4 * word : 4 * word + 4] = value.to_bytes(4, "little")
    check(bytes(data))


@quick
@given(st.integers(0, len(SOUND) - 1))
def test_truncated(length: int) -> None:
    with pytest.raises(LeadwireError) as caught:
        parse_tflite(SOUND[:length], "truncated")
    assert caught.value.exit_code == 2


@quick
@given(st.binary(max_size=400))
def test_noise_behind_a_right_identifier(noise: bytes) -> None:
    check(noise[:4].ljust(4, b"\x10") + b"TFL3" + noise[4:])

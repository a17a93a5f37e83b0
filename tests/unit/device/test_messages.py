"""Messages: bytes against struct and cbor2 alone, and a parser that lets nothing unsound through."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from fake_device import HEADER, FakeDevice
from hypothesis import given, settings
from hypothesis import strategies as st

from leadwire.device.messages import (
    Describe,
    Infer,
    MalformedAnswerError,
    Output,
    Profile,
    RefusalError,
    SelfTest,
    Status,
    Tensor,
    is_answer_to,
    parse_answer,
)

READ, WRITE, VERSION_2 = 0, 2, 1 << 3
REQUESTS: list[tuple[Any, int, int, dict[str, Any]]] = [
    (Describe(sequence=1), READ, 0, {}),
    (
        Infer(seq=70_000, off=24, data=b"\x80\x7f", sequence=2),
        WRITE,
        1,
        {"seq": 70_000, "off": 24, "data": b"\x80\x7f"},
    ),
    (Infer(seq=1, off=0, data=b"", hold=True, sequence=3), WRITE, 1, {"seq": 1, "off": 0, "data": b"", "hold": True}),
    (Output(seq=1, off=300, sequence=4), READ, 2, {"seq": 1, "off": 300}),
    (SelfTest(sequence=5), WRITE, 3, {}),
    (Profile(seq=9, sequence=6), WRITE, 4, {"seq": 9}),
    (Profile(seq=9, first=64, sequence=7), WRITE, 4, {"seq": 9, "first": 64}),
    (Tensor(op=3, off=0, sequence=8), READ, 5, {"op": 3, "off": 0}),
    (Status(sequence=255), READ, 6, {}),
]
DESCRIBE = FakeDevice()._describe({})


@pytest.mark.parametrize(("request_", "op", "command", "fields"), REQUESTS, ids=lambda value: type(value).__name__)
def test_request_bytes(request_: Any, op: int, command: int, fields: dict[str, Any]) -> None:
    body = cbor2.dumps(fields, canonical=True)
    header = HEADER.pack(VERSION_2 | op, 0, len(body), 64, request_.header.sequence, command)
    assert header + body == request_.BYTES


def answer(body: bytes, *, op: int = 1, group: int = 64, sequence: int = 1, command: int = 0) -> bytes:
    return HEADER.pack(VERSION_2 | op, 0, len(body), group, sequence, command) + body


def test_answer_is_told_by_its_header() -> None:
    request, body = Describe(sequence=1), cbor2.dumps(DESCRIBE)
    assert is_answer_to(request, answer(body))
    for other in ({"op": 0}, {"op": 3}, {"group": 0}, {"sequence": 2}, {"command": 6}):
        assert not is_answer_to(request, answer(body, **other))
    assert not is_answer_to(request, b"\x09\x00\x00")


def test_sound_answer() -> None:
    parsed = parse_answer(Describe(sequence=1), answer(cbor2.dumps(DESCRIBE)))
    assert (parsed.model, parsed.input_bytes, parsed.digest) == ("trivial", 24, bytes(range(32)))


@pytest.mark.parametrize("length_off_by", [-1, 1])
def test_header_length_must_fit(length_off_by: int) -> None:
    body = cbor2.dumps(DESCRIBE)
    data = HEADER.pack(VERSION_2 | 1, 0, len(body) + length_off_by, 64, 1, 0) + body
    with pytest.raises(MalformedAnswerError, match="bytes of CBOR"):
        parse_answer(Describe(sequence=1), data)


@pytest.mark.parametrize(
    ("rc", "text"),
    [
        (3, r"rc 3 \(EINVAL\)"),
        (8, r"rc 8 \(ENOTSUP\)"),
        (20, r"rc 20 \(golden self-test failed\)"),
        (99, "unknown code"),
    ],
)
def test_refusals_are_named(rc: int, text: str) -> None:
    for fields in ({"rc": rc}, {"err": {"group": 64, "rc": rc}}):
        with pytest.raises(RefusalError, match=text) as caught:
            parse_answer(Describe(sequence=1), answer(cbor2.dumps(fields)))
        assert caught.value.rc == rc


@given(st.binary(max_size=64))
@settings(max_examples=300, deadline=None)
def test_any_body_is_parsed_or_refused(body: bytes) -> None:
    with pytest.raises((MalformedAnswerError, RefusalError)):
        parse_answer(Describe(sequence=1), answer(body))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(DESCRIBE)), VALUES)
@settings(max_examples=300, deadline=None)
def test_any_value_of_a_field_is_taken_whole_or_refused(key: str, value: Any) -> None:
    fields = DESCRIBE | {key: value}
    try:
        parsed = parse_answer(Describe(sequence=1), answer(cbor2.dumps(fields)))
    except MalformedAnswerError:
        return
    names = {"in": "input_bytes", "out": "output_bytes"}
    assert getattr(parsed, names.get(key, key)) == value
    assert type(getattr(parsed, names.get(key, key))) is type(value)

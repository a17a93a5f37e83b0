"""Whatever arrives, the readers of a bundle answer with the evidence error, never with a traceback."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, reject
from hypothesis import strategies as st

from leadwire.errors import EvidenceError
from leadwire.evidence.archive import pack, unpack
from leadwire.evidence.document import read_document
from leadwire.evidence.envelope import open_envelope
from leadwire.evidence.predictions import read_predictions
from leadwire.evidence.statement import PREDICATE_TYPE

PEM = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("evidence", "not_finite", "payload", "signatures", "keyid", "sig", "at", "value", "name")),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}(/[A-Z0-9]{1,4}){0,2}", fullmatch=True).filter(
    lambda name: "/" in name or "." not in name
)


@given(st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6))
def test_what_is_packed_comes_back(files: dict[str, bytes]) -> None:
    """Or is not packed: names that some system cannot hold beside each other."""
    with contextlib.suppress(ValueError):
        assert unpack(pack(files), source="x") == files


@given(st.dictionaries(NAMES, st.binary(max_size=12), min_size=1, max_size=3), st.data())
def test_a_changed_archive_is_never_read_as_another(files: dict[str, bytes], data: st.DataObject) -> None:
    """Any one byte replaced: refused, whichever it is (a checksum stands in for each file's content here)."""
    try:
        packed = bytearray(pack(files))
    except ValueError:
        reject()
    position = data.draw(st.integers(0, len(packed) - 1))
    packed[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(EvidenceError):
        raise AssertionError(f"byte {position} was changed and read as {unpack(bytes(packed), source='x')}")


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"PK\3\4" + tail))
def test_any_bytes_as_archive(data: bytes) -> None:
    with contextlib.suppress(EvidenceError):
        assert pack(unpack(data, source="x")) == data


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_document(data: bytes) -> None:
    with contextlib.suppress(EvidenceError):
        raise AssertionError(read_document(data))


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_envelope(data: bytes) -> None:
    with contextlib.suppress(EvidenceError):
        raise AssertionError(open_envelope(data, PEM, PREDICATE_TYPE, source="x"))


@given(
    st.binary(max_size=60) | st.text(st.characters(codec="utf-8"), max_size=60).map(str.encode),
    st.lists(st.text(max_size=3), max_size=3),
)
def test_any_bytes_as_predictions(data: bytes, labels: list[str]) -> None:
    with contextlib.suppress(EvidenceError):
        read_predictions(data, labels, source="x")

"""The bad line: seeded, the same for any cut of the stream, at the rates asked for, and the garbage of a wrong rate."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadwire.device.faults import PROFILES, Event, FaultLine, Faults, as_read_at, choose_faults
from leadwire.errors import BadInputError

DATA = random.Random(5).randbytes(200_000)


def passed(line: FaultLine, pieces: list[bytes]) -> list[bytes | Event]:
    """What comes out, neighbouring bytes joined."""
    found: list[bytes | Event] = []
    for piece in pieces:
        for part in line.feed(piece):
            if isinstance(part, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += part
            else:
                found.append(part)
    return found


@given(st.integers(0, 99), st.lists(st.integers(0, 300), max_size=20))
def test_a_seed_gives_the_same_faults_however_the_stream_is_cut(seed: int, cuts: list[int]) -> None:
    faults = Faults(corrupt=0.02, flip=0.02, drop=0.02, duplicate=0.02, stall=0.005, reset=0.005, unplug=0.005)
    data, pieces, at = DATA[:3000], [], 0
    for cut in cuts:
        pieces.append(data[at : at + cut])
        at += cut
    whole = passed(FaultLine(faults, seed, events=True), [data])
    assert passed(FaultLine(faults, seed, events=True), [*pieces, data[at:]]) == whole


def test_a_good_line_changes_nothing() -> None:
    assert FaultLine(Faults(), 1, events=True).feed(DATA) == [DATA]
    assert FaultLine(Faults(reset=1.0, unplug=1.0), 1, events=False).feed(DATA) == [DATA]


@pytest.mark.parametrize("kind", ["corrupt", "flip", "drop", "duplicate", "stall", "reset", "unplug"])
def test_each_fault_strikes_at_its_rate_and_does_what_it_says(kind: str) -> None:
    line = FaultLine(Faults(**{kind: 1e-3}), 7, events=True)  # type: ignore[arg-type]
    parts = passed(line, [DATA])
    count = line.struck[kind]
    assert 140 < count < 260  # 200 expected, four standard deviations
    out = b"".join(part for part in parts if isinstance(part, bytes))
    events = [part for part in parts if isinstance(part, Event)]
    changed = sum(a != b for a, b in zip(DATA, out, strict=False)) if kind in ("corrupt", "flip") else 0
    longer = {"drop": -count, "duplicate": count}.get(kind, 0)
    assert len(out) == len(DATA) + longer
    assert changed == (count if kind in ("corrupt", "flip") else 0)
    assert events == ([Event(kind)] * count if kind in ("stall", "reset", "unplug") else [])
    if kind == "flip":
        assert all((a ^ b).bit_count() <= 1 for a, b in zip(DATA, out, strict=True))


def test_a_rate_of_one_strikes_every_byte() -> None:
    assert FaultLine(Faults(drop=1.0), 1, events=True).feed(b"abc") == []
    assert FaultLine(Faults(duplicate=1.0), 1, events=True).feed(b"abc") == [b"aabbcc"]


def test_the_right_rate_reads_what_was_sent() -> None:
    assert as_read_at(DATA[:500], 115200, 115200) == DATA[:500]
    assert as_read_at(DATA[:500], 115200, 112000) == DATA[:500]  # 3 % off is within 8N1's tolerance


@pytest.mark.parametrize("read", [9600, 57600, 230400, 460800])
def test_a_wrong_rate_reads_garbage_of_about_the_right_amount(read: int) -> None:
    found = as_read_at(DATA[:2000], 115200, read)
    assert found != DATA[:2000]
    assert DATA[:20] not in found
    if read < 115200:
        assert len(found) <= 2000 * read / 115200 / 0.95 + 1  # it can be ready again half a bit early
    else:
        assert len(found) > 2000


def test_a_known_wave_by_hand() -> None:
    """0x00 is nine low bits: at half the rate a start bit and three and a half low bits, then the line rests."""
    assert as_read_at(b"\x00", 9600, 4800) == b"\xf8"
    assert as_read_at(b"\xff", 4800, 9600) == b"\xfe"  # a start bit twice as long: low start, low first bit


def test_profiles_by_name_and_changes() -> None:
    assert choose_faults("corrupt") == PROFILES["corrupt"] == Faults(corrupt=1e-3)
    assert choose_faults("corrupt,drop=0.5, pace_baud=9600") == Faults(corrupt=1e-3, drop=0.5, pace_baud=9600)
    assert choose_faults("") == Faults()
    assert choose_faults("corrupt").described == "corrupt 0.001"
    assert Faults().described == "none"


@pytest.mark.parametrize("text", ["nonsense", "drop=much", "drop=1.5", "drop=-1", "pace_baud=1e9", "=", "drop=nan"])
def test_a_profile_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        choose_faults(text)

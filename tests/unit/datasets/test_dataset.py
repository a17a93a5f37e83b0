"""The Dataset record: what it refuses, what its digest covers, strips, subsets and leaks."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import pytest

from leadwire.datasets import Dataset, Recording, check_disjoint, take
from leadwire.errors import DatasetError, LeakError


def small(**changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "name": "small",
        "split": "test",
        "inputs": (np.arange(12, dtype=np.float32).reshape(3, 4), np.ones((3, 1), np.float32)),
        "input_names": ("beat", "features"),
        "labels": np.array([0, 1, 2]),
        "label_names": ("N", "S", "V"),
        "patients": ("a", "a", "b"),
        "records": ("r1", "r1", "r2"),
        "times_s": np.array([1.0, 2.0, 1.0]),
        "basis": "synthetic",
        "licence": "Apache-2.0",
    }
    return Dataset(**{**values, **changes})


def not_a_number(at: tuple[int, int], value: float) -> tuple[np.ndarray, np.ndarray]:
    beat = np.zeros((3, 4), np.float32)
    beat[at] = value
    return beat, np.ones((3, 1), np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": not_a_number((2, 1), np.nan)}, "input 'beat' of beat 2 (record r2) holds NaN or infinity"),
        ({"inputs": not_a_number((0, 3), -np.inf)}, "input 'beat' of beat 0 (record r1) holds NaN or infinity"),
        ({"inputs": (np.zeros((2, 4), np.float32), np.ones((3, 1), np.float32))}, "float32 [3, ...], found float32 [2"),
        ({"inputs": (np.zeros((3, 4)), np.ones((3, 1), np.float32))}, "found float64 [3, 4]"),
        ({"inputs": (np.zeros((3, 0), np.float32), np.ones((3, 1), np.float32))}, "found float32 [3, 0]"),
        ({"inputs": ()}, "0 inputs for 2 input names"),
        ({"input_names": ("beat", "beat")}, "input names must be given and differ"),
        ({"label_names": ("N", "N", "V")}, "label names must be given and differ"),
        ({"labels": np.array([0, 1, 3])}, "label 3 of beat 2 is not one of 0 to 2"),
        ({"labels": np.array([0, -1, 2])}, "label -1 of beat 1"),
        ({"labels": np.array([0.0, 1.0, 2.0])}, "labels must be int64"),
        ({"labels": np.array([], np.int64)}, "split 'test' has no beats"),
        ({"patients": ("a", "b")}, "patients has 2 entries for 3 beats"),
        ({"patients": ("a", "", "b")}, "beat 1 has no patient"),
        ({"records": ("r1",)}, "records has 1 entries"),
        ({"times_s": np.array([1.0, np.nan, 1.0])}, "time of beat 1 is not a number"),
        ({"times_s": np.array([1.0])}, "times_s has 1 entries"),
    ],
)
def test_refuses_what_cannot_be_used(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        small(**changes)
    assert message in str(caught.value)
    assert "'small'" in str(caught.value)


def test_digest_is_the_documented_one() -> None:
    """Written out once more by hand, from the docstring."""

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value.encode())) + value.encode()

    data = b"leadwire dataset 1\n"
    data += text("beat") + text("3x4") + struct.pack("<12f", *range(12))
    data += text("features") + text("3x1") + struct.pack("<3f", 1, 1, 1)
    data += text("N") + text("S") + text("V") + struct.pack("<3q", 0, 1, 2) + text("a") + text("a") + text("b")
    assert small().digest == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": (np.arange(12, dtype=np.float32).reshape(3, 4) + np.float32(1e-6), np.ones((3, 1), np.float32))},
        {"inputs": (np.arange(12, dtype=np.float32).reshape(3, 2, 2), np.ones((3, 1), np.float32))},
        {"labels": np.array([0, 2, 1])},
        {"label_names": ("N", "V", "S")},
        {"patients": ("a", "b", "b")},
        {"input_names": ("beat", "rhythm")},
    ],
)
def test_digest_changes_with_the_content(changes: dict[str, Any]) -> None:
    assert small(**changes).digest != small().digest


def test_digest_ignores_where_the_data_came_from() -> None:
    assert small(name="other", licence="MIT", times_s=np.zeros(3)).digest == small().digest


def test_take_keeps_beats_together() -> None:
    taken = take(small(), [2, 0])
    assert taken.labels.tolist() == [2, 0]
    assert taken.patients == ("b", "a")
    assert taken.inputs[0].tolist() == [[8, 9, 10, 11], [0, 1, 2, 3]]
    assert take(small(), [0, 1, 2]).digest == small().digest


@pytest.mark.parametrize("beats", [[3], [-1], [[0]]])
def test_take_refuses_beats_that_are_not_there(beats: list[Any]) -> None:
    with pytest.raises(DatasetError, match="numbers from 0 to 2"):
        take(small(), beats)


def test_a_shared_patient_is_a_leak() -> None:
    check_disjoint(take(small(), [0, 1]), take(small(), [2]))
    with pytest.raises(LeakError, match=r"1 patient.*: b") as caught:
        check_disjoint(small(split="train"), take(small(), [2]))
    assert caught.value.patients == ("b",)


def test_strip_of_a_ramp_is_the_ramp() -> None:
    """1 mV/s sampled at 360 Hz: every value of the strip is its own time, to a sample period."""
    ramp = (np.arange(3600) / 360).astype(np.float32)
    none = np.array([], dtype=np.int64)
    recording = Recording(record="r1", patient="a", sample_rate_hz=360.0, signal_mv=ramp, beats=none, labels=none)
    dataset = small(times_s=np.array([5.0, 0.5, 1.0]), recordings=(recording,))
    strip = np.array(dataset.strip_mv(0, seconds=2.0, rate_hz=120.0))
    assert len(strip) == 240
    assert np.abs(strip - (4.0 + np.arange(240) / 120)).max() < 1e-4
    held = dataset.strip_mv(1, seconds=2.0, rate_hz=120.0)
    assert len(held) == 240
    assert held[:60] == (0.0,) * 60
    assert len(dataset.strip_mv(0, seconds=1.0, rate_hz=1000.0)) == 1000
    assert dataset.strip_mv(2) == ()

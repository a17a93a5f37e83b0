"""The self-test's input: a TFLite Micro that reads the first scale of a Dense layer alone must not pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leadwire.bench import pattern_input
from leadwire.model.tflite import read_tflite
from leadwire.pipeline.golden import golden_by_tflm
from leadwire.reference import has_tflm
from single_operator import Op, T, write_tflite

pytestmark = pytest.mark.skipif(not has_tflm(), reason="needs the witness: the package tflite-micro")
PATTERN = np.array([11, 48], np.int8)


def dense(path: Path, scales: tuple[float, ...] | float) -> Path:
    """Two inputs, two outputs; the second is 0 for the pattern input, whatever its scale."""
    weights = np.array([[3, 5], [48, -11]], np.int8)
    tensors = [
        T(shape=(1, 2), scale=1.0, zero_point=0),
        T(shape=(2, 2), array=weights, scale=scales),
        T(shape=(1, 2), scale=4.0, zero_point=0),
    ]
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    path.write_bytes(write_tflite(tensors, [op], [0], [2]))
    return path


def by_hand(row: np.ndarray, scales: tuple[float, float]) -> list[int]:
    sums = np.array([3 * int(row[0]) + 5 * int(row[1]), 48 * int(row[0]) - 11 * int(row[1])])
    return np.clip(np.rint(sums * np.array(scales) / 4.0), -128, 127).astype(int).tolist()


def test_the_pattern_input_where_it_tells_enough(tmp_path: Path) -> None:
    path = dense(tmp_path / "one.tflite", 0.25)
    assert golden_by_tflm(path, read_tflite(path))[0] == pattern_input(2) == PATTERN.tobytes()


@pytest.mark.requirement("LW-TFL-001")
def test_another_input_where_one_scale_would_give_the_same_bytes(tmp_path: Path) -> None:
    scales = (0.25, 0.5)
    path = dense(tmp_path / "two.tflite", scales)
    assert by_hand(PATTERN, scales) == by_hand(PATTERN, (0.25, 0.25))
    given, expected = golden_by_tflm(path, read_tflite(path))
    row, answer = np.frombuffer(given, np.int8), np.frombuffer(expected, np.int8)
    assert given != pattern_input(2)
    assert np.abs(answer - np.array(by_hand(row, scales))).max() <= 1  # by hand halves go to even
    assert answer.tolist() != by_hand(row, (0.25, 0.25))
    assert golden_by_tflm(path, read_tflite(path)) == (given, expected)

"""Dataset folders: strict, and every quantity against a second way to compute it."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from leadwire.artifacts import MlperfLoop
from leadwire.errors import BadInputError
from leadwire.mlperf import median_latency_us, read_files, rule_breaks
from leadwire.mlperf_tiny import BENCHMARKS, CUSTOM, TinyBenchmark, benchmark_of, mlperf_defines
from leadwire.model.graph import Model
from leadwire.model.tflite import read_tflite
from leadwire.stats import area_under_curve
from single_operator import Op, T, write_tflite

KWS, VWW, IC, AD = BENCHMARKS


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """Six values in, three out."""
    weights = np.ones((3, 6), np.int8)
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    path = tmp_path / "dense.tflite"
    path.write_bytes(write_tflite([T(shape=(1, 6)), T(shape=(3, 6), array=weights), T(shape=(1, 3))], [op], [0], [2]))
    return read_tflite(path)


def folder(tmp_path: Path, labels: str | bytes, **files: bytes) -> Path:
    for name, data in {"a.bin": bytes(6), "b.bin": bytes(10), **files}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "y_labels.csv").write_bytes(labels if isinstance(labels, bytes) else labels.encode())
    return tmp_path


def test_files_and_windows(tmp_path: Path, model: Model) -> None:
    found = read_files(folder(tmp_path, "a.bin,3,2\n\n b.bin, 3, 1, 6, 2\n"), model, CUSTOM)
    assert [(file.name, file.label, len(file.samples)) for file in found] == [("a.bin", 2, 1), ("b.bin", 1, 3)]
    assert len(read_files(tmp_path, model, CUSTOM, most=1)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "", "a.bin", "a.bin,3", "a.bin,3,3", "a.bin,4,1", "a.bin,3,-1", "a.bin,3,1,6", "a.bin,3,1.0", "a.bin,3,٣",
        "b.bin,3,1", "b.bin,3,1,6,0", "b.bin,3,1,5,1", "a.bin,3,1,60,1", "../a.bin,3,1", "/etc/passwd,3,1", ".,3,1",
        ",3,1", "none.bin,3,1", '"a.bin,3,1', "a.bin,3,1,6,9999999999", "a\0.bin,3,1",
    ],
)  # fmt: skip
def test_lines_that_mean_nothing_are_refused(tmp_path: Path, model: Model, line: str) -> None:
    with pytest.raises(BadInputError):
        read_files(folder(tmp_path, line + "\n"), model, CUSTOM)


def test_files_that_are_no_text_or_too_large_are_refused(tmp_path: Path, model: Model) -> None:
    with pytest.raises(BadInputError, match="UTF-8"):
        read_files(folder(tmp_path, b"\xff\xfe"), model, CUSTOM)
    with pytest.raises(BadInputError, match="larger"):
        read_files(folder(tmp_path, "c.bin,3,1,6,1\n", **{"c.bin": bytes((1 << 20) + 1)}), model, CUSTOM)
    (tmp_path / "y_labels.csv").unlink()
    with pytest.raises(BadInputError, match="does not exist"):
        read_files(tmp_path, model, CUSTOM)


def test_the_benchmark_is_known_by_its_shapes(model: Model) -> None:
    assert benchmark_of(model) == CUSTOM
    assert [one.id for one in BENCHMARKS] == ["kws01", "vww01", "ic01", "ad01"]


def test_the_sample_buffer_has_the_protocols_size_where_there_is_room(model: Model) -> None:
    def size(ram: int) -> str:
        defines = dict(mlperf_defines(model, arena_bytes=1000, ram_bytes=ram, personality="mlperf"))
        return defines["LW_MLPERF_BUFFER_BYTES"]

    assert (size(131_072), size(16_384)) == ("27648u", "6u")
    assert mlperf_defines(model, arena_bytes=0, ram_bytes=0, personality="bench") == ()


def loops(*seconds: float) -> list[MlperfLoop]:
    return [MlperfLoop(sample="s", iterations=10, warmup=0, elapsed_us=round(1e6 * one)) for one in seconds]


def test_the_rules() -> None:
    assert rule_breaks(loops(10, 11, 12, 10, 30), IC, "measured") == ()
    assert median_latency_us(loops(10, 11, 12, 10, 30)) == 1.1e6
    for broken, benchmark, basis in (
        (loops(10, 10, 10, 10), IC, "measured"),
        (loops(10, 10, 10, 10, 9.99), IC, "measured"),
        (loops(10, 10, 10, 10, 10), IC, "emulated"),
        (loops(10, 10, 10, 10, 10), CUSTOM, "measured"),
    ):
        assert len(rule_breaks(broken, benchmark, basis)) == 1  # type: ignore[arg-type]


def test_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    draw = np.random.default_rng(5)
    low, high = draw.normal(0, 1, 40).round(1), draw.normal(1, 1, 30).round(1)
    area, interval = area_under_curve(low.tolist(), high.tolist())
    pairs = [1.0 if b > a else 0.5 if a == b else 0.0 for a, b in product(low, high)]
    assert area == pytest.approx(sum(pairs) / len(pairs))
    assert 0 < interval.low < area < interval.high < 1


def test_the_interval_of_an_area_covers_it() -> None:
    """Two normals one standard deviation apart: the area is Phi(1 / sqrt 2)."""
    truth = 0.5 * (1 + math.erf(0.5))
    draw = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        _, interval = area_under_curve(draw.normal(0, 1, 40).tolist(), draw.normal(1, 1, 40).tolist())
        held += interval.low <= truth <= interval.high
    assert 0.92 <= held / 400 <= 0.985


def test_groups_apart_or_too_small_do_not_claim_certainty() -> None:
    area, interval = area_under_curve([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert area == 1.0 and interval.low == pytest.approx(0.025 ** (1 / 3)) and interval.high == 1.0
    assert area_under_curve([1.0], [2.0])[1].low == 0.0
    assert area_under_curve([1.0, 1.0], [1.0, 1.0])[1].low <= 0.5


def test_float_benchmarks_take_four_bytes_a_value(tmp_path: Path, model: Model) -> None:
    benchmark = TinyBenchmark(id="x", sample="float32", metric="auc")
    found = read_files(folder(tmp_path, "c.bin,2,1,24,8\n", **{"c.bin": bytes(40)}), model, benchmark)
    assert [len(sample) for sample in found[0].samples] == [24, 24, 24]

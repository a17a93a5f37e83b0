"""Comparing backends on the host board: the parts that need no second backend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leadwire.device.target import Target
from leadwire.errors import BadInputError
from leadwire.pipeline.alone import bench_inputs, build_model, choose
from leadwire.pipeline.backends import bench_backend, choose_several, tensors_from
from leadwire.reference import tensors_of, tflm_arena_bytes
from leadwire.tflm_arena import host_record
from single_operator import Op, T, write_tflite


class Silent:
    def stage(self, name: str, skipped: bool) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, label: str, done: int, total: int) -> None: ...


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """RELU, then a Dense layer with a weight of its own for each input."""
    weights = np.arange(-16, 16, dtype=np.int8).reshape(4, 8)
    tensors = [T(shape=(1, 8)), T(shape=(1, 8)), T(shape=(4, 8), array=weights, scale=0.02), T(shape=(1, 4))]
    operators = [
        Op(kind="RELU", inputs=(0,), outputs=(1,)),
        Op(kind="FULLY_CONNECTED", inputs=(1, 2, -1), outputs=(3,), options="FullyConnectedOptions"),
    ]
    file = tmp_path / "dense.tflite"
    file.write_bytes(write_tflite(tensors, operators, [0], [3]))
    return file


def test_outputs_are_kept_and_operators_can_be_read_again(path: Path, tmp_path: Path) -> None:
    options = choose("host", "aot", "zig")
    built = build_model(path, options, tmp_path / "work", Silent())
    inputs = bench_inputs(built.model, pattern=False, count=3)
    target = Target(board=options.board)
    run = bench_backend(built.image, target, built.model, built.plan, inputs, 0, Silent())
    assert len(run.outputs) == run.result.inputs == 3
    tensors = tensors_from({"aot": built.image}, target)("aot", inputs[2])
    assert tensors[-1] == run.outputs[2]
    pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")
    assert tuple(tensors) == tensors_of(path, np.frombuffer(inputs[2], np.int8))


def test_the_fixed_input_comes_first_and_the_others_are_the_same_in_every_run(path: Path, tmp_path: Path) -> None:
    model = build_model(path, choose("host", "aot", "zig"), tmp_path / "work", Silent()).model
    drawn = bench_inputs(model, pattern=False, count=4)
    assert drawn == bench_inputs(model, pattern=False, count=4)
    assert drawn[0] == bytes((i * 37 + 11) & 0xFF for i in range(8))
    assert len(set(drawn)) == 4
    assert bench_inputs(model, pattern=True, count=3) == (drawn[0],) * 3


def test_the_recorded_arena_is_read_from_the_interpreter(path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")
    from leadwire.model.tflite import read_tflite

    assert tflm_arena_bytes(path) == host_record(read_tflite(path)).total_bytes
    path.write_bytes(b"not a model")
    assert tflm_arena_bytes(path) is None


@pytest.mark.parametrize("backends", ["aot,", ",", "aot,aot", "aot, aot"])
def test_one_backend_is_no_comparison(backends: str) -> None:
    with pytest.raises(BadInputError, match="different backends"):
        choose_several("host", backends, "zig", "", None)


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(BadInputError, match="no backend 'other'"):
        choose_several("host", "aot,other", "zig", "", None)

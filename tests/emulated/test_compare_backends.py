"""aot and TensorFlow Lite Micro on the emulated Cortex-M4: the same bytes, and the arena to the byte."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from leadwire.build.tflm import VARIABLE
from leadwire.pipeline.backends import choose_several, compare_model
from single_operator import Op, T, write_tflite

pytestmark = [
    pytest.mark.arm_gcc,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"needs TensorFlow Lite Micro: {VARIABLE} is not set"),
    pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc"),
]

MODELS = sorted((Path(os.environ.get("LEADWIRE_DATA", "/nonexistent")) / "models").glob("*.tflite"))


class Silent:
    def stage(self, name: str, skipped: bool) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, label: str, done: int, total: int) -> None: ...


def dense() -> bytes:
    """Per-channel weights: what an old TFLite Micro computes wrongly without a word."""
    weights = np.random.default_rng(1).integers(-127, 128, (6, 12)).astype(np.int8)
    scales = tuple(0.01 * 2**k for k in range(6))
    tensors = [T(shape=(1, 12)), T(shape=(6, 12), array=weights, scale=scales), T(shape=(1, 6), scale=4.0)]
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    return write_tflite(tensors, [op], [0], [2])


def check(path: Path, board: str, inputs: int) -> None:
    options = choose_several(board, "aot,tflm", "arm-none-eabi-gcc", "", None)
    found = compare_model(path, options, Silent(), pattern=False, inputs=inputs, warmup=0)
    assert found.identical, found.divergences
    assert [one.backend for one in found.results] == ["aot", "tflm"]
    assert len({one.io_digest for one in found.results}) == 1
    arena = found.arena
    assert arena is not None
    assert arena.predicted_bytes == arena.device_used_bytes
    assert arena.device_needed_bytes is not None
    assert arena.device_needed_bytes <= arena.required_bytes < arena.device_needed_bytes + 16
    if arena.host_recorded_bytes is not None:
        assert arena.host_predicted_bytes == arena.host_recorded_bytes


def test_a_layer_with_a_scale_for_each_output(tmp_path: Path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense())
    check(path, "virtual-stm32f405", 20)


@pytest.mark.realdata
@pytest.mark.skipif(not MODELS, reason="needs the reference models in LEADWIRE_DATA/models")
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_reference_models(path: Path) -> None:
    check(path, "virtual-stm32f405", 2)

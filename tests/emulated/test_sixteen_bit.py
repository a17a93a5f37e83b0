"""A network of int16 activations as firmware on the emulated board, over the link: TensorFlow Lite Micro's bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from leadwire import reference
from leadwire.model.tflite import read_tflite
from leadwire.pipeline.alone import bench_inputs, bench_model, choose
from sixteen_bit import sixteen_bit
from small_network import small_network

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")


class Silent:
    def stage(self, name: str, skipped: bool) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, label: str, done: int, total: int) -> None: ...


def test_bytes_over_the_link_and_constant_time(tmp_path: Path) -> None:
    path = tmp_path / "wide.tflite"
    path.write_bytes(sixteen_bit(small_network()))
    found = bench_model(path, choose("virtual-stm32f405", "aot", "zig"), Silent(), pattern=False, inputs=4, warmup=1)
    samples = bench_inputs(read_tflite(path), pattern=False, count=4)
    rows = np.stack([np.frombuffer(sample, np.int8) for sample in samples])
    digest = hashlib.sha256()
    for sample, answer in zip(samples, reference.run_tflm(path, rows), strict=True):
        digest.update(sample + answer.tobytes())
    assert found.io_digest == digest.hexdigest()
    assert found.constant_instructions

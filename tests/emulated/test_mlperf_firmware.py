"""The firmware with MLPerf Tiny's protocol on the emulated boards: whole runs, and the bytes of the reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leadwire import reference
from leadwire.device.mlperf_client import MlperfClient
from leadwire.errors import BadInputError, DeviceError, WrongDeviceError
from leadwire.flash import flash_image
from leadwire.mlperf_tiny import benchmark_of, quantize_sample, result_numbers
from leadwire.pipeline.alone import build_model, choose
from leadwire.pipeline.mlperf import measure_mlperf
from leadwire.pipeline.sources import read_model
from single_operator import Op, T, write_tflite


class Silent:
    def stage(self, name: str, skipped: bool) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, label: str, done: int, total: int) -> None: ...


def dense(path: Path, inputs: int = 20, outputs: int = 4) -> Path:
    weights = np.random.default_rng(1).integers(-127, 128, (outputs, inputs)).astype(np.int8)
    tensors = [T(shape=(1, inputs)), T(shape=(outputs, inputs), array=weights, scale=0.02), T(shape=(1, outputs))]
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    path.write_bytes(write_tflite(tensors, [op], [0], [2]))
    return path


@pytest.mark.parametrize("board", ["virtual-stm32f405", pytest.param("qemu-stm32f405", marks=pytest.mark.qemu)])
def test_latency_and_quality_of_a_model(tmp_path: Path, board: str) -> None:
    path = dense(tmp_path / "dense.tflite")
    model = read_model(path)
    data = tmp_path / "data"
    data.mkdir()
    draw, right, lines = np.random.default_rng(2), 0, []
    for number in range(8):
        sample = draw.bytes(20)
        (data / f"{number}.bin").write_bytes(sample)
        output = reference.run_tflm(path, quantize_sample(sample, model, benchmark_of(model)).reshape(1, -1))[0]
        printed = [round(one, 3) for one in result_numbers(sample, output.tobytes(), model, benchmark_of(model))]
        label = number % 4
        right += int(np.argmax(printed)) == label
        lines.append(f"{number}.bin,4,{label}")
    (data / "y_labels.csv").write_text("\n".join(lines))
    found = measure_mlperf(path, choose(board, "aot", "auto"), Silent(), dataset=data, loops=3, iterations=50, warmup=2)
    assert found.personality == "mlperf" and found.basis == "emulated" and not found.valid
    assert found.quality is not None and found.quality.identical == found.quality.inferences == 8
    assert (found.quality.statistic.numerator, found.quality.statistic.denominator) == (right, 8)
    assert "emulated, not measured" in " ".join(found.reasons)
    first, *others = [loop.elapsed_us for loop in found.loops]
    assert first > 0 and all(abs(one - first) <= 2 for one in others), "the same code takes the same time"


def test_the_two_modes_do_not_pass_for_each_other(tmp_path: Path) -> None:
    path = dense(tmp_path / "dense.tflite")
    images = {}
    for personality in ("mlperf", "mlperf-energy"):
        options = choose("virtual-stm32f405", "aot", "auto", personality=personality)
        image = build_model(path, options, tmp_path / personality, Silent()).image
        assert image is not None and image.personality == personality
        images[personality] = image
    assert images["mlperf"].build_id != images["mlperf-energy"].build_id
    with flash_image(images["mlperf-energy"], options.target) as running, MlperfClient(running.port, 9600) as client:
        client.load(bytes(20))
        assert client.infer(2, 1).elapsed_us is None
    with pytest.raises(DeviceError), flash_image(replace(images["mlperf"], build_id="00"), options.target):
        pass


def test_what_has_no_personality_is_refused() -> None:
    with pytest.raises(BadInputError, match="no personality 'chatty'"):
        choose("virtual-stm32f405", "aot", "auto", personality="chatty")
    with pytest.raises(BadInputError, match="no firmware"):
        choose("host", "aot", "auto", personality="mlperf")


def test_what_runs_there_already_is_measured_where_it_is_the_model(tmp_path: Path) -> None:
    path, other = dense(tmp_path / "dense.tflite"), dense(tmp_path / "other.tflite", outputs=5)
    options = choose("virtual-stm32f405", "aot", "auto", personality="mlperf")
    image = build_model(path, options, tmp_path / "work", Silent()).image
    assert image is not None
    with flash_image(image, options.target) as running:
        there = choose("virtual-stm32f405", "aot", "auto", running.port)
        found = measure_mlperf(path, there, Silent(), loops=1, iterations=5, warmup=0, attach=True)
        assert found.build_id == image.build_id and found.image_digest == ""
        assert any("not flashed by this run" in reason for reason in found.reasons)
        with pytest.raises(WrongDeviceError, match="model"):
            measure_mlperf(other, there, Silent(), loops=1, iterations=5, warmup=0, attach=True)
    with pytest.raises(BadInputError, match="needs a port"):
        measure_mlperf(path, options, Silent(), attach=True)

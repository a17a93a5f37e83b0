"""MLPerf Tiny: its benchmarks, the form of their samples, and what a firmware that speaks its protocol is built with.

Facts are those of the benchmark's rules and runner (mlcommons/tiny, benchmark/runner and evaluation/datasets).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import Personality
from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tensor import TensorType

SampleFormat = Literal["int8", "uint8", "float32"]
BUFFER_BYTES = 96 * 96 * 3
"""The protocol's limit of `db load`."""
ENERGY_BAUD = 9600
LONGEST_LOAD_BYTES = 31
"""What the runner sends in one `db` command when it talks to the device directly."""
LOOPS = 5
LEAST_LOOP_S = 10.0

_FIRMWARE_BYTES = 16_384
"""RAM that stack, ring buffer and the rest of the firmware need beside arena and sample buffer."""
_FORMATS: dict[SampleFormat, str] = {"int8": "0", "uint8": "1", "float32": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyBenchmark:
    """One benchmark. `iterations` and `warmup` are those of a performance loop, `samples` the size of the quality set.

    `floor` is the least quality of the closed division: of `metric`, as a fraction. `id` 'custom' is any other model:
    int8 samples, no quality floor.
    """

    id: str
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    sample: SampleFormat = "int8"
    metric: Literal["accuracy", "auc"] = "accuracy"
    floor: float | None = None
    iterations: int = 20
    warmup: int = 5
    samples: int = 0

    @property
    def reports_error(self) -> bool:
        """The device reports one number, how far the output is from the input, instead of the outputs."""
        return self.metric == "auc"


BENCHMARKS = (
    TinyBenchmark(
        id="kws01", inputs=(1, 49, 10, 1), outputs=(1, 12), floor=0.90, iterations=70, warmup=10, samples=1000
    ),
    TinyBenchmark(id="vww01", inputs=(1, 96, 96, 3), outputs=(1, 2), sample="uint8", floor=0.80, samples=1000),
    TinyBenchmark(id="ic01", inputs=(1, 32, 32, 3), outputs=(1, 10), sample="uint8", floor=0.85, samples=200),
    TinyBenchmark(
        id="ad01", inputs=(1, 640), outputs=(1, 640), sample="float32", metric="auc", floor=0.85,
        iterations=1500, warmup=10, samples=248,
    ),
)  # fmt: skip
CUSTOM = TinyBenchmark(id="custom")


def benchmark_of(model: Model) -> TinyBenchmark:
    """The benchmark whose input and output shapes the model has, else CUSTOM. The streaming one (sww01) is not among
    them: its samples come over I2S."""
    if len(model.inputs) == 1 and len(model.outputs) == 1:
        shapes = (tuple(model.input_tensors[0].shape), tuple(model.output_tensors[0].shape))
        for benchmark in BENCHMARKS:
            if shapes == (benchmark.inputs, benchmark.outputs):
                return benchmark
    return CUSTOM


def sample_bytes(model: Model, benchmark: TinyBenchmark) -> int:
    """Size of one sample: all inputs' values, four bytes each as float32."""
    return model.input_bytes * (4 if benchmark.sample == "float32" else 1)


def mlperf_defines(
    model: Model, *, arena_bytes: int, ram_bytes: int, personality: Personality
) -> tuple[tuple[str, str], ...]:
    """Macros of the firmware's C sources, none for the bench firmware.

    The sample buffer has the protocol's size; where that does not fit `ram_bytes` beside the arena, the size of one
    sample.
    """
    if personality == "bench":
        return ()
    wide = next((t for t in (*model.input_tensors, *model.output_tensors) if t.dtype is not TensorType.INT8), None)
    if wide is not None:
        raise UnsupportedModelError(
            f"tensor '{wide.name}'",
            f"is {wide.dtype}: the MLPerf Tiny firmware takes and gives int8 alone",
            hint="quantize the model to full INT8, or measure it with the bench firmware",
        )
    benchmark = benchmark_of(model)
    one = sample_bytes(model, benchmark)
    roomy = arena_bytes + BUFFER_BYTES + _FIRMWARE_BYTES <= ram_bytes
    defines = [
        ("LW_MLPERF_MODEL", f'"{benchmark.id}"'),
        ("LW_MLPERF_INPUT", _FORMATS[benchmark.sample]),
        ("LW_MLPERF_RESULT", "1" if benchmark.reports_error else "0"),
        ("LW_MLPERF_ENERGY", "1" if personality == "mlperf-energy" else "0"),
        ("LW_MLPERF_BUFFER_BYTES", f"{max(one, BUFFER_BYTES) if roomy else one}u"),
    ]
    if personality == "mlperf-energy":
        defines.append(("LW_LINK_BAUD", str(ENERGY_BAUD)))
    return tuple(defines)


def quantize_sample(sample: bytes, model: Model, benchmark: TinyBenchmark) -> npt.NDArray[np.int8]:
    """The int8 values that the firmware makes of a sample (firmware_templates/mlperf/sample.h), all inputs in order."""
    if benchmark.sample == "int8":
        return np.frombuffer(sample, np.int8).copy()
    if benchmark.sample == "uint8":
        return (np.frombuffer(sample, np.uint8) ^ np.uint8(0x80)).view(np.int8)
    values = np.frombuffer(sample, "<f4")
    parts = []
    for tensor in model.input_tensors:
        assert tensor.quantization is not None
        own, values = values[: tensor.size_bytes], values[tensor.size_bytes :]
        with np.errstate(over="ignore", invalid="ignore"):
            steps = own / np.float32(tensor.quantization.scale)
        steps = np.clip(np.nan_to_num(steps, nan=0.0), -512, 512).astype(np.float64)
        rounded = np.trunc(steps + np.copysign(0.5, steps))
        parts.append(np.clip(rounded + tensor.quantization.zero_point, -128, 127).astype(np.int8))
    return np.concatenate(parts)


def result_numbers(sample: bytes, output: bytes, model: Model, benchmark: TinyBenchmark) -> tuple[float, ...]:
    """The numbers that the firmware reports for a sample and the output bytes, before they are printed."""
    raw = np.frombuffer(output, np.int8)
    if benchmark.reports_error:
        tensor = model.output_tensors[0]
        assert tensor.quantization is not None
        real = (raw.astype(np.float64) - tensor.quantization.zero_point) * float(np.float32(tensor.quantization.scale))
        count = min(len(raw), model.input_tensors[0].size_bytes)
        given = np.array(struct.unpack_from(f"<{count}f", sample), np.float64)
        difference = (real[:count] - given).astype(np.float32).astype(np.float64)
        return (float(sum((difference * difference).tolist()) / count),)
    numbers: list[float] = []
    for tensor in model.output_tensors:
        assert tensor.quantization is not None
        own, raw = raw[: tensor.size_bytes], raw[tensor.size_bytes :]
        steps = own.astype(np.float64) - tensor.quantization.zero_point
        numbers += (steps * float(np.float32(tensor.quantization.scale))).astype(np.float32).astype(float).tolist()
    return tuple(numbers)

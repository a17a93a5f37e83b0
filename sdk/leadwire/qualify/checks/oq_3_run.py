"""The firmware on the emulated board answers as TensorFlow Lite Micro does, in the known number of instructions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from leadwire import reference
from leadwire.bench import run_benchmark
from leadwire.flash import flash_image
from leadwire.pipeline.alone import bench_inputs, build_model, choose, require_image
from leadwire.pipeline.host_model import HostModel
from leadwire.qualify.check import Context, Finding, equal, note

TITLE = "Inference on the emulated board"
REQUIREMENTS = ("LW-ENG-001", "LW-BEN-001")
_INPUTS = 20


def look(context: Context) -> Iterator[Finding]:
    options = choose("virtual-stm32f405", "aot", "zig")
    built = build_model(context.model, options, context.folder, context.watcher)
    inputs = bench_inputs(built.model, pattern=False, count=_INPUTS)
    outputs: list[bytes] = []
    with flash_image(require_image(built), options.target) as running:
        measured = run_benchmark(running, built.model, built.plan, inputs=inputs, warmup=1, keep=outputs.extend)
    yield context.known("run_io_digest", "digest over inputs and outputs", measured.io_digest)
    yield context.known("run_instructions", "instructions of an inference", measured.instructions_per_inference)
    yield equal("instructions are the same for every input", True, measured.constant_instructions)
    rows = np.frombuffer(b"".join(inputs), dtype=np.int8).reshape(_INPUTS, -1)
    ends = np.cumsum([tensor.size_bytes for tensor in built.model.input_tensors])[:-1]
    answers = HostModel.from_tflite(context.model).predict_quantized(np.split(rows, ends, axis=1))
    yield equal(f"outputs equal to the generated C here, of {_INPUTS}", _INPUTS, _same(outputs, answers))
    if reference.has_tflm():
        answers = reference.run_tflm(context.model, rows)
        yield equal(f"outputs equal to TensorFlow Lite Micro, of {_INPUTS}", _INPUTS, _same(outputs, answers))
    else:
        yield note("TensorFlow Lite Micro", "not here: the package tflite-micro exists for Linux on x86-64 alone")


def _same(outputs: list[bytes], answers: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> int:
    return sum(output == answer.tobytes() for output, answer in zip(outputs, answers, strict=True))

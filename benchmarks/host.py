"""Beats per second on this computer: HostModel beside LiteRT with XNNPACK and with its reference kernels, in one run.

    LEADWIRE_DATA=... python benchmarks/host.py [--model FILE] [--threads 2] [--rounds 5] [--beats 20000]

Each runtime answers the same random int8 beats, from numpy rows to numpy rows, on the same number of threads: LiteRT
has an interpreter for each thread. XNNPACK is tried with larger batches too, on a copy of the model with that batch
size. HostModel is measured with all that it does, the sample for its portable kernels included. The runtimes take
turns, `--rounds` times; the best round of each counts, since a loaded machine only ever takes away. Beside the beats
for a second stands the processor time of one beat, over all threads, which a loaded machine disturbs less. Ends with an
error where HostModel's bytes are not those of TensorFlow Lite Micro.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from leadwire import HostModel, reference

ROOT = Path(__file__).resolve().parent.parent
BATCHES = (1, 8, 32, 128)
Rows = npt.NDArray[np.int8]


def with_batch(data: bytes, batch: int) -> bytes:
    """The model with so many samples: in the first dimension of all that is computed, RESHAPE's outputs too."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        if model.buffers[tensor.buffer].data is None and len(tensor.shape) and tensor.shape[0] == 1:
            tensor.shape = [batch, *tensor.shape[1:]]
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.RESHAPE:
            shape = [int(size) for size in graph.tensors[operator.outputs[0]].shape]
            buffer = model.buffers[graph.tensors[operator.inputs[1]].buffer]
            buffer.data = np.frombuffer(np.array(shape, np.int32).tobytes(), np.uint8)
            if operator.builtinOptions is not None:
                operator.builtinOptions.newShape = shape
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class LiteRt:
    """One interpreter of a model with one int8 input and output; ValueError where it does not take the batch."""

    def __init__(self, path: Path, resolver: OpResolverType, batch: int) -> None:
        self.batch = batch
        data = path.read_bytes() if batch == 1 else with_batch(path.read_bytes(), batch)
        self.interpreter = Interpreter(model_content=data, experimental_op_resolver_type=resolver, num_threads=1)
        given = self.interpreter.get_input_details()[0]
        self.shape = tuple(given["shape"])
        self.given, self.answer = given["index"], self.interpreter.get_output_details()[0]["index"]
        try:
            self.interpreter.allocate_tensors()
            self.interpreter.invoke()
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        if self.shape[0] != batch or self.interpreter.get_tensor(self.answer).shape[0] != batch:
            raise ValueError("input or answer have another batch size")

    def run(self, rows: Rows) -> None:
        for first in range(0, len(rows) - self.batch + 1, self.batch):
            self.interpreter.set_tensor(self.given, rows[first : first + self.batch].reshape(self.shape))
            self.interpreter.invoke()
            self.interpreter.get_tensor(self.answer)


def threaded(path: Path, resolver: OpResolverType, batch: int, threads: int) -> Callable[[Rows], None]:
    runtimes = [LiteRt(path, resolver, batch) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def run(rows: Rows) -> None:
        list(pool.map(LiteRt.run, runtimes, np.array_split(rows, threads)))

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    models = Path(os.environ.get("LEADWIRE_DATA") or ROOT.parent / "shared" / "data") / "models"
    parser.add_argument("--model", type=Path, default=models / "ecg_cnn_int8.tflite")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beats", type=int, default=20_000)
    options = parser.parse_args()
    path: Path = options.model
    host = HostModel.from_tflite(path, threads=options.threads)
    rows = np.random.default_rng(1).integers(-128, 128, (options.beats, host.model.input_bytes), dtype=np.int8)
    few = rows[:200]
    if reference.has_tflm() and not np.array_equal(host.predict_quantized(few), reference.run_tflm(path, few)):
        sys.exit("error: the generated C and TensorFlow Lite Micro give different bytes")
    runs: dict[str, Callable[[Rows], object]] = {"HostModel": host.predict_quantized}
    for batch in BATCHES:
        try:
            runs[f"XNNPACK, batch {batch}"] = threaded(path, OpResolverType.BUILTIN, batch, options.threads)
        except ValueError:
            print(f"XNNPACK does not take batch {batch}", file=sys.stderr)
    runs["reference kernels"] = threaded(path, OpResolverType.BUILTIN_REF, 1, options.threads)
    wall, processor = dict.fromkeys(runs, math.inf), dict.fromkeys(runs, math.inf)
    for _ in range(options.rounds):
        for name, run in runs.items():
            start, used = time.perf_counter(), time.process_time()
            run(rows)
            wall[name] = min(wall[name], (time.perf_counter() - start) / len(rows))
            processor[name] = min(processor[name], (time.process_time() - used) / len(rows))
    print(f"{path.name}, {options.threads} threads, {len(rows)} beats, load {os.getloadavg()[0]:.1f}")
    print(
        f"HostModel's kernels: {host.kernels}; {host.checked} of {host.answered} samples checked by the portable ones"
    )
    print("| | beats/s | HostModel is | us of processor time a beat | HostModel is |\n|---|---|---|---|---|")
    for name, seconds in wall.items():
        times, spent = seconds / wall["HostModel"], processor[name] / processor["HostModel"]
        print(f"| {name} | {1 / seconds:,.0f} | {times:.2f} x | {1e6 * processor[name]:.2f} | {spent:.2f} x |")


if __name__ == "__main__":
    main()

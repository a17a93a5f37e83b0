"""Beats per second on this computer: HostModel beside LiteRT with XNNPACK and with its reference kernels, in one run.

    LEADWIRE_DATA=... python benchmarks/host.py [--model FILE] [--threads 2] [--rounds 5] [--beats 4000]

Each runtime answers the same random int8 beats, from numpy rows to numpy rows, on the same number of threads: LiteRT
has an interpreter for each thread, and XNNPACK is tried with every batch size that the model lets it be resized to. The
runtimes take turns, `--rounds` times; the best round of each counts, since a loaded machine only ever takes away. Ends
with an error where HostModel's bytes are not those of TensorFlow Lite Micro.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from leadwire import HostModel, reference

ROOT = Path(__file__).resolve().parent.parent
BATCHES = (1, 8, 32, 128)
Rows = npt.NDArray[np.int8]


class LiteRt:
    """One interpreter of a model with one int8 input and output; ValueError where it does not take the batch."""

    def __init__(self, path: Path, resolver: OpResolverType, batch: int) -> None:
        self.batch = batch
        self.interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=resolver, num_threads=1)
        given = self.interpreter.get_input_details()[0]
        self.shape = (batch, *given["shape"][1:])
        self.given, self.answer = given["index"], self.interpreter.get_output_details()[0]["index"]
        try:
            if batch != 1:
                self.interpreter.resize_tensor_input(self.given, self.shape)
            self.interpreter.allocate_tensors()
            self.interpreter.invoke()
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        if self.interpreter.get_tensor(self.answer).shape[0] != batch:
            raise ValueError("the answer has another batch size")

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
    parser.add_argument("--beats", type=int, default=4000)
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
    best = dict.fromkeys(runs, 0.0)
    for _ in range(options.rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(rows)
            best[name] = max(best[name], len(rows) / (time.perf_counter() - start))
    print(f"{path.name}, {options.threads} threads, {len(rows)} beats, load {os.getloadavg()[0]:.1f}")
    for name, rate in best.items():
        print(f"{name:20} {rate:10,.0f} beats/s   HostModel is {best['HostModel'] / rate:.2f} times as fast")


if __name__ == "__main__":
    main()

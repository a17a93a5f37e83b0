"""mlperf: a board under MLPerf Tiny's protocol, with the benchmark's own quantities: median latency and quality.

The device tells the time of each `infer` by its own counter, and prints what it found with three decimals; quality is
taken from those. The standard runner does the same (docs/manual/mlperf-tiny.md); this one asks also which image is
running, checks that every sample arrived whole, and compares the output bytes with the reference.
"""

from __future__ import annotations

import csv
import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import Basis, MlperfLoop, MlperfQuality, Statistic
from leadwire.device.mlperf_client import MlperfClient
from leadwire.errors import DatasetError, DeviceError, FileMissingError
from leadwire.mlperf_tiny import LEAST_LOOP_S, LOOPS, TinyBenchmark, quantize_sample, sample_bytes
from leadwire.model.graph import Model
from leadwire.stats import area_under_curve, wilson

LABELS = "y_labels.csv"
MAX_LABELS_BYTES = 4 << 20
MAX_SAMPLE_BYTES = 1 << 20
MOST_FILES = 100_000
Progress = Callable[[int, int], None]
Witness = Callable[[npt.NDArray[np.int8]], npt.NDArray[np.int8]]
"""Rows of quantized inputs to rows of output bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyFile:
    """One file of a dataset: the samples in it (several where a window slides over it) and its class."""

    name: str
    samples: tuple[bytes, ...]
    label: int


def read_files(folder: Path, model: Model, benchmark: TinyBenchmark, *, most: int = 0) -> tuple[TinyFile, ...]:
    """The files that `y_labels.csv` in `folder` lists, the first `most` of them (0: all).

    A line is `file,classes,class` or `file,classes,class,window bytes,stride bytes`. FileMissingError or DatasetError
    (2), which names the line, for anything else, and for a file whose size is not that of the model's input.
    """
    listing = folder / LABELS
    if not listing.is_file():
        raise FileMissingError(listing, role="label file")
    if listing.stat().st_size > MAX_LABELS_BYTES:
        raise DatasetError(str(listing), f"is larger than {MAX_LABELS_BYTES} bytes")
    try:
        rows = list(csv.reader(listing.read_text(encoding="utf-8").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(str(listing), f"is not a list of commas in UTF-8: {error}") from None
    rows = [row for row in rows if row][: most or MOST_FILES + 1]
    if not rows or len(rows) > MOST_FILES:
        raise DatasetError(str(listing), f"lists {len(rows)} files, from 1 to {MOST_FILES} are possible")
    return tuple(_read_file(folder, number, row, model, benchmark) for number, row in enumerate(rows, 1))


def _read_file(folder: Path, number: int, row: list[str], model: Model, benchmark: TinyBenchmark) -> TinyFile:
    def wrong(reason: str) -> DatasetError:
        return DatasetError(str(folder / LABELS), f"line {number}: {reason}", hint="file,classes,class[,window,stride]")

    cells = [cell.strip() for cell in row]
    if len(cells) not in (3, 5) or not all(cell.isascii() and cell.isdigit() and len(cell) < 10 for cell in cells[1:]):
        raise wrong(f"expected a name and 2 or 4 numbers, found {cells[:6]!r}"[:200])
    name, (classes, label, *window) = cells[0], map(int, cells[1:])
    if not name or Path(name).name != name or name in (".", ".."):
        raise wrong(f"'{name[:80]}' is not the name of a file in this folder")
    outputs = 2 if benchmark.reports_error else model.output_bytes
    if classes != outputs or label >= classes:
        raise wrong(f"class {label} of {classes}, the model has {outputs}")
    path = folder / name
    if not path.is_file():
        raise FileMissingError(path, role="sample")
    if path.stat().st_size > MAX_SAMPLE_BYTES:
        raise wrong(f"'{name}' is larger than {MAX_SAMPLE_BYTES} bytes")
    data = path.read_bytes()
    size = sample_bytes(model, benchmark)
    width, stride = window or (len(data), 1)
    if width != size or stride < 1 or len(data) < width:
        raise wrong(f"'{name}' has {len(data)} bytes and a window of {width}, the model takes {size}")
    starts = range(0, len(data) - width + 1, stride)
    return TinyFile(name=name, samples=tuple(data[start : start + width] for start in starts), label=label)


def measure_loops(
    device: MlperfClient, files: Sequence[TinyFile], *, loops: int, iterations: int, warmup: int, progress: Progress
) -> tuple[MlperfLoop, ...]:
    """`loops` times: load the next file's first sample, run it `iterations` times after `warmup` unmeasured ones."""
    done: list[MlperfLoop] = []
    for number in range(loops):
        file = files[number % len(files)]
        device.load(file.samples[0])
        run = device.infer(iterations, warmup)
        if run.elapsed_us is None:
            raise DeviceError(
                f"'{device.port}' tells no time", hint="build with --personality mlperf, not mlperf-energy"
            )
        if run.elapsed_us <= 0:
            raise DeviceError(f"'{device.port}' says that {iterations} inferences took {run.elapsed_us} us")
        done.append(MlperfLoop(sample=file.name, iterations=iterations, warmup=warmup, elapsed_us=run.elapsed_us))
        progress(number + 1, loops)
    return tuple(done)


def median_latency_us(loops: Sequence[MlperfLoop]) -> float:
    return statistics.median(loop.latency_us for loop in loops)


def rule_breaks(loops: Sequence[MlperfLoop], benchmark: TinyBenchmark, basis: Basis) -> tuple[str, ...]:
    """Why the loops are no valid performance run of the benchmark, nothing where they are one."""
    reasons = []
    if benchmark.floor is None:
        reasons.append("the model is none of the benchmark's")
    if basis != "measured":
        reasons.append(f"the figures are {basis}, not measured")
    if len(loops) != LOOPS:
        reasons.append(f"{len(loops)} loops, the rules want {LOOPS}")
    if loops and (shortest := min(loop.elapsed_us for loop in loops)) < LEAST_LOOP_S * 1e6:
        reasons.append(f"a loop of {shortest / 1e6:.3f} s, the rules want at least {LEAST_LOOP_S:g} s")
    return tuple(reasons)


def measure_quality(
    device: MlperfClient,
    files: Sequence[TinyFile],
    model: Model,
    benchmark: TinyBenchmark,
    *,
    witness: Witness | None,
    tells_bytes: bool,
    progress: Progress,
) -> MlperfQuality:
    """Every sample of every file once. A file's results are the mean over its samples. `witness` says what the output
    bytes must be, `tells_bytes` whether the device tells them: only leadwire's firmware does."""
    means: list[npt.NDArray[np.float64]] = []
    digest, inferences, identical = hashlib.sha256(), 0, 0
    expected_numbers = 1 if benchmark.reports_error else model.output_bytes
    for number, file in enumerate(files, 1):
        results = []
        for sample in file.samples:
            device.load(sample)
            run = device.infer(1, 0)
            if len(run.results) != expected_numbers:
                raise DeviceError(f"'{device.port}' gave {len(run.results)} results, the model has {expected_numbers}")
            output = device.output() if tells_bytes else repr(run.results).encode()
            digest.update(sample + output)
            inferences += 1
            results.append(run.results)
            if witness is not None and tells_bytes:
                row = quantize_sample(sample, model, benchmark).reshape(1, -1)
                identical += witness(row)[0].tobytes() == output
        means.append(np.mean(np.array(results), axis=0))
        progress(number, len(files))
    return MlperfQuality(
        statistic=_quality(means, [file.label for file in files], benchmark),
        floor=benchmark.floor,
        files=len(files),
        inferences=inferences,
        whole_set=len(files) == benchmark.samples,
        identical=identical if witness is not None and tells_bytes else None,
        io_digest=digest.hexdigest(),
    )


def _quality(means: Sequence[npt.NDArray[np.float64]], labels: Sequence[int], benchmark: TinyBenchmark) -> Statistic:
    if benchmark.metric == "accuracy":
        right = sum(int(np.argmax(mean)) == label for mean, label in zip(means, labels, strict=True))
        return Statistic(
            name="accuracy",
            estimate=right / len(labels),
            interval=wilson(right, len(labels)),
            numerator=right,
            denominator=len(labels),
        )
    groups = [[float(m[0]) for m, label in zip(means, labels, strict=True) if label == kind] for kind in (0, 1)]
    if not all(groups):
        raise DatasetError(LABELS, f"{len(groups[0])} normal and {len(groups[1])} anomalous files: an area needs both")
    estimate, interval = area_under_curve(groups[0], groups[1])
    return Statistic(name="auc", estimate=estimate, interval=interval)

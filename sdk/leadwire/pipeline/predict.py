"""What each runtime answers on the test beats: float, desktop TFLite, TFLite Micro, the generated C on the host, the
device. Kept as .npz files so that a later stage, or an auditor, counts on the same outputs.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import Predictions
from leadwire.datasets import Dataset
from leadwire.device.client import DeviceClient
from leadwire.device.host_library import HostLibrary
from leadwire.device.host_pool import HostPool
from leadwire.device.journal import Journal
from leadwire.device.running import RunningBoard
from leadwire.device.samples import run_samples
from leadwire.errors import DeviceError
from leadwire.model.graph import Model
from leadwire.model.tensor import values_of
from leadwire.validate import OperatorOutput, OperatorOutputs
from leadwire.workspace import write_atomically

from .rounding import bytes_by_rule

_BEATS_EXAMINED = 8
_REPLUG_S = 15.0
"""A port that vanishes in mid-run is waited for so long."""

Progress = Callable[[str], Callable[[int, int], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPredictions:
    runtime: str
    path: Path
    model_digest: str
    dataset_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPredictions:
    """What the runtimes of this computer answer; `library` is the generated C compiled for it."""

    stored: tuple[StoredPredictions, ...]
    library: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSet:
    """All runtimes' outputs. `io_digest` is the device run's, `retries` how often the link had to repeat something,
    `starts` why the device started before each stretch of the run after the first; `library` is the generated C
    compiled for the host. `device_tensors` are the device's own operator outputs of the first beats on which its bytes
    differ from that C's, None where all are equal.
    """

    stored: tuple[StoredPredictions, ...]
    io_digest: str
    retries: int
    library: Path
    starts: tuple[str, ...] = ()
    device_tensors: Path | None = None

    @property
    def _kernels(self) -> tuple[str, ...]:
        """Which kernels the generated C on this computer was asked with: those of board 'host'."""
        asked = any(one.runtime == "host_c" for one in self.stored)
        return ("the generated C on the host ran its portable kernels",) * asked

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the evidence must know of the run on the device."""
        if not self.starts:
            return self._kernels
        return (
            *self._kernels,
            f"the run on the device was cut {len(self.starts)} time(s) and went on from the last answered sample; "
            f"the device had started because of: {', '.join(self.starts)}",
        )


def predict_on_host(
    dataset: Dataset,
    model: Model,
    *,
    source: Path,
    quantized: Path,
    library: Path,
    folder: Path,
    progress: Progress,
) -> tuple[StoredPredictions, ...]:
    """Ask every runtime of this computer."""
    rows = reference.quantize_inputs(model, dataset.inputs, dataset.input_names)
    found = [_predictions("float", model, dataset, reference.run_float(source, dataset.inputs, dataset.input_names))]
    found.append(
        _integers("tflite", model, dataset, reference.run_tflite(quantized, rows, progress=progress("desktop TFLite")))
    )
    if reference.has_tflm():
        found.append(
            _integers("tflm", model, dataset, reference.run_tflm(quantized, rows, progress=progress("TFLite Micro")))
        )
    found.append(_integers("host_c", model, dataset, HostPool(library).run(rows, progress("generated C on the host"))))
    return tuple(_store(one, folder) for one in found)


def predict_on_device(
    dataset: Dataset,
    model: Model,
    on_host: tuple[StoredPredictions, ...],
    *,
    library: Path,
    device: RunningBoard,
    device_beats: int,
    folder: Path,
    progress: Progress,
    fresh: bool = False,
) -> PredictionSet:
    """Ask the device, which is sent `device_beats` beats drawn evenly, 0 meaning all; with what the host said the set
    is whole. Unless `fresh`, a run that was cut before goes on."""
    rows = reference.quantize_inputs(model, dataset.inputs, dataset.input_names)
    beats = evenly(len(rows), device_beats or len(rows))
    journal = folder / "device.journal"
    if fresh:
        journal.unlink(missing_ok=True)
    if device.count_instructions is not None:
        device.count_instructions(False)
    with DeviceClient(device.port, device.board.link.baud) as client:
        client.expect(device.image)
        run = run_samples(
            client,
            [rows[beat].tobytes() for beat in beats],
            progress("device"),
            image=device.image,
            journal=Journal(journal),
            replug_s=_REPLUG_S,
        )
        answers = np.frombuffer(b"".join(run.outputs), dtype=np.int8).reshape(len(beats), -1)
        differing = beats[(answers != _host_rows(on_host)[beats]).any(axis=1)][:_BEATS_EXAMINED]
        tensors = _device_tensors(client, model, rows, differing, folder)
    return PredictionSet(
        stored=(*on_host, _store(_integers("device", model, dataset, answers, beats), folder)),
        io_digest=run.io_digest,
        retries=run.retries,
        library=library,
        starts=tuple(epoch.cause for epoch in run.epochs[1:]),
        device_tensors=tensors,
    )


def _device_tensors(
    client: DeviceClient, model: Model, rows: reference.Rows, beats: npt.NDArray[np.int64], folder: Path
) -> Path | None:
    """Where the device departs from the generated C, its operators are asked one by one, once, while it is at hand. A
    device that cannot give them (no operator table) leaves the difference unexplained, not the run undone."""
    path = folder / "device-tensors.npz"
    path.unlink(missing_ok=True)
    found: dict[str, npt.NDArray[np.int8]] = {}
    try:
        for beat in beats:
            for operator in model.operators:
                data = client.tensor(operator.index, rows[beat].tobytes())
                found[f"{beat}:{operator.index}"] = np.frombuffer(data, dtype=np.int8)
    except DeviceError:
        found = {}
    if not found:
        return None
    stream = io.BytesIO()
    np.savez(stream, **found)  # type: ignore[arg-type]
    write_atomically(path, stream.getvalue())
    return path


def _host_rows(on_host: tuple[StoredPredictions, ...]) -> reference.Rows:
    """The bytes of the generated C on this computer."""
    raw = next(_load(one).raw for one in on_host if one.runtime == "host_c")
    assert raw is not None
    return np.ascontiguousarray(raw).view(np.int8)


def evenly(total: int, wanted: int) -> npt.NDArray[np.int64]:
    """`wanted` of `total` indices, equally spaced, rising; all of them where there are not more."""
    if wanted >= total:
        return np.arange(total, dtype=np.int64)
    return np.asarray((np.arange(wanted) * total) // max(wanted, 1), dtype=np.int64)


def load_predictions(stored: Sequence[StoredPredictions]) -> tuple[Predictions, ...]:
    return tuple(_load(one) for one in stored)


def operator_outputs(
    dataset: Dataset, model: Model, quantized: Path, library: Path, device_tensors: Path | None
) -> OperatorOutputs:
    """How `validate` finds the first operator that differs; `device_tensors` where the device was asked for its own."""
    of_device: dict[str, bytes] = {}
    if device_tensors is not None:
        with np.load(device_tensors, allow_pickle=False) as arrays:
            of_device = {name: arrays[name].tobytes() for name in arrays.files}

    def outputs(runtime: str, beat: int) -> Sequence[OperatorOutput]:
        inputs = tuple(one[beat : beat + 1] for one in dataset.inputs)
        row = reference.quantize_inputs(model, inputs, dataset.input_names)[0]
        if runtime == "tflm" or runtime == "tflite":
            tensors: Sequence[bytes] = reference.tensors_of(
                quantized, row, runtime="tflm" if runtime == "tflm" else "tflite"
            )
        elif runtime == "host_c":
            tensors = list(_library_tensors(HostLibrary(library), row.tobytes()))
        elif f"{beat}:0" in of_device:
            tensors = [of_device[f"{beat}:{operator.index}"] for operator in model.operators]
        else:
            return ()
        ends = np.cumsum([tensor.size_bytes for tensor in model.input_tensors])[:-1]
        known = dict(zip(model.inputs, np.split(row, ends), strict=True))
        found = []
        for op, data in zip(model.operators, tensors, strict=True):
            values, given = np.frombuffer(data, dtype=np.int8), known.get(op.inputs[0] if op.inputs else -1)
            alone = None if given is None else partial(bytes_by_rule, model, op, given)
            found.append(OperatorOutput(description=model.describe(op), kind=op.kind, values=values, alone=alone))
            if values.size:
                known[op.outputs[0]] = values
        return found

    return outputs


def _library_tensors(library: HostLibrary, data: bytes) -> Iterator[bytes]:
    library.write_input(data)
    for index in range(library.operator_count):
        library.step(index)
        yield library.tensor(index)


def _integers(
    runtime: str, model: Model, dataset: Dataset, raw: reference.Rows, beats: npt.NDArray[np.int64] | None = None
) -> Predictions:
    values = values_of(model.output_tensors, raw)
    return _predictions(runtime, model, dataset, reference.dequantize_outputs(model, raw), values, beats)


def _predictions(
    runtime: str,
    model: Model,
    dataset: Dataset,
    outputs: npt.NDArray[np.float64],
    raw: npt.NDArray[np.signedinteger[Any]] | None = None,
    beats: npt.NDArray[np.int64] | None = None,
) -> Predictions:
    partial = beats is not None and len(beats) < len(dataset)
    return Predictions(
        runtime=runtime,  # type: ignore[arg-type]
        model_digest=model.digest,
        dataset_digest=dataset.digest,
        outputs=outputs,
        raw=raw,
        indices=beats if partial else None,
    )


def _store(one: Predictions, folder: Path) -> StoredPredictions:
    arrays = {"outputs": one.outputs, "raw": one.raw, "indices": one.indices}
    stream = io.BytesIO()
    np.savez(stream, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]
    path = folder / f"{one.runtime}.npz"
    write_atomically(path, stream.getvalue())
    return StoredPredictions(
        runtime=one.runtime, path=path, model_digest=one.model_digest, dataset_digest=one.dataset_digest
    )


def _load(stored: StoredPredictions) -> Predictions:
    with np.load(stored.path, allow_pickle=False) as arrays:
        return Predictions(
            runtime=stored.runtime,  # type: ignore[arg-type]
            model_digest=stored.model_digest,
            dataset_digest=stored.dataset_digest,
            outputs=arrays["outputs"],
            raw=arrays.get("raw"),
            indices=arrays.get("indices"),
        )

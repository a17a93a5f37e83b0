"""compare: one model, one board, several backends, the same inputs; which bytes differ, and where they first part.

The backends share one arithmetic, so a difference is a fault of one of them. One cause is known: a TFLite Micro from
before per-channel FULLY_CONNECTED, or a vendor's, reads the first scale of each layer and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import ArenaFigures, Backend, BackendComparison, BenchmarkResult, Divergence
from leadwire.errors import BadInputError, DeviceError
from leadwire.model.graph import Model
from leadwire.model.tensor import values_of
from leadwire.tflm_arena import ArenaPrediction, host_record

OperatorTensors = Callable[[Backend, bytes], Sequence[bytes]]
"""All operators' outputs of a backend for one input, in execution order; DeviceError where it cannot give them."""

_UNKNOWN: Final = "unknown: the backends share one arithmetic, so this is a fault of a kernel, compiler or board"
_ONE_SCALE: Final = (
    "known: this layer has one scale for each output, and a TFLite Micro that is too old, or a vendor's, reads the "
    "first alone; take a newer one, or quantize with per-tensor Dense layers"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRun:
    """A benchmark with the output of each input."""

    result: BenchmarkResult
    outputs: tuple[bytes, ...]


def compare_backends(
    model: Model, inputs: Sequence[bytes], runs: Sequence[BackendRun], tensors_of: OperatorTensors
) -> BackendComparison:
    """The first run is what the others are compared with. `tensors_of` is asked only where bytes differ.

    BadInputError where the runs are not of the same model, board and inputs.
    """
    results = tuple(run.result for run in runs)
    if len(results) < 2 or len({result.backend for result in results}) != len(results):
        raise BadInputError(f"a comparison needs different backends, got {[result.backend for result in results]}")
    for run in runs:
        found = (run.result.board_id, run.result.model_digest, len(run.outputs))
        if found != (results[0].board_id, model.digest, len(inputs)):
            raise BadInputError(
                f"the run of backend '{run.result.backend}' is of another board, model or set of inputs"
            )
    return BackendComparison(
        board_id=results[0].board_id,
        model_digest=model.digest,
        results=results,
        divergences=tuple(_divergence(model, inputs, runs[0], other, tensors_of) for other in runs[1:]),
    )


def arena_figures(
    file: Model, predicted: ArenaPrediction, result: BenchmarkResult, recorded: int | None
) -> ArenaFigures:
    """The arena of a TFLite Micro build beside its prediction.

    `file` is the model as it is in the file; `recorded` what the package tflite-micro says on the host.
    """
    return ArenaFigures(
        kernels=predicted.kernels,
        predicted_bytes=predicted.total_bytes,
        required_bytes=predicted.required_bytes,
        device_used_bytes=result.device.arena_used_bytes or None,
        device_needed_bytes=result.device.arena_needed_bytes or None,
        host_predicted_bytes=host_record(file).total_bytes,
        host_recorded_bytes=recorded,
    )


def _divergence(
    model: Model, inputs: Sequence[bytes], first: BackendRun, second: BackendRun, tensors_of: OperatorTensors
) -> Divergence:
    one, other = _table(model, first.outputs), _table(model, second.outputs)
    apart = np.abs(one.astype(np.int32) - other.astype(np.int32))
    differing = np.flatnonzero(apart.any(axis=1))
    sizes, counts = np.unique(apart[apart > 0], return_counts=True)
    operator, cause = None, "identical"
    if differing.size:
        backends = (first.result.backend, second.result.backend)
        operator, cause = _explain(model, inputs[int(differing[0])], backends, tensors_of)
    return Divergence(
        compared=len(inputs),
        identical=len(inputs) - int(differing.size),
        max_abs_lsb=int(apart.max(initial=0)),
        decisions_changed=_changed_decisions(model, one, other),
        first_operator=operator,
        cause=cause,
        runtimes=(first.result.backend, second.result.backend),
        values=int(apart.size),
        differing_values=int(counts.sum()),
        lsb_histogram=tuple((int(size), int(count)) for size, count in zip(sizes, counts, strict=True)),
    )


_Values = npt.NDArray[np.signedinteger[Any]]


def _table(model: Model, outputs: Iterable[bytes]) -> _Values:
    return values_of(model.output_tensors, np.stack([np.frombuffer(output, dtype=np.int8) for output in outputs]))


def _changed_decisions(model: Model, one: _Values, other: _Values) -> int:
    """How often the highest value of the first output moved."""
    width = model.output_tensors[0].elements
    return int(np.count_nonzero(one[:, :width].argmax(axis=1) != other[:, :width].argmax(axis=1)))


def _explain(
    model: Model, data: bytes, backends: tuple[Backend, Backend], tensors_of: OperatorTensors
) -> tuple[str | None, str]:
    """The first operator whose output differs for one input, and why if that is known."""
    try:
        one, other = (tensors_of(backend, data) for backend in backends)
    except DeviceError as error:
        return None, f"not examined: {error.message}"
    for operator, left, right in zip(model.operators, one, other, strict=False):
        if left and right and left != right:  # empty: this backend does without the operator
            return model.describe(operator), _ONE_SCALE if operator in model.per_channel_dense else _UNKNOWN
    return None, "unknown: all operators agree one by one, so the difference arises when they run in one go"

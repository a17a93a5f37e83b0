"""compare on runs written by hand: equal bytes, differing ones with and without a known cause, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from evidence_example import example_bench
from leadwire.artifacts import Backend
from leadwire.compare import BackendRun, arena_figures, compare_backends
from leadwire.errors import BadInputError, DeviceRefusedError
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.tflm_arena import predict_arena
from single_operator import Op, T, write_tflite

INPUTS = (bytes(8), bytes(range(8)))
OUTPUTS = (bytes([1, 2, 3, 250]), bytes([9, 8, 7, 6]))


def dense(*, scales: tuple[float, ...]) -> Model:
    """RELU, then a Dense layer of four outputs."""
    weights = np.ones((4, 8), np.int8)
    tensors = [T(shape=(1, 8)), T(shape=(1, 8)), T(shape=(4, 8), array=weights, scale=scales), T(shape=(1, 4))]
    operators = [
        Op(kind="RELU", inputs=(0,), outputs=(1,)),
        Op(kind="FULLY_CONNECTED", inputs=(1, 2, -1), outputs=(3,), options="FullyConnectedOptions"),
    ]
    return parse_tflite(write_tflite(tensors, operators, [0], [3]), "dense")


PER_TENSOR, PER_CHANNEL = dense(scales=(0.1,)), dense(scales=(0.1, 0.2, 0.3, 0.4))


def run(model: Model, backend: Backend, outputs: tuple[bytes, ...] = OUTPUTS, board: str = "b") -> BackendRun:
    result = dataclasses.replace(example_bench(), backend=backend, board_id=board, model_digest=model.digest)
    return BackendRun(result=result, outputs=outputs)


def never(backend: Backend, data: bytes) -> Sequence[bytes]:
    raise AssertionError("nothing differs: there is nothing to look for")


def test_equal_bytes_are_identical_and_nothing_is_asked_of_the_board() -> None:
    found = compare_backends(PER_TENSOR, INPUTS, [run(PER_TENSOR, "aot"), run(PER_TENSOR, "tflm")], never)
    assert found.identical
    (one,) = found.divergences
    assert (one.compared, one.identical, one.max_abs_lsb, one.cause) == (2, 2, 0, "identical")
    assert one.runtimes == ("aot", "tflm")
    assert one.values == 8
    assert found.arena is None


@pytest.mark.parametrize(
    ("model", "parted", "operator", "cause"),
    [
        (PER_CHANNEL, 1, "op 1 FULLY_CONNECTED 't3'", "known: this layer has one scale for each output"),
        (PER_TENSOR, 1, "op 1 FULLY_CONNECTED 't3'", "unknown: the backends share one arithmetic"),
        (PER_CHANNEL, 0, "op 0 RELU 't1'", "unknown: the backends share one arithmetic"),
        (PER_TENSOR, 2, None, "unknown: all operators agree one by one"),
    ],
)
def test_the_first_operator_that_differs_is_named_with_its_cause(
    model: Model, parted: int, operator: str | None, cause: str
) -> None:
    asked: list[bytes] = []

    def tensors(backend: Backend, data: bytes) -> Sequence[bytes]:
        asked.append(data)
        return [bytes([1 if backend == "tflm" and place >= parted else 0]) for place in range(2)]

    other = (OUTPUTS[0], bytes([9, 18, 7, 4]))
    found = compare_backends(model, INPUTS, [run(model, "aot"), run(model, "tflm", other)], tensors)
    (one,) = found.divergences
    assert not found.identical
    assert asked == [INPUTS[1]] * 2  # the first input that differs, for each backend
    assert one.first_operator == operator
    assert one.cause.startswith(cause)
    assert (one.identical, one.max_abs_lsb, one.differing_values, one.decisions_changed) == (1, 10, 2, 1)
    assert one.lsb_histogram == ((2, 1), (10, 1))


def test_an_operator_that_one_backend_leaves_out_is_passed_over() -> None:
    def tensors(backend: Backend, data: bytes) -> Sequence[bytes]:
        return [b"" if backend == "aot" else b"12", bytes([backend == "tflm"])]

    runs = [run(PER_TENSOR, "aot"), run(PER_TENSOR, "tflm", OUTPUTS[::-1])]
    (one,) = compare_backends(PER_TENSOR, INPUTS, runs, tensors).divergences
    assert one.first_operator == "op 1 FULLY_CONNECTED 't3'"


def test_differences_are_of_signed_values() -> None:
    other = (bytes([1, 2, 3, 10]), OUTPUTS[1])  # 250 is -6
    runs = [run(PER_TENSOR, "aot"), run(PER_TENSOR, "tflm", other)]
    (one,) = compare_backends(PER_TENSOR, INPUTS, runs, lambda backend, data: []).divergences
    assert one.max_abs_lsb == 16


def test_a_backend_that_cannot_show_its_operators_is_no_error() -> None:
    def refused(backend: Backend, data: bytes) -> Sequence[bytes]:
        raise DeviceRefusedError("port", "tensor", "not supported by this build")

    runs = [run(PER_TENSOR, "aot"), run(PER_TENSOR, "tflm", OUTPUTS[::-1])]
    (one,) = compare_backends(PER_TENSOR, INPUTS, runs, refused).divergences
    assert one.first_operator is None
    assert one.cause.startswith("not examined: 'port' refused tensor")


@pytest.mark.parametrize(
    "runs",
    [
        [run(PER_TENSOR, "aot")],
        [run(PER_TENSOR, "aot"), run(PER_TENSOR, "aot")],
        [run(PER_TENSOR, "aot"), run(PER_CHANNEL, "tflm")],
        [run(PER_TENSOR, "aot"), run(PER_TENSOR, "tflm", board="other")],
        [run(PER_TENSOR, "aot"), run(PER_TENSOR, "tflm", OUTPUTS[:1])],
    ],
    ids=["one", "twice", "model", "board", "inputs"],
)
def test_what_does_not_belong_together_is_refused(runs: list[BackendRun]) -> None:
    with pytest.raises(BadInputError):
        compare_backends(PER_TENSOR, INPUTS, runs, never)


def test_arena_figures_put_prediction_and_findings_side_by_side() -> None:
    result = run(PER_TENSOR, "tflm").result
    told = dataclasses.replace(result.device, arena_used_bytes=1000, arena_needed_bytes=1200)
    predicted = predict_arena(PER_TENSOR, kernels="cmsis-nn")
    figures = arena_figures(PER_TENSOR, predicted, dataclasses.replace(result, device=told), 2000)
    assert (figures.device_used_bytes, figures.device_needed_bytes, figures.host_recorded_bytes) == (1000, 1200, 2000)
    assert (figures.kernels, figures.predicted_bytes) == ("cmsis-nn", predicted.total_bytes)
    assert figures.predicted_bytes < figures.required_bytes < figures.host_predicted_bytes
    silent = arena_figures(PER_TENSOR, predicted, result, None)
    assert (silent.device_used_bytes, silent.host_recorded_bytes) == (None, None)

"""Why decisions change and bytes differ: layers made here with errors put in at a known place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence_example import LABELS, example_dataset, simulate
from leadwire.artifacts import ChangedDecision
from leadwire.errors import DeviceRefusedError
from leadwire.pipeline import predict
from leadwire.validate import LayerPair, OperatorOutput
from leadwire.validate.divergence import changed_decisions, explained, float_divergence
from leadwire.validate.identity import compare
from leadwire.validate.inputs import check_predictions

pytestmark = pytest.mark.requirement("LW-VAL-003")
MODEL = "m" * 64


@pytest.fixture(scope="module")
def runs() -> Any:
    reference, patient, predictions = simulate()
    dataset = example_dataset(reference, patient)
    given = [dataclasses.replace(one, dataset_digest=dataset.digest, model_digest=MODEL) for one in predictions]
    return dataset, check_predictions(given, dataset, MODEL)


@pytest.fixture(scope="module")
def listed(runs: Any) -> tuple[ChangedDecision, ...]:
    dataset, by_name = runs
    changed = np.flatnonzero(by_name["float"].decided != by_name["device"].decided)
    return changed_decisions(dataset, by_name["float"], by_name["device"], changed, 3, 1 / 256)


def layer(name: str, errors: Sequence[float], raw: Sequence[int] = (10, 20, 30), scale: float = 0.1) -> LayerPair:
    """INT8 values and real ones that lie `errors` steps below them."""
    values = np.array(raw, dtype=np.int8)
    return LayerPair(
        description=name, real=scale * (values.astype(float) - np.array(errors)), raw=values, scale=scale, zero_point=0
    )


def test_margins_and_steps_of_a_changed_decision(runs: Any, listed: tuple[ChangedDecision, ...]) -> None:
    _, by_name = runs
    for one in listed:
        floats, int8 = by_name["float"].outputs[one.index], by_name["device"].raw[one.index].astype(int)
        assert one.float_margin == pytest.approx(sorted(floats)[-1] - sorted(floats)[-2])
        assert one.int8_margin == pytest.approx((sorted(int8)[-1] - sorted(int8)[-2]) / 256)
        assert one.output_steps == tuple(
            round((value + 128) - real * 256) for value, real in zip(int8, floats, strict=True)
        )
        assert LABELS[int(floats.argmax())] == one.float_class


def test_the_first_operator_beyond_the_threshold_is_named(listed: tuple[ChangedDecision, ...]) -> None:
    pairs = [layer("input 'x'", [0.5, -0.5, 0]), layer("op 0 CONV_2D 'a'", [1.9, 0, 0]),
             layer("op 1 CONV_2D 'b'", [0, 3.0, -2.5]), layer("op 2 SOFTMAX 'c'", [9, 9, 9])]  # fmt: skip
    (found,) = explained(listed[:1], lambda beats: [pairs for _ in beats], 1 / 256)
    assert found.first_operator == "op 1 CONV_2D 'b'"
    assert found.off_by_steps == pytest.approx(3.0)
    assert "add up" in found.cause


def test_saturation_is_told_from_rounding(listed: tuple[ChangedDecision, ...]) -> None:
    """127 with the real value 40 steps beyond; the same error inside the range, or towards it, is none."""
    beyond = layer("input 'beat'", [-40, -30, 0], raw=[127, 127, 5])
    (found,) = explained(listed[:1], lambda beats: [[beyond]], 1 / 256)
    assert found.first_operator == "input 'beat'"
    assert "saturation" in found.cause
    for other in (layer("i", [-40, -30, 0], raw=[100, 100, 5]), layer("i", [40, 30, 0], raw=[127, 127, 5])):
        (found,) = explained(listed[:1], lambda beats, other=other: [[other]], 1 / 256)  # type: ignore[misc]
        assert "saturation" not in found.cause
    below = layer("i", [25, 0, 0], raw=[-128, 0, 0])
    (found,) = explained(listed[:1], lambda beats: [[below]], 1 / 256)
    assert "saturation" in found.cause


def test_where_no_operator_is_off_the_margin_is_told(listed: tuple[ChangedDecision, ...]) -> None:
    (found,) = explained(listed[:1], lambda beats: [[layer("op 0", [1.5, 0, 0])]], 1 / 256)
    assert found.first_operator is None
    assert found.off_by_steps == pytest.approx(1.5)
    assert f"a lead of {256 * found.float_margin:.1f} steps" in found.cause


def test_without_layers_nothing_is_claimed(listed: tuple[ChangedDecision, ...]) -> None:
    assert explained(listed, None, 1 / 256) == listed
    assert all(
        one.cause.startswith("not examined") for one in explained(listed, lambda beats: [[] for _ in beats], None)
    )


def test_causes_and_closeness_are_counted(runs: Any, listed: tuple[ChangedDecision, ...]) -> None:
    _, by_name = runs
    floats, device = by_name["float"], by_name["device"]
    pairs = [[layer("op 1", [3, 0, 0])], [layer("op 1", [3, 0, 0])], [layer("op 0", [0, 0, 0])]]
    result = float_divergence(explained(listed, lambda beats: pairs, 1 / 256), floats, device, 1 / 256)
    assert [(one.operator, one.beats) for one in result.causes] == [("op 1", 2), (None, 1)]
    assert "steps of the output" not in result.causes[1].cause
    assert result.examined == 3
    steps = [256 * float(margin) for margin in floats.margins]
    for one in result.margins:
        inside = [i for i, value in enumerate(steps) if one.low <= value < (one.high or 1e9)]
        assert one.beats == len(inside)
        assert one.changed == sum(floats.decided[i] != device.decided[i] for i in inside)
    assert sum(one.beats for one in result.margins) == len(steps)
    assert result.margins[0].changed / result.margins[0].beats > result.margins[-1].changed / result.margins[-1].beats


def test_beats_with_other_bytes_are_described_one_by_one(runs: Any) -> None:
    dataset, by_name = runs
    device = by_name["device"]
    raw = device.raw.copy()
    raw[[5, 70], 2] += 3
    other = dataclasses.replace(device, runtime="host_c", raw=raw, decided=raw.argmax(axis=1).astype(np.int64))

    def outputs_of(runtime: str, beat: int) -> Sequence[OperatorOutput]:
        late = runtime == "host_c"
        return [
            OperatorOutput(
                description=f"op {k}", kind="CONV_2D", values=np.array([late and k >= (1 + (beat == 5))], np.int8)
            )
            for k in range(3)
        ]

    found = compare(device, other, dataset, {}, outputs_of)
    assert [one.index for one in found.beats] == [5, 70]
    for one, operator in zip(found.beats, ("op 2", "op 1"), strict=True):
        assert one.first_operator == operator
        assert one.differences == (0, 0, 3, 0, 0)
        values = sorted(device.raw[one.index].astype(int))
        assert one.margins[0] == values[-1] - values[-2]
        assert one.record == dataset.records[one.index]
    assert found.first_operator == "op 1"  # the earliest of all


class Client:
    """A device that answers with the operator's number and the input, or not at all."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses

    def tensor(self, op: int, data: bytes) -> bytes:
        if self.refuses:
            raise DeviceRefusedError("port", "tensor", "built without operator table")
        return bytes([op]) + data[:2]


@dataclasses.dataclass(frozen=True)
class Operator:
    index: int


@dataclasses.dataclass(frozen=True)
class Network:
    operators: tuple[Operator, ...] = (Operator(0), Operator(1))


def test_a_device_that_departs_is_asked_for_its_operators(tmp_path: Path) -> None:
    rows = np.arange(40, dtype=np.int8).reshape(10, 4)
    ask: Any = predict._device_tensors
    path = ask(Client(), Network(), rows, np.array([3, 7]), tmp_path)
    with np.load(path) as arrays:
        assert sorted(arrays.files) == ["3:0", "3:1", "7:0", "7:1"]
        assert arrays["7:1"].tolist() == [1, 28, 29]
    assert ask(Client(), Network(), rows, np.array([], dtype=np.int64), tmp_path) is None
    assert not path.exists()  # an earlier run's answers do not explain this one
    assert ask(Client(refuses=True), Network(), rows, np.array([3]), tmp_path) is None

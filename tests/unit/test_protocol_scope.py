"""Exclusions, populations, subgroups and operating points, each counted a second time in plain Python, and judged a
second time from predictions.csv."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence_example import FIRMWARE, LABELS, MODEL, beat_times_s, example_dataset, example_protocol, simulate
from leadwire.artifacts import ProtocolState, RecordAttributes, ValidationResult, sha256_hex
from leadwire.datasets.dataset import Dataset
from leadwire.errors import DatasetError, LeakError
from leadwire.evidence.judgement import disagreements
from leadwire.evidence.predictions import Table, read_predictions, write_predictions
from leadwire.evidence.record import Attachments, Beat
from leadwire.protocols import Protocol, Subgroup, load_protocol
from leadwire.validate import exclude, run_validation

BASE = example_protocol()
pytestmark = pytest.mark.requirement("LW-VAL-005")
RULES = """
[[exclusions]]
reason = "learning period of two recordings"
records = ["200", "201"]
before_s = 340.0

[[exclusions]]
reason = "unknown beats cannot be judged"
labels = ["Q"]

[[populations]]
name = "most"
description = "without one recording"
without_records = ["210"]

[[subgroups]]
name = "age"
by = "age"
edges = [40, 60]
judged = true

[[subgroups]]
name = "sex"
by = "sex"

[[subgroups]]
name = "recordings"
by = "record"

[[operating_points]]
name = "V at 90 %"
label = "V"
sensitivity = 0.9

[[endpoints]]
name = "VEB sensitivity, most"
measure = "sensitivity"
label = "V"
margin = 0.06
rationale = "an example"
population = "most"
"""


def attributes(dataset: Dataset) -> tuple[RecordAttributes, ...]:
    """Ages 20 to 63 and two sexes by number; nothing is known of the last."""
    numbers = sorted({int(record) - 200 for record in dataset.records})
    return tuple(
        RecordAttributes(
            record=str(200 + number),
            patient=f"p{number:02d}",
            age=20.0 + number if number < 43 else None,
            sex="FM"[number % 2] if number < 43 else "",
        )
        for number in numbers
    )


def judged(
    folder: Path,
    harm: Callable[[np.ndarray], None] | None = None,
    *,
    base: bytes = BASE,
    **settings: Any,
) -> tuple[ValidationResult, Protocol, Table, Dataset, list[Any]]:
    path = folder / "protocol.toml"
    path.write_bytes(base + RULES.encode())
    protocol = load_protocol(path)
    reference, patient, predictions = simulate()
    whole = example_dataset(reference, patient)
    whole = dataclasses.replace(whole, attributes=attributes(whole))
    dataset, excluded = exclude(whole, protocol)
    kept = np.searchsorted(whole.times_s, dataset.times_s)
    runs = []
    for run in predictions:
        raw, outputs = run.raw, run.outputs[kept]
        if raw is not None:
            raw = raw[kept].copy()
            if harm is not None:
                harm(raw)
            outputs = (raw.astype(np.float64) + 128) / 256
        runs.append(dataclasses.replace(run, raw=raw, outputs=outputs, dataset_digest=dataset.digest))
    validation = run_validation(
        dataset, protocol, runs, model_digest=sha256_hex(MODEL), image_digest=sha256_hex(FIRMWARE), io_digest="",
        lost_samples=0, calibration_patients=(), excluded=excluded, **settings,
    )  # fmt: skip
    beats = zip(dataset.records, dataset.patients, dataset.labels.tolist(), dataset.times_s.tolist(), strict=True)
    attachments = Attachments(
        protocol=path,
        beats=tuple(Beat(record=record, patient=who, reference=label, time_s=at) for record, who, label, at in beats),
        predictions=tuple(runs),
    )
    table = read_predictions(write_predictions(attachments, LABELS), LABELS, source="x")
    return validation, protocol, table, dataset, runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[ValidationResult, Protocol, Table, Dataset, list[Any]]:
    return judged(tmp_path_factory.mktemp("scope"))


def test_excluded_beats_are_in_no_figure(run: Any) -> None:
    validation, _, _, dataset, _ = run
    reference, patient, _ = simulate()
    times = beat_times_s(len(patient))
    early = [number < 2 and time < 340 for time, number in zip(times, patient, strict=True)]
    unknown = [label == 4 and not gone for label, gone in zip(reference, early, strict=True)]
    assert [one.beats for one in validation.excluded] == [sum(early), sum(unknown)]
    assert sum(early) > 0
    assert validation.beats == len(dataset) == len(reference) - sum(early) - sum(unknown)
    assert validation.metrics[0].beats == len(dataset)
    assert any("unknown beats cannot be judged" in note for note in validation.notes)


def test_a_dataset_with_excluded_beats_is_refused_and_one_without_beats_too(run: Any) -> None:
    _, protocol, _, _, runs = run
    reference, patient, _ = simulate()
    whole = example_dataset(reference, patient)
    with pytest.raises(DatasetError, match="that protocol 'arrhythmia-mitdb' excludes"):
        run_validation(
            whole, protocol, runs, model_digest="", image_digest="", io_digest="", lost_samples=0,
            calibration_patients=(),
        )  # fmt: skip
    everything = dataclasses.replace(protocol, exclusions=(dataclasses.replace(protocol.exclusions[1], labels=LABELS),))
    with pytest.raises(DatasetError, match="excludes all 4400 beats"):
        exclude(whole, everything)


def sensitivity(dataset: Dataset, decided: np.ndarray, keep: Callable[[int], bool]) -> float:
    of_class = [beat for beat in range(len(dataset)) if dataset.labels[beat] == 2 and keep(beat)]
    return sum(int(decided[beat]) == 2 for beat in of_class) / len(of_class)


def test_an_endpoint_is_judged_on_its_population_and_in_every_group(run: Any) -> None:
    validation, _, _, dataset, runs = run
    floats, device = runs[0].outputs.argmax(axis=1), runs[3].raw.argmax(axis=1)
    most = next(one for one in validation.endpoints if one.endpoint == "VEB sensitivity, most")
    assert most.float_value == sensitivity(dataset, floats, lambda beat: dataset.records[beat] != "210")
    assert most.int8_value == sensitivity(dataset, device, lambda beat: dataset.records[beat] != "210")
    groups = [(one.subgroup, one.group) for one in validation.subgroups]
    assert groups[:7] == [
        ("age", "below 40 years"),
        ("age", "40 to 60 years"),
        ("age", "60 years and more"),
        ("age", "unknown"),
        ("sex", "F"),
        ("sex", "M"),
        ("sex", "unknown"),
    ]
    assert len(groups) == 7 + 44
    middle = validation.subgroups[1]
    inside = [beat for beat in range(len(dataset)) if 220 <= int(dataset.records[beat]) < 240]
    assert (middle.beats, middle.patients) == (len(inside), 20)
    found = next(one for one in middle.endpoints if one.endpoint == "VEB sensitivity")
    assert found.float_value == sensitivity(dataset, floats, lambda beat: beat in set(inside))
    assert found.int8_value == sensitivity(dataset, device, lambda beat: beat in set(inside))


def test_an_operating_point_fixed_on_float(run: Any) -> None:
    validation, _, _, dataset, runs = run
    (point,) = validation.operating_points
    is_v = dataset.labels == 2
    floats, raw = runs[0].outputs[:, 2], runs[3].raw[:, 2].astype(int)
    threshold = sorted(floats[is_v])[::-1][math.ceil(0.9 * is_v.sum()) - 1]
    assert point.threshold == threshold
    assert (floats[is_v] >= threshold).mean() >= 0.9 > (floats[is_v] > threshold).mean()
    assert (point.scale, point.zero_point) == (1 / 256, -128)
    assert point.int8_step == math.ceil(threshold * 256) - 128
    real = (raw + 128) / 256
    assert point.float_sensitivity.estimate == (floats[is_v] >= threshold).mean()
    assert point.int8_sensitivity.estimate == (real[is_v] >= threshold).mean()
    assert point.int8_specificity.estimate == (real[~is_v] < threshold).mean()
    own = sorted(real[is_v])[::-1][math.ceil(0.9 * is_v.sum()) - 1]
    assert point.drift.estimate == pytest.approx(own - threshold, abs=1e-15)
    assert point.drift.interval is not None
    assert point.drift.interval.low <= point.drift.estimate <= point.drift.interval.high
    assert point.sensitivity_loss.interval is not None


def test_a_threshold_that_is_shifted_is_seen(tmp_path: Path) -> None:
    """All V outputs of INT8 are 20 steps lower: the operating point loses sensitivity, and the drift is -20 steps."""

    def harm(raw: np.ndarray) -> None:
        raw[:, 2] = np.clip(raw[:, 2].astype(int) - 20, -128, 127)

    (clean,) = judged(tmp_path)[0].operating_points
    (point,) = judged(tmp_path, harm=harm)[0].operating_points
    assert point.threshold == clean.threshold
    assert point.drift.estimate - clean.drift.estimate == pytest.approx(-20 / 256)
    assert point.sensitivity_loss.interval is not None
    assert point.sensitivity_loss.interval.low > 0.02


def test_the_second_judgement_agrees(run: Any) -> None:
    validation, protocol, table, _, _ = run
    assert disagreements(validation, protocol, table) == ()


def changed(validation: ValidationResult, what: str) -> ValidationResult:
    change = dataclasses.replace
    point, part, first = validation.operating_points[0], validation.subgroups[0], validation.records[0]
    worst = dataclasses.replace(validation.endpoints[0], worst_records=(("299", 0.5),))
    assert validation.float_int8 is not None
    drift = change(point.drift, estimate=point.drift.estimate + 0.01)
    return {
        "drift": change(validation, operating_points=(change(point, drift=drift),)),
        "step": change(validation, operating_points=(change(point, int8_step=point.int8_step + 1),)),
        "no point": change(validation, operating_points=()),
        "group": change(validation, subgroups=validation.subgroups[1:]),
        "beats": change(validation, subgroups=(change(part, beats=part.beats + 1), *validation.subgroups[1:])),
        "loss": change(
            validation,
            subgroups=(
                change(part, endpoints=(change(part.endpoints[0], float_value=0.1), *part.endpoints[1:])),
                *validation.subgroups[1:],
            ),
        ),
        "age": change(validation, attributes=(change(validation.attributes[0], age=80.0), *validation.attributes[1:])),
        "excluded": change(validation, excluded=()),
        "class": change(
            validation,
            records=(
                change(first, classes=(change(first.classes[0], int8_right=0), *first.classes[1:])),
                *validation.records[1:],
            ),
        ),
        "margins": change(
            validation, float_int8=change(validation.float_int8, margins=validation.float_int8.margins[1:])
        ),
        "worst": change(validation, endpoints=(worst, *validation.endpoints[1:])),
        "frozen": change(validation, protocol_state=ProtocolState(state="frozen", frozen_digest="0" * 64)),
    }[what]


@pytest.mark.parametrize(
    "what",
    ["drift", "step", "no point", "group", "beats", "loss", "age", "excluded", "class", "worst", "margins", "frozen"],
)
@pytest.mark.requirement("LW-EVD-004")
def test_a_changed_figure_is_found(run: Any, what: str) -> None:
    validation, protocol, table, _, _ = run
    assert disagreements(changed(validation, what), protocol, table)


def test_harm_in_a_judged_group_fails_the_run_and_names_it(tmp_path: Path) -> None:
    """Every second V beat of the patients below 40 is lost; both judgements see it."""

    def harm(raw: np.ndarray) -> None:
        raw[:1500:2, 2] = -128

    validation, protocol, table, _, _ = judged(tmp_path, harm=harm)
    assert validation.verdict == "fail"
    assert any(reason.startswith("age below 40 years: VEB sensitivity") for reason in validation.reasons)
    assert disagreements(validation, protocol, table) == ()


def test_a_record_that_loses_one_class_fails_the_run_and_is_named(tmp_path: Path) -> None:
    def harm(raw: np.ndarray) -> None:
        raw[300:400, 2] = -128

    limits = b"max_accuracy_loss = 0.9\nmax_sensitivity_loss = 0.3\nminimum_class_beats = 5"
    base = example_protocol().replace(b"max_accuracy_loss = 0.5", limits)
    validation, protocol, table, dataset, _ = judged(tmp_path, harm, base=base)
    named = {reason.split()[1] for reason in validation.reasons if "points of sensitivity to V" in reason}
    assert named
    assert named <= {dataset.records[beat] for beat in range(300, 400)}
    worst = next(one for one in validation.endpoints if one.endpoint == "VEB sensitivity").worst_records
    assert named <= {record for record, _ in worst}
    assert disagreements(validation, protocol, table) == ()


def test_a_changed_protocol_cannot_pass(tmp_path: Path) -> None:
    clean, protocol, table, _, _ = judged(tmp_path)
    assert clean.verdict == "pass"
    assert clean.protocol_state.state == "unfrozen"
    state = ProtocolState(state="changed", frozen_digest="0" * 64)
    validation, protocol, table, _, _ = judged(tmp_path, protocol_state=state)
    assert validation.verdict == "inconclusive"
    assert any("was changed after it was frozen" in reason for reason in validation.reasons)
    assert disagreements(validation, protocol, table) == ()
    assert disagreements(dataclasses.replace(validation, verdict="pass", reasons=()), protocol, table)


def test_training_patients_in_the_test_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LeakError, match="in both training and test dataset 'mitdb-ds2': p03"):
        judged(tmp_path, training_patients=("p03", "elsewhere"))


@pytest.mark.parametrize(
    ("value", "group"),
    [(39.99, "below 40 years"), (40, "40 to 60 years"), (60, "60 years and more"), (None, "unknown")],
)
def test_a_value_at_an_edge_belongs_above_it(value: float | None, group: str) -> None:
    subgroup = Subgroup(name="age", by="age", edges=(40, 60))
    assert subgroup.group(value) == group
    assert subgroup.groups is not None
    assert group in subgroup.groups

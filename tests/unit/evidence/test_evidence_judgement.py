"""The second judgement agrees with `run_validation` where the device stands alone, where the generated C speaks for it,
and where host and device differ; and it does not take one for the other.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from evidence_example import (
    FIRMWARE,
    LABELS,
    MODEL,
    example_dataset,
    example_protocol,
    simulate,
)
from leadwire.artifacts import Predictions, ValidationResult, sha256_hex
from leadwire.evidence.judgement import disagreements
from leadwire.evidence.predictions import Table, read_predictions, write_predictions
from leadwire.evidence.record import Attachments, Beat
from leadwire.protocols import Protocol, load_protocol
from leadwire.validate import run_validation

pytestmark = pytest.mark.requirement("LW-EVD-004")
RULES = """[host_device]
minimum_device_beats = 1000
extend_with_host_c = true
"""
F1 = """[[endpoints]]
name = "VEB F1"
measure = "f1"
label = "V"
margin = 0.05
rationale = "an example"
"""


def judged(
    folder: Path, *, sent: int = 1467, flipped: int = 0, twin: bool = True, rules: str = RULES, lost: int = 0
) -> tuple[ValidationResult, Protocol, Table]:
    """A run in which the device was sent the first `sent` beats and `flipped` of its answers are one LSB apart."""
    path = folder / "protocol.toml"
    path.write_bytes(example_protocol() + F1.encode() + rules.encode())
    protocol = load_protocol(path)
    reference, patient, (floating, desktop, tflm, device) = simulate()
    dataset = example_dataset(reference, patient)
    assert device.raw is not None
    raw = device.raw[:sent].copy()
    raw[:flipped, 4] = np.where(raw[:flipped, 4] == -128, -127, raw[:flipped, 4] - 1)
    part = dataclasses.replace(device, raw=raw, outputs=(raw + 128.0) / 256, indices=np.arange(sent))
    runs: list[Predictions] = [floating, desktop, tflm, part]
    if twin:
        runs.insert(3, dataclasses.replace(tflm, runtime="host_c"))
    runs = [dataclasses.replace(run, dataset_digest=dataset.digest) for run in runs]
    validation = run_validation(
        dataset,
        protocol,
        runs,
        model_digest=sha256_hex(MODEL),
        image_digest=sha256_hex(FIRMWARE),
        io_digest="",
        lost_samples=lost,
        calibration_patients=(),
    )
    beats = zip(dataset.records, dataset.patients, reference.tolist(), dataset.times_s.tolist(), strict=True)
    attachments = Attachments(
        protocol=path,
        beats=tuple(
            Beat(record=record, patient=who, reference=label, time_s=time) for record, who, label, time in beats
        ),
        predictions=tuple(runs),
    )
    return validation, protocol, read_predictions(write_predictions(attachments, LABELS), LABELS, source="x")


@pytest.mark.parametrize(
    ("change", "runtime", "verdict"),
    [
        ({}, "host_c", "pass"),
        ({"twin": False, "sent": 4400}, "device", "pass"),
        ({"sent": 900}, "device", "inconclusive"),
        ({"flipped": 1}, "device", "fail"),
        ({"lost": 1}, "host_c", "fail"),
        ({"rules": RULES.replace("true", "false")}, "device", "inconclusive"),
        ({"rules": RULES + "max_abs_lsb = 1\nmax_differing_ppm = 1000.0\n", "flipped": 1}, "device", "inconclusive"),
        ({"rules": '[[classes]]\nlabel = "Q"\nname = "q"\nminimum_beats = 10\n'}, "device", "inconclusive"),
    ],
)
def test_both_judge_alike(tmp_path: Path, change: dict[str, object], runtime: str, verdict: str) -> None:
    validation, protocol, table = judged(tmp_path, **change)  # type: ignore[arg-type]
    assert (validation.judged_runtime, validation.verdict) == (runtime, verdict)
    assert disagreements(validation, protocol, table) == ()


def test_bytes_that_differ_cannot_be_called_equal(tmp_path: Path) -> None:
    """The comparison of a run with equal bytes over the predictions of a run in which one value is off."""
    clean, protocol, _ = judged(tmp_path)
    _, _, table = judged(tmp_path, flipped=1)
    found = disagreements(clean, protocol, table)
    assert "tflm and device: 1466 of 1467 beats are equal in predictions.csv, with other differences" in found


def test_predictions_without_a_runtime_are_none(tmp_path: Path) -> None:
    validation, protocol, table = judged(tmp_path)
    less = {name: answers for name, answers in table.answers.items() if name != "device"}
    without = dataclasses.replace(table, answers=less)
    assert disagreements(validation, protocol, without) == ("predictions.csv holds 0 of 4400 beats of 'device'",)
